"""Kubernetes' Go structs as templates see them: views on a pod's JSON, with the fields of a version.

The fields are those of the generated schema, with Go's names; a view reads its JSON on demand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from injector.golang.times import canonical_time
from injector.gotemplate import types
from injector.gotemplate.types import StructField, StructType, Type
from injector.gotemplate.values import Pointer, Struct, TypedList, Value
from injector.istio.go_names_data import GO_NAMES
from injector.json_types import JSON
from injector.patch.schema import GoType, go_type

OBJECT_META: Final = "meta/v1.ObjectMeta"
POD_SPEC: Final = "core/v1.PodSpec"

_EMBEDDED_ELSEWHERE: Final = {"TypeMeta": "meta/v1.TypeMeta"}
_ZERO_TIME: Final = "0001-01-01T00:00:00Z"
_EXPRESSIONS: dict[StructType, GoType] = {}


@cache
def struct(expression: str, version: int) -> StructType:
    """Return a struct of a minor version of Kubernetes by its name in the schema: ``core/v1.PodSpec``."""
    declared = go_type(expression, version)
    fields = _fields(expression, [(each.path, each.type) for each in declared.fields])
    made = StructType(name=str(declared), fields=fields)
    _EXPRESSIONS[made] = declared
    return made


def encodable(value: Value) -> tuple[JSON, GoType] | None:
    """Return the JSON behind a view or a list of views, and its type; None for values not of Kubernetes."""
    if isinstance(value, Pointer):
        return encodable(value.value)
    if isinstance(value, Struct):
        known = _EXPRESSIONS.get(value.type)
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
    return StructType(name=f"v1.{name}", fields=_fields(expression, paths))


@cache
def _type(declared: GoType) -> Type:
    match declared.kind:
        case "struct":
            return struct(declared.expression, declared.version)
        case "pointer":
            return types.pointer_to(_type(declared.element))
        case "list":
            return types.slice_of(_type(declared.element))
        case "map":  # all have keys of some string type
            named = "[" not in declared.expression
            elem = _type(declared.element)
            return Type(kind="map", name=str(declared), key=types.STRING, elem=elem, named=named)
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


def _text_of(value: Struct) -> str:
    return str(value.whole().get("text", ""))


def _time_text(value: Struct) -> str:
    """Return a point in time as time.Time prints it, the zero time if it is unset."""
    text = _text_of(value)
    moment = (canonical_time(text) if text else None) or _ZERO_TIME
    return f"{moment.removesuffix('Z').replace('T', ' ')} +0000 UTC"


def _leaf(name: str, stringer: Callable[[Struct], str] = _text_of) -> StructType:
    """Return a struct whose JSON is one value, which a template can print."""
    return StructType(name=name, stringer=stringer, decode=lambda data: {"text": data})


def _decode_int_or_string(data: Any) -> Mapping[str, Any]:
    kind = 1 if isinstance(data, str) else 0
    return {"type": kind, "strVal" if kind else "intVal": data, "text": data}


_LEAVES: Final[Mapping[str, Type]] = {
    "quantity": _leaf("resource.Quantity"),
    "time": _leaf("v1.Time", _time_text),
    "raw": _leaf("v1.FieldsV1"),
    "intOrString": StructType(
        name="intstr.IntOrString",
        fields={
            "Type": StructField(json_name="type", type=Type(kind="int64", name="intstr.Type", named=True)),
            "IntVal": StructField(json_name="intVal", type=types.INT32),
            "StrVal": StructField(json_name="strVal", type=types.STRING),
        },
        stringer=_text_of,
        decode=_decode_int_or_string,
    ),
}
