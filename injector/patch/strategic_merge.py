"""Merge a strategic merge patch into an object, as apimachinery's strategicpatch does.

This module walks through maps and their fields; merge_lists merges two lists. The result shares every
unchanged part of both, and neither is changed.

Most overlays add containers, volumes and labels to a pod that has none of these names. Then there is nothing
to decide, and the result fits the types because its two parts do: `join` reads neither of them again.
"""

from __future__ import annotations

from functools import cache, partial
from operator import is_
from typing import Final

import orjson

from injector.golang.fmt import type_of
from injector.golang.strconv import quote
from injector.json_types import JSON, JSONObject
from injector.patch.merge_lists import (
    Merged,
    MergeError,
    Merging,
    are_all_different,
    check_order,
    delete_from_list,
    kind_of,
    merge_lists,
    reorder,
    scalar_identity,
    unknown_directive,
)
from injector.patch.schema import POD, Field, GoType, Kind

_DIRECTIVE: Final = "$patch"
_RETAIN: Final = "$retainKeys"
_DELETE: Final = "$deleteFromPrimitiveList"
_ORDER: Final = "$setElementOrder"
_BAD_RETAIN: Final = "invalid patch format of retainKeys"
_BAD_ORDER: Final = "invalid patch format of setElementOrder list"
_BAD_DELETE: Final = "invalid patch format of primitive list"
_DROPPED: Final = object()
_CONTAINERS: Final = (dict, list)
_SCALARS: Final = frozenset({str, int, float, bool})
_SCALAR_KINDS: Final[frozenset[Kind]] = frozenset(
    {"string", "bool", "int32", "int64", "quantity", "intOrString"}
)
_ABSENT: Final = object()
_DROPS_NULLS: Final = 24
_DROPS_DIRECTIVES: Final = 28
"""The minors of k8s.io/apimachinery from which on a merge cleans what it adds (strategicpatch/patch.go)."""
_DIRECTIVES: Final = tuple(f'"{word}'.encode() for word in (_DIRECTIVE, _RETAIN, f"{_ORDER}/", f"{_DELETE}/"))
"""How each directive begins in the JSON text of a patch."""


def strategic_merge(original: JSON, patch: JSON, schema_type: GoType = POD) -> JSONObject:
    """Return ``original`` with ``patch`` merged into it by the merge keys of ``schema_type``, a struct.

    Null deletes a field; ``$patch``, ``$retainKeys``, ``$setElementOrder/…`` and
    ``$deleteFromPrimitiveList/…`` do what Kubernetes documents. What is new is added as the version of the
    types does it: with its nulls up to 1.23, with its ``$patch`` up to 1.27. MergeError in Kubernetes' words.
    """
    for document in (original, patch):
        if not isinstance(document, dict | None):
            raise MergeError("invalid JSON document")
    return _merge_maps(original or {}, patch or {}, schema_type)


def _merge_maps(original: JSONObject, patch: JSONObject, schema: GoType) -> JSONObject:
    if _DIRECTIVE in patch:
        return _directed(patch)
    has_directives = "$" in "".join(patch)
    if original is patch and not has_directives and _SCALARS.issuperset(map(type, patch.values())):
        return original
    merged = dict(original)
    if has_directives:
        patch = _retain_keys(merged, patch)
        patch = _set_element_orders(merged, patch, schema)
        patch = _delete_from_lists(merged, patch, schema)
    for key, value in patch.items():
        _merge_field(merged, key, value, schema)
    return original if _unchanged(original, merged) else merged


def _unchanged(original: JSONObject, merged: JSONObject) -> bool:
    """Return whether each field of both is the same object, so that a diff can skip them."""
    return original.keys() == merged.keys() and all(map(is_, original.values(), merged.values()))


def _directed(patch: JSONObject) -> JSONObject:
    """Return the result for a map whose patch has a directive about the whole map."""
    if patch[_DIRECTIVE] == "replace":
        return {key: value for key, value in patch.items() if key != _DIRECTIVE}
    if patch[_DIRECTIVE] == "delete":
        return {}
    raise unknown_directive(patch)


def _merge_field(merged: JSONObject, key: str, value: JSON, schema: GoType) -> None:
    if value is None:
        merged.pop(key, None)
        return
    kind = kind_of(value)
    if key not in merged or kind is not kind_of(merged[key]):
        settled = _added(value, schema.version)
        if settled is _DROPPED:
            merged.pop(key, None)
        else:
            merged[key] = settled
    elif kind is dict:
        merged[key] = _merge_maps(merged[key], value, _struct_field(schema, key).type)
    elif kind is list:
        field, merging = _list_field(schema, key)
        merged[key] = merge_lists(merged[key], value, merging).elements if field.merges else value
    else:
        merged[key] = value


def _delete_from_lists(merged: JSONObject, patch: JSONObject, schema: GoType) -> JSONObject:
    """Apply each ``$deleteFromPrimitiveList``, and return the rest of the patch."""
    for key in patch:
        if key.startswith(_DELETE):
            _delete_from_field(merged, _list_name(key, _BAD_DELETE) or key, patch[key], schema)
    return {key: value for key, value in patch.items() if not key.startswith(_DELETE)}


def _delete_from_field(merged: JSONObject, key: str, value: JSON, schema: GoType) -> None:
    """Apply ``$deleteFromPrimitiveList/key``, which for anything but a list is an ordinary merge."""
    if value is None:
        merged.pop(key, None)
    elif key in merged and kind_of(value) is kind_of(merged[key]):
        if isinstance(value, list):
            merged[key] = delete_from_list(merged[key], value, _list_field(schema, key)[1])
        else:
            _merge_field(merged, key, value, schema)


def _added(value: JSON, version: int) -> JSON:
    """Return what Kubernetes 1.``version`` adds of a value that has nothing to be merged with."""
    if version < _DROPS_NULLS or _is_settled(value):
        return value
    without_nulls = _without_nulls(value)
    return without_nulls if version < _DROPS_DIRECTIVES else _without_directives(without_nulls)


def _without_nulls(value: JSON) -> JSON:
    """Return a value without the nulls in its maps; those in lists stay."""
    if isinstance(value, dict):
        fields = {key: _without_nulls(item) for key, item in value.items() if item is not None}
        return value if _unchanged(value, fields) else fields
    return _same_or(value, [*map(_without_nulls, value)]) if isinstance(value, list) else value


def _without_directives(value: JSON) -> JSON:
    """Return a value without the maps that have a ``$patch``; _DROPPED if it is one itself."""
    if isinstance(value, dict):
        if _DIRECTIVE in value:
            return _DROPPED
        fields = {
            key: kept for key, item in value.items() if (kept := _without_directives(item)) is not _DROPPED
        }
        return value if _unchanged(value, fields) else fields
    if isinstance(value, list):
        return _same_or(
            value, [kept for item in value if (kept := _without_directives(item)) is not _DROPPED]
        )
    return value


def _same_or(value: list[JSON], elements: list[JSON]) -> list[JSON]:
    """Return ``value`` itself where the elements are its own."""
    return value if len(elements) == len(value) and all(map(is_, elements, value)) else elements


def _is_settled(value: JSON) -> bool:
    """Return whether there is certainly no null and no directive: for most values the text shows that."""
    if value.__class__ not in _CONTAINERS:
        return True
    try:
        text = orjson.dumps(value)
    except orjson.JSONEncodeError:  # nested too deeply, or an integer beyond 64 bits
        return False
    return b"null" not in text and b"$patch" not in text


@cache
def _struct_field(schema: GoType, key: str) -> Field:
    """Return the field ``key`` of the struct ``schema``; MergeError where there is none."""
    struct = schema.target
    kind = struct.reflect_kind
    if kind != "struct":
        raise MergeError(f"merging an object in json but data type is not struct, instead is: {kind}")
    field = struct.field(key) if struct.kind == "struct" else None
    if field is None:
        raise MergeError(f"unable to find api field in struct {struct.name} for the json field {quote(key)}")
    return field


@cache
def _list_field(schema: GoType, key: str) -> tuple[Field, Merging]:
    """Return the field ``key`` and how its lists are merged; MergeError where it is not a list."""
    field = _struct_field(schema, key)
    kind = field.type.kind
    if kind == "pointer":
        element = field.type.target
    elif kind == "list":
        element = field.type.element
    else:
        raise MergeError(f"expected slice or array type, but got: {schema.reflect_kind}")
    merge = partial(_merge_maps, schema=element)
    return field, Merging(merge_key=field.merge_key, element_kind=element.reflect_kind, merge=merge)


def _list_name(key: str, fault: str) -> str:
    """Return the text after the slash in a directive's key."""
    directive, slash, name = key.partition("/")
    if not slash or directive not in (_DELETE, _ORDER):
        raise MergeError(fault)
    return name


def _retain_keys(merged: JSONObject, patch: JSONObject) -> JSONObject:
    """Drop from ``merged`` what ``$retainKeys`` does not list, and return the patch without it."""
    if _RETAIN not in patch:
        return patch
    retained = patch[_RETAIN]
    rest = {key: value for key, value in patch.items() if key != _RETAIN}
    if not isinstance(retained, list):
        raise MergeError(_BAD_RETAIN)
    names = set(map(scalar_identity, retained))
    for key, value in rest.items():
        if value is not None and not key.startswith((_DELETE, _ORDER)) and key not in names:
            raise MergeError(_BAD_RETAIN)
    for key in [key for key in merged if key not in names]:
        del merged[key]
    return rest


def _set_element_orders(merged: JSONObject, patch: JSONObject, schema: GoType) -> JSONObject:
    """Merge and order each list that has a ``$setElementOrder``, and return the rest of the patch."""
    rest = patch
    for directive in [key for key in patch if key.startswith(_ORDER)]:
        set_order = _as_list(patch[directive])
        key = _list_name(directive, _BAD_ORDER)
        rest = {name: value for name, value in rest.items() if name != directive}
        original = _as_list(merged[key]) if key in merged else None
        added = _as_list(rest[key]) if key in rest else None
        field, merging = _list_field(schema, key)
        check_order(added or [], set_order, field.merge_key)
        if original is None and added is None:
            continue
        result = _merge_both(original, added, field, merging)
        merged[key] = reorder(result, added or [], set_order, merging)
        rest = {name: value for name, value in rest.items() if name != key}
    return rest


def _merge_both(
    original: list[JSON] | None, added: list[JSON] | None, field: Field, merging: Merging
) -> Merged:
    """Return the merged list before it is ordered; at least one of the two lists exists."""
    if added is None:
        return Merged(elements=original or [], original=original or [])
    if original is None:
        kept = added if field.type.version < _DROPS_DIRECTIVES else _without_directives(added)
        return Merged(elements=kept, original=[])
    if not field.merges:
        return Merged(elements=added, original=original)
    return merge_lists(original, added, merging)


def _as_list(value: JSON) -> list[JSON]:
    if isinstance(value, list):
        return value
    raise MergeError(f"expected a []interface {{}}, but received a {type_of(value)}")


# ---- the short way, where an object and an overlay do not meet


class _MeetsError(Exception):
    """Both have a value for a key, and the two have to be merged."""


def only_adds(overlay: JSON, schema: GoType) -> bool:
    """Return whether an overlay of a type has no directives, and nulls only as values of fields.

    Merged into nothing it stays unchanged: a null field is the same as a missing one. A text that looks like
    a directive counts as one.
    """
    if not isinstance(overlay, dict):
        return False
    try:
        text = orjson.dumps(overlay)
        if b'"$' in text and any(word in text for word in _DIRECTIVES):
            return False
        return _has_null_fields_only(overlay, schema)
    except orjson.JSONEncodeError:  # an integer beyond 64 bits
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
    """Return ``normalise(strategic_merge(typed, overlay, schema), schema)``, except for the order of keys.

    ``typed`` and ``alone`` are an object and the overlay after `normalise`; the overlay `only_adds`. None
    where lists or maps of both must be merged element by element, or a field of the overlay is not in the
    type.
    """
    try:
        return _joined_struct(typed, overlay, alone, schema.target)
    except _MeetsError:
        return None


def _joined_struct(typed: JSONObject, overlay: JSONObject, alone: JSONObject, schema: GoType) -> JSONObject:
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
            joined[key] = _joined_object(before, value, {} if added is _ABSENT else added, field.type.target)
        elif value.__class__ is before.__class__ is list and field.merges:
            joined[key] = _joined_list(before, value, [] if added is _ABSENT else added, field)
        elif added is _ABSENT:  # its value is zero, and left out
            joined.pop(key, None)
        else:
            joined[key] = added
    return joined


def _joined_object(typed: JSONObject, overlay: JSONObject, alone: JSONObject, schema: GoType) -> JSONObject:
    if schema.kind == "struct":
        return _joined_struct(typed, overlay, alone, schema)
    if schema.kind == "map" and schema.element.kind in _SCALAR_KINDS:
        return typed | alone
    raise _MeetsError


def _joined_list(typed: list[JSON], overlay: list[JSON], alone: list[JSON], field: Field) -> list[JSON]:
    if field.merge_key and are_all_different(typed, overlay, field.merge_key):
        return [*alone, *typed]
    raise _MeetsError
