"""JSON in, JSON out: differences, patches, strategic merges and Go's typed view of Kubernetes objects.

Knows nothing of reviews, templates or files.
"""

from injector.patch.apply import apply
from injector.patch.json_patch import diff

__all__ = ["apply", "diff"]
