"""Change a document's text so that it reads as other JSON, rewriting only the difference.

Order, comments, quotes and blank lines stay where nothing has changed. New text has the form of `dump`,
unfolded, after the last key or at the item's position. Only block collections are opened: a flow collection
and an alias are kept or replaced as a whole, and so is a collection with a complex key or a merge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Final, NamedTuple

from yaml.events import MappingStartEvent, ScalarEvent, SequenceStartEvent

from injector.errors import YAMLError
from injector.golang.jsontext import go_json
from injector.json_types import JSON
from injector.kubeyaml.decoding import key_text
from injector.kubeyaml.nodes import YAMLNode, compose
from injector.kubeyaml.reading import load
from injector.kubeyaml.scalars import MERGE, plain
from injector.kubeyaml.writing import dump

_STARTS: Final = (MappingStartEvent, SequenceStartEvent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """A value, ``text[start:end]``, with the entries of a block collection, which can be opened.

    Their keys or dashes start in ``column``. A value without entries is kept or replaced as a whole.
    """

    start: int
    end: int
    column: int = 0
    entries: Sequence[OutlineEntry] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlineEntry:
    """A key with its colon, or a dash, which ends before ``behind``, and the value that follows."""

    key: str = ""
    start: int
    behind: int
    value: Outline


def _outline(node: YAMLNode, text: str) -> Outline:
    if node.kind not in _STARTS:
        return Outline(start=node.start, end=_end(node, text))
    if node.style == "flow":
        return Outline(start=node.start, end=node.end)
    entries: list[Any] = []
    end = node.start
    if node.kind is MappingStartEvent:
        for key, value in zip(node.children[::2], node.children[1::2], strict=True):
            entry, end = _entry(key, value, text)
            entries.append(entry)
    else:
        for child in node.children:
            entry, end = _item(child, end, text)
            entries.append(entry)
    if node.anchored or node.tag or not all(entries):
        return Outline(start=node.start, end=end)
    return Outline(start=node.start, end=end, column=node.column - 1, entries=entries)


def _entry(key: YAMLNode, value: YAMLNode, text: str) -> tuple[OutlineEntry | None, int]:
    """Return the entry of a key, None if the key is not a simple one, and the entry's end."""
    written, inner = _outline(key, text), _outline(value, text)
    colon = text.find(":", written.end) + 1
    is_simple = key.kind is ScalarEvent and not text[written.end : max(colon - 1, 0)].strip(" ")
    name = _key_name(key) if is_simple else None
    if name is None:
        return None, max(inner.end, written.end)
    return OutlineEntry(key=name, start=written.start, behind=colon, value=inner), max(inner.end, colon)


def _item(node: YAMLNode, previous: int, text: str) -> tuple[OutlineEntry, int]:
    """Return the item of a value; its dash is the first after ``previous``."""
    value = _outline(node, text)
    start = previous
    while text[start] != "-":  # between two items there are only spaces and comments
        start = text.index("\n", start) + 1 if text[start] == "#" else start + 1
    return OutlineEntry(start=start, behind=start + 1, value=value), max(value.end, start + 1)


def _key_name(key: YAMLNode) -> str | None:
    if key.anchored or key.tag:
        return None
    if not key.implicit:
        return key.value
    try:
        return None if key.value == MERGE else key_text(plain(key.value))
    except YAMLError:  # not a valid key, in a mapping that a later duplicate replaces
        return None


def _end(node: YAMLNode, text: str) -> int:
    """Return the end of a scalar; blank lines after a block scalar belong to it only if it keeps them."""
    if node.style not in ("|", ">"):
        return node.end
    header = text[node.start : text.find("\n", node.start)]
    whole = text[node.start : node.end]
    kept = whole.removesuffix("\n") if "+" in header else whole.rstrip("\r\n ")
    return node.start + len(kept)


_IDENTITIES: Final = ("name", "containerPort", "mountPath", "key", "ip", "topologyKey")
"""What identifies the elements of Kubernetes' lists: the commonest merge keys."""


def keep_layout(text: str, value: JSON) -> str:
    """Return ``text`` changed so that it reads as ``value``, with as little rewritten as possible.

    Where a difference cannot be written into the text (flow collections, aliases, merges), the nearest
    collection around it is rewritten, at worst the document. Raises YAMLError if ``text`` or ``value`` is not
    valid YAML.
    """
    before = load(text)
    if _same(before, value):
        return text
    edited = _edited(text.replace("\r\n", "\n"), before, value)
    result = dump(value) if edited is None else edited
    return result.replace("\n", "\r\n") if "\r\n" in text else result


def _edited(text: str, before: JSON, after: JSON) -> str | None:
    """Apply the edits; None if that is not possible, or the result would not read as ``after``."""
    try:
        root = compose(text)
    except YAMLError:
        return None
    editor = _TextEditor(text)
    if root is None or not editor.edit(_outline(root, text), before, after):
        return None
    result = editor.result()
    try:
        return result if _same(load(result), after) else None
    except YAMLError:
        return None


class _Edit(NamedTuple):
    """A range of the text and its replacement."""

    start: int
    end: int
    new: str


class _TextEditor:
    """Collects replacements of ranges of the text; no two overlap."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._edits: list[_Edit] = []

    def result(self) -> str:
        text = self._text
        # At one position deletions come after insertions, so that they do not delete those; of two insertions
        # the later belongs to the outer collection, and its text comes last.
        edits = sorted(self._edits, key=lambda edit: (edit.start, edit.end > edit.start))
        for edit in reversed(edits):
            text = text[: edit.start] + edit.new + text[edit.end :]
        return text

    def edit(self, place: Outline, before: JSON, after: JSON) -> bool:
        """Collect the edits from ``before`` to ``after``; False, and no edits, if that is not possible."""
        if _same(before, after):
            return True
        if not place.entries or not after or type(before) is not type(after):
            return False
        mark = len(self._edits)
        if isinstance(before, list):
            self._edit_sequence(place, before, after)
        elif not self._edit_mapping(place, before, after):
            del self._edits[mark:]
            return False
        return True

    def _edit_mapping(self, place: Outline, before: dict[str, JSON], after: dict[str, JSON]) -> bool:
        if [entry.key for entry in place.entries] != list(before) or not before.keys() & after.keys():
            return False
        for entry in place.entries:
            if entry.key not in after:
                if not self._delete(entry):
                    return False
            elif not self.edit(entry.value, before[entry.key], after[entry.key]):
                self._replace(entry, dump({"k": after[entry.key]}, width=-1)[2:], place.column)
        added = {key: value for key, value in after.items() if key not in before}
        if added:
            self._insert(self._line_end(place.end), dump(added, width=-1), place.column)
        return True

    def _edit_sequence(self, place: Outline, before: list[JSON], after: list[JSON]) -> None:
        matcher = SequenceMatcher(
            a=list(map(_identity, before)), b=list(map(_identity, after)), autojunk=False
        )
        for _, first, old_end, new, new_end in matcher.get_opcodes():
            alike = 0
            for item, old_value, new_value in zip(
                place.entries[first:old_end], before[first:old_end], after[new:new_end], strict=False
            ):
                if not _are_alike(old_value, new_value):
                    break
                if not self.edit(item.value, old_value, new_value):
                    self._replace(item, dump([new_value], width=-1)[1:], place.column)
                alike += 1
            for item in place.entries[first + alike : old_end]:
                self._delete(item)
            if new + alike < new_end:
                self._insert_items(place, old_end, after[new + alike : new_end])

    def _insert_items(self, place: Outline, index: int, values: Sequence[JSON]) -> None:
        """Insert items before that of ``index`` and its comments, or after all of them."""
        position = self._line_end(place.end)
        if index < len(place.entries):
            start = place.entries[index].start
            position = self._text.rfind("\n", 0, start) + 1
            least = self._line_end(place.entries[index - 1].value.end) if index else 0
            while position > least and self._line_before(position).lstrip(" ").startswith("#"):
                position -= len(self._line_before(position))
        self._insert(position, dump(list(values), width=-1), place.column)

    def _delete(self, entry: OutlineEntry) -> bool:
        """Delete the lines of an entry, unless something else starts on the first of them."""
        start = self._text.rfind("\n", 0, entry.start) + 1
        if self._text[start : entry.start].strip(" "):
            return False
        self._edits.append(_Edit(start, self._line_end(max(entry.behind, entry.value.end)), ""))
        return True

    def _replace(self, entry: OutlineEntry, new: str, column: int) -> None:
        """Replace what follows a colon or dash; a comment after it, or after a one-line value, stays."""
        start, old = entry.behind, entry.value
        first, _, rest = new.removesuffix("\n").partition("\n")
        end = max(start, old.end)
        line_end = self._line_end(start) - self._text.endswith("\n", 0, self._line_end(start))
        if not first and old.entries and old.start > line_end:
            self._edits.append(_Edit(line_end, end, "\n" + _indented(rest, column)))
            return
        comment = ""
        if rest and end <= line_end:
            comment, end = self._text[end:line_end], line_end
        self._edits.append(
            _Edit(start, end, first + comment + ("\n" + _indented(rest, column) if rest else ""))
        )

    def _insert(self, position: int, new: str, column: int) -> None:
        """Insert lines before ``position``, which is the start of a line or the text's end."""
        is_open = position == len(self._text) and not self._text.endswith("\n")
        is_open = is_open and all(edit.start < position for edit in self._edits)
        self._edits.append(
            _Edit(position, position, "\n" * is_open + _indented(new.removesuffix("\n"), column) + "\n")
        )

    def _line_before(self, position: int) -> str:
        return self._text[self._text.rfind("\n", 0, max(position - 1, 0)) + 1 : position]

    def _line_end(self, position: int) -> int:
        """Return where the line after that of ``position`` starts."""
        return self._text.find("\n", position) + 1 or len(self._text)


def _indented(text: str, column: int) -> str:
    return "\n".join(" " * column + line if line else line for line in text.split("\n"))


def _identity(element: JSON) -> str:
    """Return what identifies an element of a list."""
    return _name(element) or go_json(element)


def _name(element: JSON) -> str:
    if isinstance(element, dict):
        for field in _IDENTITIES:
            if isinstance(element.get(field), str | int):
                return f"{field}: {element[field]}"
    return ""


def _are_alike(before: JSON, after: JSON) -> bool:
    """Return whether one element may be the other after a change: also objects without names at one index."""
    if isinstance(before, dict) and isinstance(after, dict):
        return _name(before) == _name(after) and bool(before.keys() & after.keys())
    return _identity(before) == _identity(after) or not isinstance(before, dict | list)


def _same(left: JSON, right: JSON) -> bool:
    """Return whether two values are written alike: 1 is not true, and the order of keys does not count."""
    return left is right or (left == right and go_json(left) == go_json(right))
