"""Go types as small values: names, kinds and assignability.

The names are those of ``reflect.Type.String``, because error messages show them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from types import MappingProxyType
from typing import Any, ClassVar, Final, Self

INTEGER_KINDS = frozenset({"int", "int8", "int16", "int32", "int64"})
UNSIGNED_KINDS = frozenset({"uint", "uint8", "uint16", "uint32", "uint64", "uintptr"})
FLOAT_KINDS = frozenset({"float32", "float64"})
NILABLE_KINDS = frozenset({"chan", "func", "interface", "map", "pointer", "slice", "value"})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Type:
    """One Go type.

    ``kind`` is reflect's kind in lower case; ``value`` is the kind of reflect.Value itself, which only the
    builtin functions accept. ``elem`` and ``key`` belong to maps, slices and pointers. ``named``
    distinguishes a declared type (``v1.ResourceList``) from a type literal. ``stringer`` is the type's String
    method, used when a value is printed; ``implements`` names the interfaces with methods that it satisfies.
    If String is a method of the pointer, ``nil_text`` is its result for a nil pointer. Then fmt calls it only
    for pointers, because it is given a copy of any other value.
    """

    kind: str
    name: str
    elem: Type | None = None
    key: Type | None = None
    named: bool = False
    methods: Mapping[str, Method] = field(default_factory=dict)
    stringer: Callable[[Any], str] | None = None
    nil_text: str = ""
    implements: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        """Return the name as Go prints it."""
        return self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A method: ``call(receiver, *arguments)``; a pointer method's receiver may be a NilPointer.

    ``of_pointer``: only what has an address has it. ``params`` is None for one that takes anything and fails.
    """

    call: Callable[..., Any]
    result: Type
    params: tuple[Type, ...] | None = ()
    of_pointer: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StructField:
    """A field of a struct.

    ``json_name`` is its key in the JSON data. An ``embedded`` field whose json_name is empty shares the data
    of its owner, and its fields are promoted.
    """

    json_name: str
    type: Type
    embedded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class StructType(Type):
    """A struct: ``fields`` maps Go's field names, in Go's order, to their fields.

    ``decode`` turns the JSON of such a struct into the mapping of json_name to JSON from which the fields are
    read; None where the JSON already is that object. ``lookup`` also contains promoted fields: Go name ->
    path of Go names. ``readers`` is where values.py keeps how to read each field. An ``opaque`` struct also
    has private fields, which Go's fmt prints and which are unknown here. ``addressed`` is set by
    `without_address`: it is the type itself.
    """

    kind: str = "struct"
    named: bool = True
    fields: Mapping[str, StructField] = field(default_factory=dict)
    decode: Callable[[Any], Mapping[str, Any]] | None = None
    lookup: Mapping[str, tuple[str, ...]] = field(init=False, default_factory=dict)
    opaque: bool = False
    addressed: StructType | None = None
    readers: dict[str, tuple[str, Callable[[Any], Any]]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Resolve promotion once: a field of the struct itself hides promoted ones."""
        lookup: dict[str, tuple[str, ...]] = {name: (name,) for name in self.fields}
        for name, declared in self.fields.items():
            if declared.embedded and isinstance(declared.type, StructType):
                for promoted, path in declared.type.lookup.items():
                    lookup.setdefault(promoted, (name, *path))
        object.__setattr__(self, "lookup", MappingProxyType(lookup))

    def field_type(self, name: str) -> Type | None:
        """Return the type of a field or promoted field, None when there is no such field."""
        path = self.lookup.get(name)
        if path is None:
            return None
        current: Type = self
        for step in path:
            assert isinstance(current, StructType)  # noqa: S101 - lookup holds only such paths
            current = current.fields[step].type
        return current


ANY = Type(kind="interface", name="interface {}")
VALUE = Type(kind="value", name="reflect.Value")
STRING = Type(kind="string", name="string")
BOOL = Type(kind="bool", name="bool")
INT = Type(kind="int", name="int")
INT8 = Type(kind="int8", name="int8")
INT16 = Type(kind="int16", name="int16")
INT32 = Type(kind="int32", name="int32")
INT64 = Type(kind="int64", name="int64")
UINT = Type(kind="uint", name="uint")
UINT8 = Type(kind="uint8", name="uint8")
UINT16 = Type(kind="uint16", name="uint16")
UINT32 = Type(kind="uint32", name="uint32")
UINT64 = Type(kind="uint64", name="uint64")
FLOAT32 = Type(kind="float32", name="float32")
FLOAT64 = Type(kind="float64", name="float64")
COMPLEX128 = Type(kind="complex128", name="complex128")
FUNC = Type(kind="func", name="func()")

_POINTERS: dict[int, tuple[Type, Type]] = {}


def pointer_to(elem: Type) -> Type:
    """Return ``*elem``: always the same object, with the methods of elem."""
    known = _POINTERS.get(id(elem))
    if known is None:
        made = Type(
            kind="pointer", name=f"*{elem.name}", elem=elem, methods=elem.methods, implements=elem.implements
        )
        known = _POINTERS[id(elem)] = (elem, made)
    return known[1]


@cache
def without_address(declared: Type) -> Type:
    """Return the type of a value that has no address: an element of a map, or what was in an interface{}.

    Go does not find the methods of its pointer. What a pointer or a slice leads to has an address again.
    """
    if declared.kind in {"pointer", "slice"} or not (declared.methods or isinstance(declared, StructType)):
        return declared
    own = {name: method for name, method in declared.methods.items() if not method.of_pointer}
    if not isinstance(declared, StructType):
        return replace(declared, methods=own)
    fields = {name: replace(each, type=without_address(each.type)) for name, each in declared.fields.items()}
    return replace(
        declared,
        fields=fields,
        methods=own,
        stringer=None if declared.nil_text else declared.stringer,
        addressed=declared.addressed or declared,
    )


def slice_of(elem: Type) -> Type:
    """Return ``[]elem``."""
    return Type(kind="slice", name=f"[]{elem.name}", elem=elem)


def map_of(key: Type, elem: Type) -> Type:
    """Return ``map[key]elem``."""
    return Type(kind="map", name=f"map[{key.name}]{elem.name}", key=key, elem=elem)


MAP_ANY = map_of(STRING, ANY)
MAP_STRING = map_of(STRING, STRING)
SLICE_ANY = slice_of(ANY)
SLICE_STRING = slice_of(STRING)


def is_any(target: Type) -> bool:
    """Return whether a type is ``interface {}``, to which every value fits, and not one with methods."""
    return target.kind == "interface" and not target.named


def can_be_nil(target: Type) -> bool:
    """Return whether nil and a missing value may be passed as this type."""
    return target.kind in NILABLE_KINDS


def identical(left: Type, right: Type) -> bool:
    """Return whether two types are the same; type literals are compared by their content."""
    return left is right or (left.name == right.name and left.kind == right.kind)


def assignable(source: Type, target: Type) -> bool:
    """Return whether ``source`` may be assigned to ``target`` (Go specification, Assignability)."""
    if identical(source, target):
        return True
    if target.kind == "interface":
        return not target.named or target.name in source.implements
    if (
        source.kind != target.kind
        or (source.named and target.named)
        or source.elem is None
        or target.elem is None
    ):
        return False
    if not identical(source.elem, target.elem):
        return False
    return source.key is None or target.key is None or identical(source.key, target.key)


# Numbers and strings whose Go type differs from the one that a plain Python value stands for.


class SizedInt(int):
    """An integer whose Go type is not ``int``."""

    __slots__ = ()
    type: ClassVar[Type] = INT


SIZED: Final[Mapping[str, type[SizedInt]]] = {
    declared.name: type(declared.name, (SizedInt,), {"__slots__": (), "type": declared})
    for declared in (INT8, INT16, INT32, INT64, UINT, UINT8, UINT16, UINT32, UINT64)
}
"""By the name of the Go type."""

Int64: Final = SIZED["int64"]
UInt8: Final = SIZED["uint8"]
UInt64: Final = SIZED["uint64"]


class NamedInt(int):
    """An integer of a declared type, such as time.Duration or an enumeration, made by ``enum_type``."""

    type: Type

    def __new__(cls, value: int, declared: Type) -> Self:
        """Keep the declared type beside the number."""
        self = super().__new__(cls, value)
        self.type = declared
        return self


class NamedString(str):
    """A string of a declared type, such as v1.Protocol: Go does not pass it as a ``string``."""

    __slots__ = ("type",)
    type: Type

    def __new__(cls, value: str, declared: Type) -> Self:
        """Keep the declared type beside the text."""
        self = super().__new__(cls, value)
        self.type = declared
        return self


def enum_type(
    name: str, names: Mapping[int, str], methods: Mapping[str, Method] = MappingProxyType({})
) -> Type:
    """Return the type of an enumeration: prints its names, unknown numbers as digits."""

    def text(value: int) -> str:
        return names.get(int(value), str(int(value)))

    own = {"String": Method(call=text, result=STRING), **methods}
    return Type(kind="int32", name=name, named=True, methods=own, stringer=text)
