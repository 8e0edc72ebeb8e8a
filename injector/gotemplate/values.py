"""Make the values that templates work on, of JSON and Go types.

Go's value -> here: string -> str, bool -> bool, int -> int, sized ints -> Int64 …, float64 -> float,
map[string]interface{} -> dict, map[string]string -> StringMap, []interface{} -> list, other lists ->
TypedList, struct -> Struct (a lazy view), pointer to a struct -> the same with ``pointer``, other pointers
-> Pointer,
typed nil pointer -> NilPointer, nil interface (JSON null) -> None, no value (missing key) -> MISSING.
Python's truth of every one of them is Go's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Self, TypeAlias, final

import msgspec

from injector.gotemplate import types
from injector.gotemplate.types import SIZED, Method, NamedInt, NamedString, StructField, StructType, Type

Value: TypeAlias = Any
"""Any of the values of the module docstring."""


@final
class Missing:
    """The type of MISSING: Go's invalid reflect.Value, what a missing map key evaluates to."""

    __slots__ = ()

    def __bool__(self) -> bool:
        """Return False, as Go does of nothing."""
        return False

    def __repr__(self) -> str:
        """Print as the template would."""
        return "<no value>"


MISSING: Final = Missing()


@final
@dataclass(slots=True, eq=False)
class NilPointer:
    """A nil pointer that knows its type (``*v1.ObjectMeta``); false, printed as ``<nil>``.

    A nil interface with methods is one as well: unlike a nil interface{}, Go hands it on as a value.
    """

    type: Type

    def __bool__(self) -> bool:
        """Return False, as Go does of nothing."""
        return False

    def __eq__(self, other: object) -> bool:
        """Two nil pointers of one type are equal."""
        return isinstance(other, NilPointer) and types.identical(self.type, other.type)

    def __hash__(self) -> int:
        """Agree with equality."""
        return hash(self.type.name)


@final
@dataclass(slots=True, eq=False)
class Pointer:
    """A pointer to something that is not a struct (``*int64``); true even when it points to zero."""

    type: Type
    value: Value


class TypedMap(dict[Any, Any]):
    """A map whose Go type is not map[string]interface{}; ``is_nil`` tells Go's nil map from an empty one."""

    __slots__ = ("is_nil", "type")
    type: Type
    is_nil: bool

    def __init__(self, items: Mapping[Any, Any], map_type: Type, *, is_nil: bool = False) -> None:
        super().__init__(items)
        self.type = map_type
        self.is_nil = is_nil


class StringMap(TypedMap):
    """map[string]string."""

    __slots__ = ()

    def __init__(self, items: Mapping[str, str] = {}, *, is_nil: bool = False) -> None:
        super().__init__(items, types.MAP_STRING, is_nil=is_nil)


class TypedList(list[Any]):
    """A slice whose Go type is not []interface{}; ``is_nil`` tells Go's nil slice from an empty one."""

    __slots__ = ("is_nil", "type")
    type: Type
    is_nil: bool

    def __init__(self, items: Iterable[Any], slice_type: Type, *, is_nil: bool = False) -> None:
        super().__init__(items)
        self.type = slice_type
        self.is_nil = is_nil


_WHOLE: Final = ""
"""Marks among the read fields that the whole struct was read; no field has this name."""


@final
class Struct(msgspec.Struct, eq=False):
    """A struct, or with ``pointer`` a pointer to one, over JSON data that is read field by field.

    Nothing is copied: a field is converted when it is first asked for, and kept. The data may not change
    while the struct is in use. ``Struct.of`` makes one from values instead. ``get`` and ``whole`` are the
    only ways to what is in it, so that it can say whether anybody has read a field.
    """

    type: StructType
    _data: Mapping[str, Any]
    pointer: bool = False
    _values: dict[str, Value] = {}

    @classmethod
    def of(cls, declared: StructType, values: Mapping[str, Value], *, pointer: bool = False) -> Self:
        """Make a struct from the values of its Go fields; a field that is not given has its zero value."""
        return cls(declared, {}, pointer=pointer, _values=dict(values))

    def get(self, name: str) -> Value:
        """Return the value of a field by its Go name, promoted ones too; KeyError when there is none."""
        values = self._values
        if name in values:
            return values[name]
        readers = self.type.readers
        json_name, read_field = readers[name] if name in readers else _field_reader(self.type, name)
        value = read_field(self._data.get(json_name)) if json_name else read_field(self)
        values[name] = value
        return value

    def same(self, *, pointer: bool) -> Struct:
        """Return the same struct, or a pointer to it; both share which fields were read."""
        return Struct(self.type, self._data, pointer=pointer, _values=self._values)

    def boxed(self) -> Struct:
        """Return the struct as an interface{} holds it: a copy, which has no address."""
        declared = types.without_address(self.type)
        assert isinstance(declared, StructType)  # noqa: S101 - it is of the same kind
        return self if self.pointer or declared is self.type else Struct(declared, self.whole())

    def whole(self) -> Mapping[str, Any]:
        """Return the data itself; then every field counts as read."""
        self._values[_WHOLE] = True
        return self._data

    def has_read(self, *names: str) -> bool:
        """Return whether one of these fields was read, or the whole struct."""
        return _WHOLE in self._values or not self._values.keys().isdisjoint(names)

    def items(self) -> Iterable[tuple[str, Value]]:
        """Yield Go's field names and values in Go's order."""
        for name in self.type.fields:
            yield name, self.get(name)

    def __eq__(self, other: object) -> bool:
        """Pointers are equal when they are the same, structs when their data is."""
        if not isinstance(other, Struct) or self.pointer or other.pointer:
            return self is other
        if not types.identical(self.type, other.type):
            return False
        return all(self.get(name) == other.get(name) for name in self.type.fields)

    def __hash__(self) -> int:
        """Agree with equality."""
        return hash(self.type.name)

    def __repr__(self) -> str:
        """Show type and data."""
        return f"Struct({self.type}, {dict(self._data) or self._values!r})"


_PLAIN_TYPES: dict[type, Type] = {
    str: types.STRING,
    bool: types.BOOL,
    int: types.INT,
    float: types.FLOAT64,
    dict: types.MAP_ANY,
    list: types.SLICE_ANY,
    complex: types.COMPLEX128,
}


def type_of(value: Value) -> Type:
    """Return the Go type of a value that is neither None nor MISSING; a callable is a func."""
    plain = _PLAIN_TYPES.get(type(value))
    if plain is not None:
        return plain
    if isinstance(value, Struct):
        return types.pointer_to(value.type) if value.pointer else value.type
    declared = getattr(value, "type", None)
    if isinstance(declared, Type):
        return declared
    for python_type, go_type in _PLAIN_TYPES.items():
        if isinstance(value, python_type):
            return go_type
    return types.FUNC


def is_invalid(value: Value) -> bool:
    """Return whether a value is a nil interface or missing: these have no Go type."""
    is_nothing = value is None or value is MISSING
    return is_nothing or (type(value) is NilPointer and value.type.kind == "interface")


def kind(value: Value) -> str:
    """Return reflect's kind in lower case: ``invalid`` for MISSING, ``interface`` for None."""
    if value is MISSING:
        return "invalid"
    return "interface" if value is None else type_of(value).kind


def type_name(value: Value) -> str:
    """Return what ``%T`` prints: ``<nil>`` for None and MISSING."""
    return "<nil>" if is_invalid(value) else type_of(value).name


def is_nil(value: Value) -> bool:
    """Return whether a value is nil of its type, or missing."""
    if isinstance(value, (TypedMap, TypedList)):
        return value.is_nil
    return is_invalid(value) or isinstance(value, NilPointer)


def deref(value: Value) -> Value:
    """Return what a pointer points to; a nil pointer and everything else is returned as it is."""
    if isinstance(value, Pointer):
        return value.value
    if isinstance(value, Struct) and value.pointer:
        return value.same(pointer=False)
    return value


def indirect(value: Value) -> Value:
    """Follow pointers to scalars to their end; structs are handled alike on both sides of a pointer."""
    while isinstance(value, Pointer):
        value = value.value
    return value


def from_json(value: Any) -> Value:
    """Return JSON as Go decodes it into an interface{}: every number is a float64."""
    if type(value) is int:
        return float(value)
    if isinstance(value, dict):
        return {key: from_json(element) for key, element in value.items()}
    if isinstance(value, list):
        return [from_json(element) for element in value]
    return value


def zero(declared: Type) -> Value:
    """Return the zero value of a type."""
    return read(declared, None)


def read(declared: Type, data: Any) -> Value:
    """Return JSON data as a value of ``declared``; null and an absent field are its zero value."""
    return reader(declared)(data)


Reader: TypeAlias = Callable[[Any], Value]


@cache
def reader(declared: Type) -> Reader:  # noqa: PLR0911 - one case a kind
    """Return the function that reads JSON data as a value of ``declared``; made once for every type."""
    match declared.kind:
        case "string":
            if declared.named:
                return lambda data: NamedString(data or "", declared)
            return lambda data: "" if data is None else data
        case "struct" | "pointer":
            return _composite_reader(declared)
        case "map":
            return _map_reader(declared)
        case "slice":
            return _slice_reader(declared)
        case "bool":
            return bool
        case "float64" | "float32":
            return lambda data: float(data or 0)
        case "interface" if declared.named:
            nil = NilPointer(declared)
            return lambda data: nil if data is None else from_json(data)
        case "interface" | "func" | "value":
            return from_json
    return _integer_reader(declared)


def _field_reader(declared: StructType, name: str) -> tuple[str, Reader]:
    """Return how to read a field: its JSON key and a reader; without a key, the reader takes the struct."""
    path = declared.lookup[name]
    field = declared.fields[path[0]]
    if len(path) > 1:
        found: tuple[str, Reader] = ("", lambda owner: _promoted(owner.get(path[0]), name))
    elif field.embedded and not field.json_name:
        read_inline = reader(field.type)
        found = ("", lambda owner: read_inline(owner.whole()))
    else:
        found = (field.json_name, reader(field.type))
    declared.readers[name] = found
    return found


def _promoted(owner: Value, name: str) -> Value:
    return owner.get(name) if isinstance(owner, Struct) else owner


def _integer_reader(declared: Type) -> Reader:
    """Return a reader of integers; protobuf's JSON has those of 64 bits as strings."""
    if declared.named:
        return lambda data: NamedInt(int(data or 0), declared)
    sized = SIZED.get(declared.kind, int)
    return lambda data: sized(data or 0)


def _composite_reader(declared: Type) -> Reader:
    is_pointer = declared.kind == "pointer"
    target = declared.elem if is_pointer else declared
    assert target is not None  # noqa: S101 - a pointer has an elem
    if isinstance(target, StructType):
        return _struct_reader(declared, target, pointer=is_pointer)
    nil = NilPointer(declared)
    read_target = reader(target)
    return lambda data: nil if data is None else Pointer(declared, read_target(data))


def _struct_reader(declared: Type, target: StructType, *, pointer: bool) -> Reader:
    absent = NilPointer(declared) if pointer else None
    decode = target.decode

    def read_struct(data: Any) -> Value:
        if data is None and absent is not None:
            return absent
        if data is None and decode is None:
            return Struct(target, {})
        return Struct(target, data if decode is None else decode(data), pointer=pointer)

    return read_struct


def _map_reader(declared: Type) -> Reader:
    elem = declared.elem
    assert elem is not None  # noqa: S101 - a map has an elem
    if types.identical(declared, types.MAP_STRING):
        return _read_string_map
    read_elem = reader(types.without_address(elem))
    read_key = str if declared.key is None or not declared.key.named else reader(declared.key)

    def read_map(data: Any) -> Value:
        if data is None:
            return TypedMap({}, declared, is_nil=True)
        return TypedMap({read_key(key): read_elem(value) for key, value in data.items()}, declared)

    if types.identical(declared, types.MAP_ANY):
        return lambda data: read_map(None) if data is None else from_json(data)
    return read_map


def _read_string_map(data: Any) -> StringMap:
    if data is None:
        return StringMap(is_nil=True)
    if None in data.values():
        return StringMap({key: "" if value is None else value for key, value in data.items()})
    return StringMap(data)


def _slice_reader(declared: Type) -> Reader:
    elem = declared.elem
    assert elem is not None  # noqa: S101 - a slice has an elem
    read_elem = reader(elem)
    is_plain = types.identical(declared, types.SLICE_ANY)

    def read_slice(data: Any) -> Value:
        if data is None:
            return TypedList((), declared, is_nil=True)
        values = [read_elem(value) for value in data]
        return values if is_plain else TypedList(values, declared)

    return read_slice


def message_type(
    name: str,
    fields: Mapping[str, StructField],
    *,
    methods: Mapping[str, Method] | None = None,
    stringer: Any = None,
    decode: Any = None,
) -> StructType:
    """Return the type of a protobuf message: a struct with a nil-safe ``GetX`` for every field ``X``."""
    getters = {f"Get{field_name}": _getter(field_name, field.type) for field_name, field in fields.items()}
    return StructType(
        name=name,
        fields=fields,
        methods=getters | dict(methods or {}),
        stringer=stringer,
        nil_text="<nil>",
        opaque=stringer is not None,
        decode=decode,
        implements=frozenset({"proto.Message"}),
    )


def _getter(name: str, declared: Type) -> Method:
    def get(receiver: Struct | NilPointer) -> Value:
        return receiver.get(name) if isinstance(receiver, Struct) else zero(declared)

    return Method(call=get, result=declared)
