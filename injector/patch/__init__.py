"""JSON in, JSON out: differences, patches, strategic merges and Go's typed view of Kubernetes objects.

Knows nothing of reviews, templates or files.
"""

from injector.patch.apply import apply
from injector.patch.json_patch import diff
from injector.patch.merge_order import MergeError
from injector.patch.schema import POD, GoType, go_type
from injector.patch.strategic_merge import strategic_merge

__all__ = ["POD", "GoType", "MergeError", "apply", "diff", "go_type", "strategic_merge"]
