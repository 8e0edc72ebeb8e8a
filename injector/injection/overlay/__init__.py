"""Pods as Istio 1.9 and newer inject them: pod in, pod out; start reading at ``pipeline``. Knows no HTTP."""
