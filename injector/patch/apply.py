"""A document and JSON patch operations to the document that they make (RFC 6902).

The result shares with the document and with the operations' values all that no operation reached into.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from injector.errors import PatchError
from injector.json_types import JSON
from injector.patch.equality import equal
from injector.patch.pointers import index, tokens


def apply(document: JSON, operations: Iterable[Mapping[str, JSON]]) -> JSON:
    """Return ``document`` after all ``operations``; PatchError where one does not apply, with its path."""
    editor = _Editor(document)
    for operation in operations:
        act = _ACTS.get(operation.get("op", ""))
        if act is None:
            raise PatchError(
                f"unknown operation {operation.get('op')!r}", path=str(operation.get("path", ""))
            )
        act(editor, operation)
    return editor.root[0]


class _Editor:
    """Writes into its own copies: a container is copied the first time that something in it changes."""

    def __init__(self, document: JSON) -> None:
        self.root: list[JSON] = [document]  # a parent for the document itself
        self._own: dict[int, JSON] = {}  # our copies by id; holding them keeps each id unique

    def get(self, pointer: str) -> JSON:
        """Return the value at ``pointer``."""
        value = self.root[0]
        for token in tokens(pointer):
            value = value[_existing(value, token, pointer)]
        return value

    def add(self, pointer: str, value: JSON) -> None:
        """Insert into a list, set in an object, or replace the document."""
        parent, last = self._parent(pointer)
        if parent is self.root:
            self.root[0] = value
        elif isinstance(parent, list):
            place = len(parent) if last == "-" else index(last, len(parent) + 1, pointer)
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
        """Put ``value`` in the place of what is at ``pointer``."""
        parent, last = self._parent(pointer)
        parent[_existing(parent, last, pointer)] = value

    def share(self) -> None:
        """Forget what is ours, since one container is about to stand in two places."""
        self._own.clear()

    def _parent(self, pointer: str) -> tuple[JSON, str]:
        """Return our own copy of the container that holds ``pointer``, and the last token."""
        parent: JSON = self.root
        last = "0"
        for later in tokens(pointer):
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
    raise PatchError(f"{token!r} is looked for in what is no object and no list", path=pointer)


def _existing(container: JSON, token: str, pointer: str) -> int | str:
    """Return the key or index of an element that is there."""
    if isinstance(container, list):
        return index(token, len(container), pointer)
    if not isinstance(container, dict):
        raise PatchError(f"{token!r} is looked for in what is no object and no list", path=pointer)
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


def _add(editor: _Editor, operation: Mapping[str, JSON]) -> None:
    editor.add(_pointer(operation, "path"), _value(operation))


def _remove(editor: _Editor, operation: Mapping[str, JSON]) -> None:
    editor.remove(_pointer(operation, "path"))


def _replace(editor: _Editor, operation: Mapping[str, JSON]) -> None:
    editor.replace(_pointer(operation, "path"), _value(operation))


def _move(editor: _Editor, operation: Mapping[str, JSON]) -> None:
    source, target = _pointer(operation, "from"), _pointer(operation, "path")
    if target == source:
        editor.get(source)
    elif target.startswith(f"{source}/"):
        raise PatchError(f"{source!r} cannot be moved into itself", path=target)
    else:
        editor.add(target, editor.remove(source))


def _copy_value(editor: _Editor, operation: Mapping[str, JSON]) -> None:
    value = editor.get(_pointer(operation, "from"))
    editor.share()
    editor.add(_pointer(operation, "path"), value)


def _test(editor: _Editor, operation: Mapping[str, JSON]) -> None:
    pointer = _pointer(operation, "path")
    if not equal(editor.get(pointer), _value(operation)):
        raise PatchError("the tested value is another", path=pointer)


_ACTS: dict[str, Callable[[_Editor, Mapping[str, JSON]], None]] = {
    "add": _add,
    "remove": _remove,
    "replace": _replace,
    "move": _move,
    "copy": _copy_value,
    "test": _test,
}
