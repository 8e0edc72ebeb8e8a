"""Explain why a pod is injected or not, and what is wrong with a configuration: gates and findings."""
