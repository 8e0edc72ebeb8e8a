"""Numbers and strings whose Go type is not the one that Python's own stand for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final, Self

from injector.gotemplate import types
from injector.gotemplate.types import Method, Type


class SizedInt(int):
    """An integer whose Go type is not ``int``."""

    __slots__ = ()
    type: ClassVar[Type] = types.INT


def _sized(name: str, declared: Type) -> type[SizedInt]:
    return type(name, (SizedInt,), {"__slots__": (), "type": declared})


Int8: Final = _sized("Int8", types.INT8)
Int16: Final = _sized("Int16", types.INT16)
Int32: Final = _sized("Int32", types.INT32)
Int64: Final = _sized("Int64", types.INT64)
UInt: Final = _sized("UInt", types.UINT)
UInt8: Final = _sized("UInt8", types.UINT8)
UInt16: Final = _sized("UInt16", types.UINT16)
UInt32: Final = _sized("UInt32", types.UINT32)
UInt64: Final = _sized("UInt64", types.UINT64)


class NamedInt(int):
    """An integer of a declared type, for instance time.Duration."""

    type: Type

    def __new__(cls, value: int, declared: Type) -> Self:
        """Keep the declared type beside the number."""
        self = super().__new__(cls, value)
        self.type = declared
        return self


class Enum(NamedInt):
    """An integer of an enumeration; prints its name. Make the type with ``enum_type``."""


class NamedString(str):
    """A string of a declared type, for instance v1.Protocol: Go does not pass it as a ``string``."""

    __slots__ = ("type",)
    type: Type

    def __new__(cls, value: str, declared: Type) -> Self:
        """Keep the declared type beside the text."""
        self = super().__new__(cls, value)
        self.type = declared
        return self


SIZED: Final = {
    each.type.name: each for each in (Int8, Int16, Int32, Int64, UInt, UInt8, UInt16, UInt32, UInt64)
}
"""By the name of the Go type."""


def enum_type(name: str, names: Mapping[int, str], *, base: str = "int32") -> Type:
    """Return the type of an enumeration: prints its names, unknown numbers as digits."""

    def text(value: int) -> str:
        return names.get(int(value), str(int(value)))

    methods = {"String": Method(call=text, result=types.STRING)}
    return Type(kind=base, name=name, named=True, methods=methods, stringer=text)
