"""Describe the protobuf messages of each minor of Istio, and hold such a message as a frozen value.

A description says what a .proto file says: fields in their order, their types and their oneof. The rows that
it is read from are generated, separately for the mesh and the injector's values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any, Final, Literal, TypeAlias

from injector.errors import InjectorError
from injector.istio.mesh.messages_data import ENUMS, MESSAGES

Label = Literal["one", "list", "map"]

PACKAGE: Final = "istio.mesh.v1alpha1"
MESH_CONFIG: Final = f"{PACKAGE}.MeshConfig"
PROXY_CONFIG: Final = f"{PACKAGE}.ProxyConfig"
PROXY_CONFIG_RESOURCE: Final = "istio.networking.v1beta1.ProxyConfig"

FIRST_GOLANG_MINOR: Final = 14  # up to 1.13 Istio encodes with gogo/protobuf, from 1.14 with golang/protobuf

_WRAPPED: Final[Mapping[str, str]] = {
    "google.protobuf.BoolValue": "bool",
    "google.protobuf.Int32Value": "int32",
    "google.protobuf.Int64Value": "int64",
    "google.protobuf.UInt32Value": "uint32",
    "google.protobuf.UInt64Value": "uint64",
    "google.protobuf.DoubleValue": "double",
    "google.protobuf.StringValue": "string",
}
SCALARS: Final = frozenset(
    ("bool", "double", "float", "int32", "int64", "string", "uint32", "uint64", "IntOrString")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalarType:
    """A scalar: ``name`` is protobuf's, or IntOrString, a message of the values that is a scalar in JSON."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WrapperType:
    """A google.protobuf wrapper: a scalar that may be absent."""

    scalar: ScalarType


@dataclass(frozen=True, slots=True, kw_only=True)
class DurationType:
    """google.protobuf.Duration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StructureType:
    """google.protobuf.Struct: any JSON object; with ``is_value`` google.protobuf.Value: any JSON at all."""

    is_value: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EnumType:
    """An enumeration; ``go_name`` is ``v1alpha1.ProxyConfig_InboundInterceptionMode``."""

    name: str
    go_name: str
    numbers: Mapping[str, int]
    names: Mapping[int, str]


@dataclass(frozen=True, kw_only=True, eq=False)
class MessageType:
    """A message of one minor; its fields are resolved on first use: messages may be recursive.

    Only its schema makes it, and only once: it is equal to itself only.
    """

    name: str
    go_name: str
    schema: Schema

    @cached_property
    def fields(self) -> tuple[MessageField, ...]:
        """The fields in the order of declaration, which is the order of printing."""
        return tuple(self.schema.fields_of(self.name))

    @cached_property
    def by_json_name(self) -> Mapping[str, MessageField]:
        """The fields by the name under which their values are kept."""
        return {each.json_name: each for each in self.fields}

    @cached_property
    def input_names(self) -> frozenset[str]:
        """Every name that JSON may use: ``proxyMetadata`` as well as ``proxy_metadata``."""
        return frozenset(name for each in self.fields for name in (each.name, each.json_name))

    @cached_property
    def oneofs(self) -> Mapping[str, tuple[str, ...]]:
        """The JSON names of the members of each oneof."""
        members: dict[str, tuple[str, ...]] = {}
        for each in self.fields:
            if each.oneof:
                members[each.oneof] = (*members.get(each.oneof, ()), each.json_name)
        return members


ValueType = ScalarType | WrapperType | DurationType | StructureType | EnumType | MessageType


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageField:
    """A field: ``name`` as in the .proto file, ``json_name`` and ``go_name`` made of it."""

    name: str
    json_name: str
    go_name: str
    label: Label
    type: ValueType
    oneof: str = ""


@dataclass(frozen=True, kw_only=True)
class Schema:
    """Every message of one minor, from generated tables; a type that starts with a dot is in ``package``."""

    minor: int
    messages: Mapping[str, tuple[str, ...]] = field(repr=False)
    enums: Mapping[str, tuple[str, ...]] = field(repr=False)
    package: str = ""
    _messages: dict[str, MessageType] = field(default_factory=dict, repr=False)

    @property
    def gogo(self) -> bool:
        """Return whether gogo/protobuf encodes: it keeps empty lists and maps and has its own error texts."""
        return self.minor < FIRST_GOLANG_MINOR

    def message(self, name: str) -> MessageType:
        """Return a message by its full name: always the same object. KeyError when the minor has none."""
        known = self._messages.get(name)
        if known is None:
            if name not in self.messages:
                raise KeyError(name)
            known = self._messages[name] = MessageType(name=name, go_name=go_type_name(name), schema=self)
        return known

    def fields_of(self, name: str) -> Iterator[MessageField]:
        """Yield the fields of a message as this minor has them."""
        for row in self._rows(self.messages[name]):
            spelt, declared, *rest = row
            field_name, _, shown = spelt.partition("=")
            label, element = _labelled(declared)
            yield MessageField(
                name=field_name,
                json_name=shown or json_name(field_name),
                go_name=go_name(field_name),
                label=label,
                type=self._type(element),
                oneof=rest[0].removeprefix("of:") if rest else "",
            )

    def _type(self, name: str) -> ValueType:
        if name in SCALARS:
            return ScalarType(name=name)
        if name in _WRAPPED:
            return WrapperType(scalar=ScalarType(name=_WRAPPED[name]))
        if name == "google.protobuf.Duration":
            return DurationType()
        if name in ("google.protobuf.Struct", "google.protobuf.Value"):
            return StructureType(is_value=name.endswith("Value"))
        full = self.package + name if name.startswith(".") else name
        return self._enum(full) if full in self.enums else self.message(full)

    def _enum(self, name: str) -> EnumType:
        numbers = {row[0]: int(row[1]) for row in self._rows(self.enums[name])}
        # an alias prints as the name declared first
        names = {number: text for text, number in reversed(numbers.items())}
        return EnumType(name=name, go_name=go_type_name(name), numbers=numbers, names=names)

    def _rows(self, rows: tuple[str, ...]) -> Iterator[list[str]]:
        """Yield the words of the rows that apply to this minor, without the range."""
        for row in rows:
            words = row.split(" ")
            span = _RANGE.fullmatch(words[-1]) if len(words) > 2 else None
            if span is None:
                yield words
            elif int(span[1]) <= self.minor <= int(span[2] or self.minor):
                yield words[:-1]


@cache
def schema_of(minor: int) -> Schema:
    """Return the messages of the mesh configuration of Istio 1.``minor``."""
    return Schema(minor=minor, messages=MESSAGES, enums=ENUMS, package=PACKAGE)


_RANGE: Final = re.compile(r"(\d+)-(\d*)")


def _labelled(declared: str) -> tuple[Label, str]:
    if declared.startswith("repeated:"):
        return "list", declared.removeprefix("repeated:")
    if declared.startswith("map<"):
        return "map", declared[4:-1]
    return "one", declared


def json_name(name: str) -> str:
    """Return protobuf's JSON name: ``_x`` becomes ``X`` (``mesh_mTLS`` is ``meshMTLS``)."""
    return re.sub(r"_(.?)", lambda match: match[1].upper(), name)


def go_name(name: str) -> str:
    """Return protoc-gen-go's name: no ``_`` before a small letter, ``enable_64bit`` is ``Enable_64Bit``."""
    out: list[str] = []
    for index, character in enumerate(name):
        following = name[index + 1 : index + 2]
        if character == "_" and (index == 0 or following.islower()):
            out.append("X" if index == 0 else "")
        elif character.isdigit():
            out.append(character)
        else:
            first = index == 0 or not name[index - 1].isalpha()
            out.append(character.upper() if first else character)
    return "".join(out)


def go_type_name(name: str) -> str:
    """Return what ``%T`` prints: ``v1alpha1.ProxyConfig_ProxyHeaders``."""
    parts = name.split(".")
    first = next((index for index, part in enumerate(parts) if part[:1].isupper()), len(parts) - 1)
    return f"{parts[first - 1]}.{'_'.join(part[:1].upper() + part[1:] for part in parts[first:])}"


# ---- values

Data: TypeAlias = Mapping[str, Any]
"""The fields of a message that are set, by JSON name, in any order. Strings, bools, ints and floats are
themselves, an enum is its number, a wrapper its bare value, a Duration nanoseconds, a message such a mapping
again. A scalar that is zero is absent unless it belongs to a oneof, which remembers that it was set."""


class MessageError(InjectorError):
    """JSON that does not fit a message; ``str()`` is the sentence of Go's jsonpb."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A value of ``type``. Never mutated: a change is a new message that shares what stays."""

    type: MessageType = field(compare=False)
    data: Data = field(default_factory=dict)

    def get(self, name: str, fallback: Any = None) -> Any:
        """Return the value of a JSON name, ``fallback`` when it is not set."""
        return self.data.get(name, fallback)

    def submessage(self, name: str) -> Message | None:
        """Return a field that is a message, None when it is not set."""
        data = self.data.get(name)
        declared = self.type.by_json_name[name].type
        if data is None or not isinstance(declared, MessageType):
            return None
        return Message(type=declared, data=data)

    def replace(self, **changes: Any) -> Message:
        """Return the message with other values; None removes a field."""
        data = {**self.data, **changes}
        return Message(type=self.type, data={key: value for key, value in data.items() if value is not None})
