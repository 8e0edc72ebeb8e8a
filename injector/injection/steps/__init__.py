"""What Istio 1.9 and newer do to a pod, one step a module. Read `pipeline` first."""
