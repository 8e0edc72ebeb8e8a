"""A sidecar injector for Kubernetes: AdmissionReviews in, JSON patches out."""

__version__ = "0.1.0"
