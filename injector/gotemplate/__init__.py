"""Go's text/template in, Python functions out. Knows nothing of pods, YAML or Kubernetes."""
