"""The manifests that the tests of several commands use."""

from __future__ import annotations

import yaml

SERVICE = """\
# kept as it is
apiVersion: v1
kind: Service
metadata: {name: web}   # flow, and a comment
spec:
    ports: [ {port: 80} ]
"""

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
      - name: web
        image: web:1
        ports:
        - containerPort: 8080
"""


def first(stdout: str) -> dict:
    """Return the first document that a command has printed."""
    return next(yaml.safe_load_all(stdout))
