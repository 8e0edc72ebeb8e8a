"""JSON in, JSON out: differences, patches, strategic merges and Go's typed view of Kubernetes objects."""

from injector.patch.apply import apply
from injector.patch.json_patch import diff
from injector.patch.merge_order import MergeError
from injector.patch.misfits import in_key_order
from injector.patch.quantity import canonical_quantity, milli_value, quantity_fault
from injector.patch.retyped import normalise_merged, read_parts, readings
from injector.patch.schema import KINDS, POD, GoType, go_type
from injector.patch.strategic_merge import strategic_merge
from injector.patch.typed import check, normalise
from injector.patch.wellformed import fits, is_canonical

__all__ = [
    "KINDS",
    "POD",
    "GoType",
    "MergeError",
    "apply",
    "canonical_quantity",
    "check",
    "diff",
    "fits",
    "go_type",
    "in_key_order",
    "is_canonical",
    "milli_value",
    "normalise",
    "normalise_merged",
    "quantity_fault",
    "read_parts",
    "readings",
    "strategic_merge",
]
