"""Istio's MeshConfig and ProxyConfig: read YAML into frozen messages, and write them as JSON."""
