"""Decode the nodes of a YAML document as yaml.v2 decodes into ``interface{}``, and convert that to JSON.

A YAML value is None, bool, int, float, str, a list, or a dict whose keys are strings or `OddKey`.
sigs.k8s.io/yaml makes keys strings and integral floats ints; a value that JSON cannot represent is an error.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

from yaml.events import AliasEvent, MappingStartEvent, ScalarEvent, SequenceStartEvent

from injector.errors import YAMLError
from injector.golang.fmt import sharp_v
from injector.json_types import JSON
from injector.kubeyaml.nodes import MAX_DEPTH, YAMLNode
from injector.kubeyaml.scalars import (
    MERGE,
    MERGE_TAG,
    Scalar,
    ScalarError,
    json_number,
    resolve_tagged,
    yaml_float,
)

_FREE_ALIASES: Final = 100
_FREE_NODES: Final = 1000
_RATIO_LOW: Final = 400_000
_RATIO_HIGH: Final = 4_000_000


@dataclass(frozen=True, slots=True)
class OddKey:
    """A mapping key that is not a string; Go distinguishes 1, 1.0 and true, a Python dict would not."""

    kind: type
    value: bool | int | float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Decoded:
    """The value of an anchored node, which its aliases share, and its size, to refuse alias bombs."""

    value: Any
    nodes: int
    height: int


def decode(root: YAMLNode, *, source: str) -> JSON:
    """Return the JSON of ``root``; the later of two equal keys counts; raises YAMLError."""
    conversion = _Conversion()
    value = _Decoder(source=source).value(root, MAX_DEPTH)
    try:
        result = conversion.value(value)
        if conversion.late_fault:
            raise conversion.late_fault
    except YAMLError as error:
        error.source = source
        raise
    return result


class _Decoder:
    """One instance per document. Counts decoded nodes, those of aliases as often as Go decodes them."""

    def __init__(self, *, source: str) -> None:
        self._source = source
        self._nodes = 1
        self._alias_nodes = 0
        self._alias_depth = 0
        self._height = 0
        self._open: set[int] = set()
        self._decoded: dict[int, _Decoded] = {}

    def value(self, node: YAMLNode, depth: int) -> Any:
        """Decode one node that may nest ``depth`` levels; leaves its height in ``_height``."""
        self._count(1, node)
        if node.kind is AliasEvent:
            return self._alias(node, depth)
        if not node.anchored:
            return self._content(node, depth)
        return self._anchored(node, depth).value

    def _count(self, nodes: int, node: YAMLNode) -> None:
        self._nodes += nodes
        if self._alias_depth:
            self._alias_nodes += nodes
        free = self._alias_nodes <= _FREE_ALIASES or self._nodes <= _FREE_NODES
        if not free and self._alias_nodes / self._nodes > allowed_ratio(self._nodes):
            raise self._fault("document contains excessive aliasing", node)

    def _content(self, node: YAMLNode, depth: int) -> Any:
        if node.kind is ScalarEvent:
            self._height = 0
            return self._scalar(node)
        if node.kind is MappingStartEvent:
            mapping: dict[str | OddKey, Any] = {}
            self._fill(mapping, node, depth)
            return mapping
        height = 0
        sequence = []
        for child in node.children:
            sequence.append(self.value(child, depth - 1))
            height = max(height, self._height)
        self._height = height + 1
        return sequence

    def _scalar(self, node: YAMLNode) -> Any:
        if not node.tag and not node.implicit:
            return node.value
        try:
            return resolve_tagged(node.tag, node.value)
        except ScalarError as error:
            raise self._fault(str(error), node) from error

    def _anchored(self, node: YAMLNode, depth: int) -> _Decoded:
        before = self._nodes - 1
        self._open.add(id(node))
        value = self._content(node, depth)
        self._open.discard(id(node))
        decoded = _Decoded(value=value, nodes=self._nodes - before, height=self._height)
        self._decoded[id(node)] = decoded
        return decoded

    def _alias(self, alias: YAMLNode, depth: int) -> Any:
        """Share the value of the anchored node; decode the node if that has not happened yet."""
        target = alias.children[0]
        if id(target) in self._open:
            raise self._fault(f"anchor '{alias.value}' value contains itself", alias)
        self._alias_depth += 1
        decoded = self._decoded.get(id(target))
        if decoded is None:
            self._count(1, alias)
            decoded = self._anchored(target, depth)
        else:
            self._count(decoded.nodes, alias)
        self._alias_depth -= 1
        if decoded.height > depth:
            raise self._fault("exceeded max depth", alias)
        self._height = decoded.height
        return decoded.value

    def _fill(self, mapping: dict[str | OddKey, Any], node: YAMLNode, depth: int) -> None:
        height = 0
        pairs = iter(node.children)
        for key_node, value_node in zip(pairs, pairs, strict=True):
            if _is_merge(key_node):
                self._merge(mapping, value_node, depth)
                height = max(height, self._height - 1)
                continue
            key = self._key(key_node, depth)
            value = self.value(value_node, depth - 1)
            height = max(height, self._height)
            mapping[key] = value
        self._height = height + 1

    def _key(self, node: YAMLNode, depth: int) -> str | OddKey:
        key = self.value(node, depth)
        if isinstance(key, dict | list):
            raise self._fault(f"invalid map key: {sharp_v(key)}", node)
        return key if isinstance(key, str) else OddKey(type(key), key)

    def _merge(self, mapping: dict[str | OddKey, Any], node: YAMLNode, depth: int) -> None:
        """Lay one or several mappings over the entries before ``<<``; of several the first wins."""
        if node.kind is SequenceStartEvent:
            height = 0
            for child in reversed(node.children):
                self._merge_one(mapping, child, depth)
                height = max(height, self._height)
            self._height = height
        else:
            self._merge_one(mapping, node, depth)

    def _merge_one(self, mapping: dict[str | OddKey, Any], node: YAMLNode, depth: int) -> None:
        named = node.children[0] if node.kind is AliasEvent else node
        if named.kind is not MappingStartEvent:
            raise self._fault("map merge requires map or sequence of maps as the value", node)
        if named is node:
            self._count(1, node)
            self._fill(mapping, node, depth)
        else:
            mapping.update(self.value(node, depth))

    def _fault(self, reason: str, node: YAMLNode) -> YAMLError:
        return YAMLError(f"yaml: {reason}", source=self._source, line=node.line)


def _is_merge(key: YAMLNode) -> bool:
    return key.kind is ScalarEvent and key.value == MERGE and (key.implicit or key.tag == MERGE_TAG)


def allowed_ratio(nodes: int) -> float:
    """Return which share of the nodes may come from aliases: 99 % in small documents, 10 % in huge ones."""
    if nodes <= _RATIO_LOW:
        return 0.99
    if nodes >= _RATIO_HIGH:
        return 0.10
    return 0.99 - 0.89 * ((nodes - _RATIO_LOW) / (_RATIO_HIGH - _RATIO_LOW))


_UNSUPPORTED: Final = "unsupported map key of type: {}, key: {}, value: {}"


def finite(number: float) -> int | float:
    """Return the float as JSON shows it; raises YAMLError, in encoding/json's words, if JSON cannot."""
    if math.isfinite(number):
        return json_number(number)
    name = "NaN" if math.isnan(number) else "+Inf" if number > 0 else "-Inf"
    raise YAMLError(f"json: unsupported value: {name}")


class _Conversion:
    """Converts a document's value to JSON, in place; subtrees that are shared within it stay shared.

    As in Go, keys are checked before numbers that JSON cannot represent.
    """

    def __init__(self) -> None:
        self._done: set[int] = set()
        self.late_fault: YAMLError | None = None

    def value(self, value: Any) -> JSON:
        if isinstance(value, float):
            return self._float(value)
        if isinstance(value, dict | list) and id(value) not in self._done:
            self._done.add(id(value))
            if isinstance(value, dict):
                self._mapping(value)
            else:
                value[:] = map(self.value, value)
        return value

    def _float(self, number: float) -> int | float:
        try:
            return finite(number)
        except YAMLError as error:
            self.late_fault = self.late_fault or error
            return 0

    def _mapping(self, mapping: dict[Any, Any]) -> None:
        if all(isinstance(key, str) for key in mapping):
            for key, value in mapping.items():
                mapping[key] = self.value(value)
            return
        items = list(mapping.items())
        mapping.clear()
        for key, value in items:
            name = key if isinstance(key, str) else key_text(key.value, value)
            mapping[name] = self.value(value)


def key_text(odd: Scalar, value: Any = None) -> str:
    """Return the key that a scalar becomes; sigs.k8s.io/yaml sends floats through float32.

    Raises YAMLError for null and for integers beyond int64; its sentence also shows the ``value``.
    """
    if isinstance(odd, str):
        return odd
    if odd is None:
        raise YAMLError(_UNSUPPORTED.format("%!s(<nil>)", "<nil>", sharp_v(value)))
    if isinstance(odd, bool):
        return "true" if odd else "false"
    if isinstance(odd, float):
        return yaml_float(odd, bits=32)
    if odd >= 2**63:
        raise YAMLError(_UNSUPPORTED.format("uint64", sharp_v(odd), sharp_v(value)))
    return str(odd)
