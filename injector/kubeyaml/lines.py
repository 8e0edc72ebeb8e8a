"""YAML text and the path of a value in, the line and the column at which it stands out.

For errors only: the text is read anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from yaml.events import AliasEvent, MappingStartEvent, SequenceStartEvent

from injector.errors import YAMLError
from injector.kubeyaml.nodes import YAMLNode, compose
from injector.kubeyaml.reading import MAX_DEPTH


def line_of(text: str, path: Sequence[str | int]) -> int:
    """Return the line, from 1, of the value under keys and indexes; 0 when the text cannot be read.

    Where the path leads nowhere it is the line of the last step that does.
    """
    return Positions(text).at(path)[0]


class Positions:
    """Where the values of one text stand; it is read once, when first asked."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def _root(self) -> YAMLNode | None:
        try:
            return compose(self._text, source="", max_depth=MAX_DEPTH)
        except YAMLError:
            return None

    def at(self, path: Sequence[str | int]) -> tuple[int, int]:
        """Return line and column, from 1, of the key or the item that ``path`` ends with.

        Zeros and the last step that leads somewhere are as `line_of` has them.
        """
        node = self._root
        if node is None:
            return 0, 0
        position = node.line, node.column
        for step in path:
            found = _step(node, step)
            if found is None:
                break
            stands, node = found
            position = stands.line, stands.column
        return position


def _step(node: YAMLNode, step: str | int) -> tuple[YAMLNode, YAMLNode] | None:
    """Return the key or the item, and the value there; of a key that is given twice the last."""
    while node.kind is AliasEvent:
        node = node.children[0]
    if node.kind is SequenceStartEvent and isinstance(step, int) and step < len(node.children):
        return node.children[step], node.children[step]
    if node.kind is not MappingStartEvent:
        return None
    pairs = list(zip(node.children[::2], node.children[1::2], strict=True))
    return next(((key, value) for key, value in reversed(pairs) if key.value == step), None)
