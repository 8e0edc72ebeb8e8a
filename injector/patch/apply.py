"""Apply JSON patch operations to a document (RFC 6902).

The result shares with the document and with the operations' values everything that no operation changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from injector.errors import PatchError
from injector.golang.strconv import to_int
from injector.json_types import JSON

_BAD_ESCAPE: Final = re.compile(r"~(?![01])")
_INDEX: Final = re.compile(r"0|[1-9][0-9]*")


def apply(document: JSON, operations: Iterable[Mapping[str, JSON]]) -> JSON:
    """Return ``document`` after all ``operations``; PatchError, with its path, where one does not apply."""
    editor = _Editor(document)
    for operation in operations:
        _act(editor, operation)
    return editor.root[0]


def _act(editor: _Editor, operation: Mapping[str, JSON]) -> None:
    match operation.get("op"):
        case "add":
            editor.add(_pointer(operation, "path"), _value(operation))
        case "remove":
            editor.remove(_pointer(operation, "path"))
        case "replace":
            editor.replace(_pointer(operation, "path"), _value(operation))
        case "move":
            _move(editor, _pointer(operation, "from"), _pointer(operation, "path"))
        case "copy":
            value = editor.get(_pointer(operation, "from"))
            editor.share()
            editor.add(_pointer(operation, "path"), value)
        case "test":
            pointer = _pointer(operation, "path")
            if not equal(editor.get(pointer), _value(operation)):
                raise PatchError("the tested value is another", path=pointer)
        case other:
            raise PatchError(f"unknown operation {other!r}", path=str(operation.get("path", "")))


def _move(editor: _Editor, source: str, target: str) -> None:
    if target == source:
        editor.get(source)
    elif target.startswith(f"{source}/"):
        raise PatchError(f"{source!r} cannot be moved into itself", path=target)
    else:
        editor.add(target, editor.remove(source))


class _Editor:
    """Writes only into its own copies: a container is copied the first time that something in it changes."""

    def __init__(self, document: JSON) -> None:
        self.root: list[JSON] = [document]  # a parent for the document itself
        self._own: dict[int, JSON] = {}  # our copies by id; holding them keeps each id unique

    def get(self, pointer: str) -> JSON:
        """Return the value at ``pointer``."""
        value = self.root[0]
        for token in _tokens(pointer):
            value = value[_existing(value, token, pointer)]
        return value

    def add(self, pointer: str, value: JSON) -> None:
        """Insert into a list, set in an object, or replace the document."""
        parent, last = self._parent(pointer)
        if parent is self.root:
            self.root[0] = value
        elif isinstance(parent, list):
            place = len(parent) if last == "-" else _index(last, len(parent) + 1, pointer)
            parent.insert(place, value)
        else:
            parent[last] = value

    def remove(self, pointer: str) -> JSON:
        """Take out what is at ``pointer`` and return it."""
        parent, last = self._parent(pointer)
        if parent is self.root:
            raise PatchError("the whole document cannot be removed", path=pointer)
        return parent.pop(_existing(parent, last, pointer))

    def replace(self, pointer: str, value: JSON) -> None:
        """Replace the value at ``pointer``."""
        parent, last = self._parent(pointer)
        parent[_existing(parent, last, pointer)] = value

    def share(self) -> None:
        """Treat no container as an own copy any more, since one is about to be in two places."""
        self._own.clear()

    def _parent(self, pointer: str) -> tuple[JSON, str]:
        """Return our own copy of the container that holds ``pointer``, and the last token."""
        parent: JSON = self.root
        last = "0"
        for later in _tokens(pointer):
            place = _existing(parent, last, pointer)
            child = parent[place]
            if id(child) not in self._own:
                child = _copy(child, later, pointer)
                self._own[id(child)] = child
                parent[place] = child
            parent, last = child, later
        return parent, last


def _copy(container: JSON, token: str, pointer: str) -> JSON:
    if isinstance(container, dict | list):
        return container.copy()
    raise PatchError(f"{token!r} is looked up in a value that is neither an object nor a list", path=pointer)


def _existing(container: JSON, token: str, pointer: str) -> int | str:
    """Return the key or index of an existing element."""
    if isinstance(container, list):
        return _index(token, len(container), pointer)
    if not isinstance(container, dict):
        raise PatchError(
            f"{token!r} is looked up in a value that is neither an object nor a list", path=pointer
        )
    if token not in container:
        raise PatchError(f"there is no {token!r}", path=pointer)
    return token


def _pointer(operation: Mapping[str, JSON], member: str) -> str:
    pointer = operation.get(member)
    if not isinstance(pointer, str):
        raise PatchError(f"the operation {operation['op']!r} needs a {member!r} that is a string")
    return pointer


def _value(operation: Mapping[str, JSON]) -> JSON:
    if "value" not in operation:
        raise PatchError(
            f"the operation {operation['op']!r} needs a 'value'", path=_pointer(operation, "path")
        )
    return operation["value"]


# ---- pointers (RFC 6901)


def _tokens(pointer: str) -> list[str]:
    """Return the unescaped tokens of ``pointer``, none for the whole document; PatchError if not valid."""
    if not pointer:
        return []
    if not pointer.startswith("/"):
        raise PatchError("a JSON pointer is empty or starts with /", path=pointer)
    if _BAD_ESCAPE.search(pointer):
        raise PatchError("in a JSON pointer ~ is followed by 0 or 1", path=pointer)
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/")]


def _index(token: str, length: int, pointer: str) -> int:
    """Return the index that ``token`` means in a list of ``length`` elements; PatchError if there is none."""
    if not _INDEX.fullmatch(token):
        raise PatchError(f"{token!r} is not an index of a list", path=pointer)
    place = to_int(token)
    if place >= length:
        raise PatchError(f"index {place} is outside of a list of {length}", path=pointer)
    return place


def equal(left: JSON, right: JSON) -> bool:
    """Return whether the operation ``test`` holds (RFC 6902, 4.6): like `same`, but numbers by value."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return bool(left == right)
