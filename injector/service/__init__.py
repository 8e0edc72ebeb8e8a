"""The process: TLS edge, files and their changes, metrics, start, drain, stop.

Open `process` first: it tells the life of the service from its options to its exit code. Knows no argv and
no environment; what the cluster has to say comes in through the protocols of `companions`.
"""
