"""Check the injector's values against the types into which Istio reads them.

Istio reads the values into its Values message: for every pod in 1.8 to 1.13, at load since. A value of
another type is refused with encoding/json's sentence; an unknown field is accepted, and so is null. Up to 1.7
the values had no types.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Final, TypeAlias

from injector.istio.facts import Span
from injector.istio.mesh.descriptors import MessageError, MessageField, MessageType, Schema
from injector.istio.mesh.jsonpb import CONTAINERS, Path, elements_of, mismatch, read_one
from injector.istio.values_data import ENUMS, MESSAGES
from injector.json_types import JSON

_VALUES: Final = ".Values"
_TYPED: Final = Span(since=8)

_Faults: TypeAlias = Iterator[tuple[Path, str]]
"""The path of each value that does not fit, and Go's sentence."""


def value_faults(values: JSON, minor: int) -> list[tuple[Path, str]]:
    """Return the paths of values that do not fit, with Go's sentences; Istio 1.``minor`` names the first."""
    if not _TYPED.covers(minor):
        return []
    return [*_message_faults(values_type(minor), values, ())]


@cache
def values_type(minor: int) -> MessageType:
    """Return the message into which Istio 1.``minor`` reads the values."""
    return Schema(minor=minor, messages=MESSAGES, enums=ENUMS).message(_VALUES)


def _message_faults(declared: MessageType, value: JSON, path: Path) -> _Faults:
    """Walk a message as jsonpb does, but go on after a fault."""
    if not isinstance(value, dict):
        yield path, str(mismatch(value, CONTAINERS["map"][1]))
        return
    for each in declared.fields:
        name = each.json_name if each.json_name in value else each.name
        given = value.get(name)
        if given is not None:
            yield from _field_faults(each, given, (*path, name), is_gogo=declared.schema.gogo)


def _field_faults(each: MessageField, value: JSON, path: Path, *, is_gogo: bool) -> _Faults:
    if each.label != "one" and not isinstance(value, CONTAINERS[each.label][0]):
        yield path, str(mismatch(value, CONTAINERS[each.label][1]))
        return
    for where, element in elements_of(each, value, path):
        if isinstance(each.type, MessageType) and element is not None:
            yield from _message_faults(each.type, element, where)
        elif element is not None:
            try:
                read_one(each.type, element, is_gogo)
            except MessageError as error:
                yield where, str(error)
