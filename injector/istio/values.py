"""The injector's values as JSON in, what does not fit the types that Istio reads them into out.

Istio reads the values into its Values message: with every pod in 1.8 to 1.13, at load since. A value of
another type is refused with encoding/json's sentence; an unknown field passes, and so does null. Up to 1.7
the values had no types.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, TypeAlias

from injector.istio.mesh.descriptors import MessageError, MessageField, MessageType, Schema, ValueType
from injector.istio.mesh.reading import mismatch, read_one
from injector.istio.releases import Span
from injector.istio.values_data import ENUMS, MESSAGES
from injector.json_types import JSON

_Path: TypeAlias = tuple[str | int, ...]

_VALUES: Final = ".Values"
_CONTAINERS: Final = {"list": "[]json.RawMessage", "map": "map[string]json.RawMessage"}
_TYPED: Final = Span(since=8)


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueFault:
    """A value that does not fit: where it is, as keys and indexes, and Go's sentence."""

    path: _Path
    reason: str


def value_faults(values: JSON, minor: int) -> list[ValueFault]:
    """Return what does not fit, in the order in which Istio 1.``minor`` would meet it: it names the first."""
    if not _TYPED.covers(minor):
        return []
    declared = values_type(minor)
    return [*_ValuesReader(is_gogo=declared.schema.gogo).message(declared, values, ())]


def dotted(path: Sequence[str | int]) -> str:
    """Return a path as a person writes it: ``global.imagePullSecrets[0]``."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


@cache
def values_type(minor: int) -> MessageType:
    """Return the message that Istio 1.``minor`` reads the values into."""
    return Schema(minor=minor, messages=MESSAGES, enums=ENUMS).message(_VALUES)


class _ValuesReader:
    """Walks a message as jsonpb does, but goes on after a fault; ``is_gogo``: see Schema.gogo."""

    def __init__(self, *, is_gogo: bool) -> None:
        self._is_gogo = is_gogo

    def message(self, declared: MessageType, value: JSON, path: _Path) -> Iterator[ValueFault]:
        if not isinstance(value, dict):
            yield _mismatch(value, _CONTAINERS["map"], path)
            return
        for each in declared.fields:
            name = each.json_name if each.json_name in value else each.name
            given = value.get(name)
            if given is not None:
                yield from self._field(each, given, (*path, name))

    def _field(self, each: MessageField, value: JSON, path: _Path) -> Iterator[ValueFault]:
        if each.label == "one":
            yield from self._one(each.type, value, path)
        elif each.label == "list" and isinstance(value, list):
            yield from self._elements(each.type, enumerate(value), path)
        elif each.label == "map" and isinstance(value, dict):
            yield from self._elements(each.type, value.items(), path)
        else:
            yield _mismatch(value, _CONTAINERS[each.label], path)

    def _elements(
        self, declared: ValueType, elements: Iterable[tuple[str | int, JSON]], path: _Path
    ) -> Iterator[ValueFault]:
        for key, element in elements:
            if element is not None:
                yield from self._one(declared, element, (*path, key))

    def _one(self, declared: ValueType, value: JSON, path: _Path) -> Iterator[ValueFault]:
        if isinstance(declared, MessageType):
            yield from self.message(declared, value, path)
            return
        try:
            read_one(declared, value, self._is_gogo)
        except MessageError as error:
            yield ValueFault(path=path, reason=str(error))


def _mismatch(value: JSON, go_type: str, path: _Path) -> ValueFault:
    return ValueFault(path=path, reason=str(mismatch(value, go_type)))
