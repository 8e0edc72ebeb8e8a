"""Pods as Istio 1.0 to 1.8 inject them; start reading at ``inject``."""
