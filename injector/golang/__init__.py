"""Go's standard library, where Istio and Kubernetes show its results to users.

Each function answers as Go 1.26 does, and tests compare it with Go. Every other room may use this one; it
uses `errors` and `json_types` only.
"""
