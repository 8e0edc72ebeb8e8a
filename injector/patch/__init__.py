"""JSON patches, strategic merges, and Go's typed view of Kubernetes objects."""

from injector.patch.apply import apply
from injector.patch.json_patch import diff
from injector.patch.merge_lists import MergeError
from injector.patch.misfits import in_key_order
from injector.patch.quantity import canonical_quantity, milli_value, quantity_fault
from injector.patch.schema import KINDS, POD, GoType, go_type
from injector.patch.strategic_merge import join, only_adds, strategic_merge
from injector.patch.typed import leaves_out_empty, normalise
from injector.patch.wellformed import fits, is_canonical, is_plain

__all__ = [
    "KINDS",
    "POD",
    "GoType",
    "MergeError",
    "apply",
    "canonical_quantity",
    "diff",
    "fits",
    "go_type",
    "in_key_order",
    "is_canonical",
    "is_plain",
    "join",
    "leaves_out_empty",
    "milli_value",
    "normalise",
    "only_adds",
    "quantity_fault",
    "strategic_merge",
]
