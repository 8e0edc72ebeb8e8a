"""Istio's MeshConfig and ProxyConfig: YAML in, frozen messages and their JSON out."""
