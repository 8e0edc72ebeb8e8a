"""Go's standard library, as far as Istio and Kubernetes show it to users: texts, numbers, times and words.

Each function answers as Go 1.26 does, and tests compare it with Go. Everything else stands on this room; it
stands on `errors` and `json_types` alone.
"""
