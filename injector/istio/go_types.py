"""Kubernetes' Go structs as templates see them: views on a pod's JSON, with the fields of a version.

The fields are those of the generated schema, with Go's names; a view reads its JSON on demand.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final

from injector.gotemplate import types
from injector.gotemplate.types import StructField, StructType, Type
from injector.gotemplate.values import Pointer, Struct, TypedList, Value
from injector.istio.go_leaves import FIELDS, INT_OR_STRING, QUANTITY, RESOURCE_LIST, TIME
from injector.istio.go_methods import methods_of, unprinted
from injector.istio.go_names_data import GO_NAMES
from injector.json_types import JSON
from injector.patch.schema import GoType, go_type

OBJECT_META: Final = "meta/v1.ObjectMeta"
POD_SPEC: Final = "core/v1.PodSpec"

_EMBEDDED_ELSEWHERE: Final = {"TypeMeta": "meta/v1.TypeMeta"}
_EXPRESSIONS: dict[StructType, GoType] = {}


@cache
def struct(expression: str, version: int) -> StructType:
    """Return a struct of a minor version of Kubernetes by its name in the schema: ``core/v1.PodSpec``."""
    declared = go_type(expression, version)
    made = _struct(expression, str(declared), [(each.path, each.type) for each in declared.fields])
    _EXPRESSIONS[made] = declared
    return made


def _struct(expression: str, name: str, paths: list[tuple[str, GoType]]) -> StructType:
    fields = _fields(expression, paths)
    return StructType(
        name=name,
        fields=fields,
        methods=methods_of(expression, name, fields),
        stringer=unprinted(name),
        nil_text="nil",
    )


def encodable(value: Value) -> tuple[JSON, GoType] | None:
    """Return the JSON behind a view or a list of views, and its type; None for values not of Kubernetes."""
    if isinstance(value, Pointer):
        return encodable(value.value)
    if isinstance(value, Struct):
        known = _EXPRESSIONS.get(value.type.addressed or value.type)
        return None if known is None else (value.whole(), known)
    if isinstance(value, TypedList):
        return _encodable_list(value)
    return None


def _encodable_list(value: TypedList) -> tuple[JSON, GoType] | None:
    elem = value.type.elem
    known = _EXPRESSIONS.get(elem) if isinstance(elem, StructType) else None
    if known is None:
        return None
    data = None if value.is_nil else [element.whole() for element in value]
    return data, go_type(f"[]{known.expression}", known.version)


def _fields(owner: str, paths: list[tuple[str, GoType]]) -> dict[str, StructField]:
    """Return the fields of a struct; those with a path belong to a struct embedded there."""
    fields: dict[str, StructField] = {}
    embedded: dict[str, list[tuple[str, GoType]]] = {}
    for path, declared in paths:
        head, point, rest = path.partition(".")
        if point:
            embedded.setdefault(head, []).append((rest, declared))
            fields.setdefault(head, StructField(json_name="", type=types.ANY))  # at its position
        else:
            name = GO_NAMES.get(owner, {}).get(path, path[0].upper() + path[1:])
            fields[name] = StructField(json_name=path, type=_type(declared))
    for name, inner in embedded.items():
        fields[name] = StructField(json_name="", type=_embedded(owner, name, inner), embedded=True)
    return fields


def _embedded(owner: str, name: str, paths: list[tuple[str, GoType]]) -> StructType:
    expression = _EMBEDDED_ELSEWHERE.get(name, f"{owner.rpartition('.')[0]}.{name}")
    return _struct(expression, f"v1.{name}", paths)


@cache
def _type(declared: GoType) -> Type:  # noqa: PLR0911 - one case a kind
    match declared.kind:
        case "struct":
            return struct(declared.expression, declared.version)
        case "pointer":
            return types.pointer_to(_type(declared.element))
        case "list":
            return types.slice_of(_type(declared.element))
        case "map" if declared.name == "ResourceList":
            return RESOURCE_LIST
        case "map":  # the others have strings as keys
            return types.map_of(types.STRING, _type(declared.element))
        case "quantity" | "intOrString" | "time" | "raw":
            return _LEAVES[declared.kind]
    named = "/" in declared.expression
    return Type(kind=declared.kind, name=str(declared), named=named) if named else _SCALARS[declared.kind]


_SCALARS: Final[Mapping[str, Type]] = {
    "string": types.STRING,
    "bool": types.BOOL,
    "int32": types.INT32,
    "int64": types.INT64,
}


_LEAVES: Final[Mapping[str, Type]] = {
    "quantity": QUANTITY,
    "time": TIME,
    "raw": FIELDS,
    "intOrString": INT_OR_STRING,
}
