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


class Int8(SizedInt):
    """int8."""

    type = types.INT8


class Int16(SizedInt):
    """int16."""

    type = types.INT16


class Int32(SizedInt):
    """int32."""

    type = types.INT32


class Int64(SizedInt):
    """int64."""

    type = types.INT64


class UInt(SizedInt):
    """uint."""

    type = types.UINT


class UInt8(SizedInt):
    """uint8, also called byte."""

    type = types.UINT8


class UInt16(SizedInt):
    """uint16."""

    type = types.UINT16


class UInt32(SizedInt):
    """uint32."""

    type = types.UINT32


class UInt64(SizedInt):
    """uint64."""

    type = types.UINT64


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


SIZED: Final[dict[str, type[SizedInt]]] = {
    "int8": Int8,
    "int16": Int16,
    "int32": Int32,
    "int64": Int64,
    "uint": UInt,
    "uint8": UInt8,
    "uint16": UInt16,
    "uint32": UInt32,
    "uint64": UInt64,
}
"""By the name of the Go type."""


def enum_type(name: str, names: Mapping[int, str], *, base: str = "int32") -> Type:
    """Return the type of an enumeration: prints its names, unknown numbers as digits."""

    def text(value: int) -> str:
        return names.get(int(value), str(int(value)))

    methods = {"String": Method(call=text, result=types.STRING)}
    return Type(kind=base, name=name, named=True, methods=methods, stringer=text)
