"""What scripts/reference.py writes its pages from, one module a subject."""
