"""An object and an overlay, both as Go's types have them, to what merging makes of them.

Most overlays add containers, volumes and labels to a pod that has none of these names. Then there is nothing
to decide, and what is merged fits the types as its two parts do: neither is read again. For anything else
there is `strategic_merge`.
"""

from __future__ import annotations

from typing import Final

import orjson

from injector.json_types import JSON, JSONObject
from injector.patch.merge_lists import are_all_different
from injector.patch.schema import Field, GoType, Kind

_SCALARS: Final[frozenset[Kind]] = frozenset({"string", "bool", "int32", "int64", "quantity", "intOrString"})
_ABSENT: Final = object()
_DIRECTIVES: Final = (b'"$patch', b'"$retainKeys', b'"$setElementOrder/', b'"$deleteFromPrimitiveList/')


class _MeetsError(Exception):
    """Two things meet, and have to be merged."""


def only_adds(overlay: JSON, schema: GoType) -> bool:
    """Return whether an overlay of a type has no directives, and nulls for nothing but fields.

    Merged into nothing it stays as it is then: a null is what a field is that is not there. A text in it
    that looks like a directive counts as one.
    """
    if not isinstance(overlay, dict):
        return False
    try:
        text = orjson.dumps(overlay)
        if b'"$' in text and any(word in text for word in _DIRECTIVES):
            return False
        return _has_null_fields_only(overlay, schema)
    except orjson.JSONEncodeError:  # a number of more than 64 bits
        return False


def _has_null_fields_only(value: JSON, schema: GoType) -> bool:
    if value is None or b"null" not in orjson.dumps(value):
        return value is not None
    schema = schema.target
    if isinstance(value, dict) and schema.kind == "struct":
        fields = ((schema.by_name.get(key), item) for key, item in value.items())
        return all(
            field is not None and (item is None or _has_null_fields_only(item, field.type))
            for field, item in fields
        )
    if isinstance(value, dict | list) and schema.kind in ("map", "list"):
        items = value.values() if isinstance(value, dict) else value
        return all(_has_null_fields_only(item, schema.element) for item in items)
    return isinstance(value, str)


def join(typed: JSONObject, overlay: JSONObject, alone: JSONObject, schema: GoType) -> JSONObject | None:
    """Return ``normalise(strategic_merge(typed, overlay, schema), schema)``, but for the order of keys.

    ``typed`` and ``alone`` are an object and the overlay after `normalise`; the overlay `only_adds`. None
    where lists or maps of both have to be merged element by element, or a field of the overlay is not of the
    type.
    """
    try:
        return _struct(typed, overlay, alone, schema.target)
    except _MeetsError:
        return None


def _struct(typed: JSONObject, overlay: JSONObject, alone: JSONObject, schema: GoType) -> JSONObject:
    joined = dict(typed)
    for key, value in overlay.items():
        field = schema.by_name.get(key)
        if field is None:
            raise _MeetsError
        before, added = typed.get(key), alone.get(key, _ABSENT)
        if value is None:
            if key in typed:
                raise _MeetsError
            continue
        if value.__class__ is before.__class__ is dict:
            joined[key] = _object(before, value, {} if added is _ABSENT else added, field.type.target)
        elif value.__class__ is before.__class__ is list and field.merges:
            joined[key] = _list(before, value, [] if added is _ABSENT else added, field)
        elif added is _ABSENT:  # it is zero, and left out
            joined.pop(key, None)
        else:
            joined[key] = added
    return joined


def _object(typed: JSONObject, overlay: JSONObject, alone: JSONObject, schema: GoType) -> JSONObject:
    if schema.kind == "struct":
        return _struct(typed, overlay, alone, schema)
    if schema.kind == "map" and schema.element.kind in _SCALARS:
        return typed | alone
    raise _MeetsError


def _list(typed: list[JSON], overlay: list[JSON], alone: list[JSON], field: Field) -> list[JSON]:
    if field.merge_key and are_all_different(typed, overlay, field.merge_key):
        return [*alone, *typed]
    raise _MeetsError
