"""Nodes of a YAML document in, YAML values out, as yaml.v2 decodes into ``interface{}``.

A YAML value is None, bool, int, float, str, a list, or a dict whose keys
are strings or `OddKey`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from yaml.events import AliasEvent, MappingStartEvent, ScalarEvent, SequenceStartEvent

from injector.errors import YAMLError
from injector.golang.fmt import sharp_v
from injector.kubeyaml.nodes import YAMLNode
from injector.kubeyaml.scalars import MERGE, MERGE_TAG, ScalarError, resolve_tagged

_FREE_ALIASES: Final = 100
_FREE_NODES: Final = 1000
_RATIO_LOW: Final = 400_000
_RATIO_HIGH: Final = 4_000_000


@dataclass(frozen=True, slots=True)
class OddKey:
    """A mapping key that is no string; Go keeps 1, 1.0 and true apart, a Python dict would not."""

    kind: type
    value: bool | int | float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Decoded:
    """What an anchored node became: its aliases share the value; its size counts against alias bombs."""

    value: Any
    nodes: int
    height: int


def decode(root: YAMLNode, *, source: str, max_depth: int) -> Any:
    """Return the YAML value of ``root``, of a key that is set twice the later one; raises YAMLError."""
    return _Decoder(source=source).value(root, max_depth)


class _Decoder:
    """One a document. Counts the nodes it decodes, those of aliases as often as Go would decode them."""

    __slots__ = (
        "_alias_depth",
        "_alias_nodes",
        "_decoded",
        "_height",
        "_nodes",
        "_open",
        "_source",
    )

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
        if not free and self._alias_nodes / self._nodes > _allowed_ratio(self._nodes):
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
        """Share what the anchored node became; decode it where that did not happen yet."""
        target = self._target(alias)
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

    def _target(self, alias: YAMLNode) -> YAMLNode:
        target = alias.children[0]
        if id(target) in self._open:
            raise self._fault(f"anchor '{alias.value}' value contains itself", alias)
        return target

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
        """Put one or many mappings over the entries that stand before ``<<``; of many the first wins."""
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


def _allowed_ratio(nodes: int) -> float:
    """Return which share of the nodes may come from aliases: 99 % in small documents, 10 % in huge ones."""
    if nodes <= _RATIO_LOW:
        return 0.99
    if nodes >= _RATIO_HIGH:
        return 0.10
    return 0.99 - 0.89 * ((nodes - _RATIO_LOW) / (_RATIO_HIGH - _RATIO_LOW))
