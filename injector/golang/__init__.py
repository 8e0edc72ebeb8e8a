"""The parts of Go's standard library that Istio and Kubernetes show to users: texts, numbers, times, letters.

Each function answers as Go 1.26 does, and tests compare it with Go. Every other room may use this one; it
uses `errors` and `json_types` only.
"""
