"""Read the fills of a skeleton with a Go type, without reading each of them in full.

What is constant is read once. A pod's value in a slot stays as it is if the type reads it as written, and is
left out if it is empty and its field omits empty values. So only the slots have to be checked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from injector.errors import TypedError
from injector.json_types import JSON
from injector.kubeyaml import Skeleton
from injector.kubeyaml.filler import Builder, builder
from injector.kubeyaml.survey import Listing, Mapping, Slot, Static, Tree
from injector.patch import GoType, leaves_out_empty, normalise, only_adds

MOST_FORMS: Final = 3
"""Sets of empty slots for which a builder is kept, for each skeleton. The pods of a cluster make one or
two."""

_DIRECTIVE: Final = "$"
_INT32: Final = 2**31
_INTEGERS: Final = frozenset({"int32", "int64", "intOrString"})
_NULL: Final = Static(None)


class UndecidedError(Exception):
    """The result depends on more than which slots are empty."""


class TypedFills:
    """Reads the fills of one skeleton, all of which only add to what they are merged into."""

    __slots__ = ("_all_slots", "_builders", "_schema", "_slots", "_tree")

    def __init__(self, skeleton: Skeleton, schema: GoType) -> None:
        """Read what is constant; raises UndecidedError where each fill must be read as a whole."""
        tree = skeleton.tree
        if tree is None:
            raise UndecidedError
        self._tree = tree
        self._all_slots = skeleton.slots  # not the skeleton, which holds this object: nothing would free both
        self._schema = schema
        sample = skeleton.built([f"x{place}" for place in range(len(skeleton.slots))])
        if not only_adds(sample, schema):
            raise UndecidedError
        self._builders: dict[tuple[int, ...], Builder] = {}
        self._slots = _Slots(skeleton.slots)
        self._build(())

    def read(self, scalars: Sequence[JSON]) -> Any:
        """Return ``normalise`` of the fill with these scalars; None where it must be read as a whole."""
        if not self._slots.keep(scalars):
            return None
        empty = tuple([place for place in self._slots.optional if not scalars[place]])
        build = self._builders.get(empty) or self._build(empty)
        return build(scalars) if build is not None else None

    def _build(self, empty: tuple[int, ...]) -> Builder | None:
        if len(self._builders) >= MOST_FORMS:
            return None
        tree = _Reading(self._slots, frozenset(empty)).value(self._tree, self._schema)
        build = self._builders[empty] = builder(tree, self._all_slots)
        return build


class _Slots:
    """Which slots must hold a text, a key, or something else; those in ``optional`` may be left out."""

    def __init__(self, slots: Sequence[Slot]) -> None:
        self.places = {id(slot): place for place, slot in enumerate(slots)}
        self.texts: set[int] = set()
        self.keys: set[int] = set()
        self.others: dict[int, GoType] = {}
        self.optional: set[int] = set()

    def keep(self, scalars: Sequence[JSON]) -> bool:
        """Return whether the type reads each scalar as it is written, and none is a merge directive."""
        for place in self.texts:
            if scalars[place].__class__ is not str:
                return False
        for place in self.keys:
            if scalars[place].startswith(_DIRECTIVE):
                return False
        others = self.others
        return not [place for place in others if not _is_read_as_it_is(scalars[place], others[place])]


def _is_read_as_it_is(value: JSON, schema: GoType) -> bool:
    if value.__class__ is int and schema.kind in _INTEGERS and -_INT32 <= value < _INT32:
        return True
    try:
        return value is not None and normalise(value, schema) is value
    except TypedError:
        return False


class _Reading:
    """Reads a tree in which some slots are ``empty``, and notes what the others must hold."""

    def __init__(self, slots: _Slots, empty: frozenset[int]) -> None:
        self._slots = slots
        self._empty = empty

    def value(self, tree: Tree, schema: GoType) -> Tree:
        """Return the tree as the type reads it."""
        target = schema.target
        match tree:
            case Static():
                return Static(_read(tree.value, schema))
            case Slot():
                return self._noted(tree, target)
            case Mapping() if target.kind == "struct":
                return Mapping([*self._fields(tree, target)])
            case Mapping() if target.kind == "map":
                element = target.element
                return Mapping([(self._key(key), self.value(item, element)) for key, item in tree.pairs])
            case Listing() if target.kind == "list":
                return Listing([self.value(item, target.element) for item in tree.items])
        raise UndecidedError

    def _noted(self, slot: Slot, schema: GoType) -> Slot:
        place = self._slots.places[id(slot)]
        if schema.kind == "string":
            self._slots.texts.add(place)
        else:
            self._slots.others[place] = schema
        return slot

    def _key(self, key: Static | Slot) -> Static | Slot:
        if isinstance(key, Slot):
            self._slots.keys.add(self._slots.places[id(key)])
        return key

    def _fields(self, tree: Mapping, schema: GoType) -> Iterator[tuple[Static, Tree]]:
        """Yield the fields that a struct reads from a mapping, and its zero values."""
        seen: set[str] = set()
        kept: set[str] = set()
        for key, item in tree.pairs:
            field = schema.by_name.get(str(key.value)) if isinstance(key, Static) else None
            if field is None or field.name in seen:
                raise UndecidedError  # a key in another case, an unknown field, or a field given twice
            seen.add(field.name)
            if item == _NULL:
                continue
            typed = self.value(item, field.type)
            if leaves_out_empty(field) and self._is_empty(typed):
                continue
            kept.add(field.name)
            yield Static(field.name), typed
        for field in schema.fields:
            if not field.is_left_out and field.name not in kept:
                yield Static(field.name), Static(_read(None, field.type))

    def _is_empty(self, tree: Tree) -> bool:
        """Return whether an optional tree is empty; note that its slot may be empty too."""
        match tree:
            case Static():
                return not tree.value
            case Slot():
                place = self._slots.places[id(tree)]
                self._slots.optional.add(place)
                return place in self._empty
            case Mapping():
                return not tree.pairs
            case Listing():
                return not tree.items


def _read(value: JSON, schema: GoType) -> JSON:
    try:
        return normalise(value, schema, any_order=True)
    except TypedError:
        raise UndecidedError from None
