"""Pods as Istio 1.9 and newer inject them: pod in, pod out. Read ``pipeline`` first. Knows no HTTP."""

from injector.injection.steps.pipeline import inject_overlay

__all__ = ["inject_overlay"]
