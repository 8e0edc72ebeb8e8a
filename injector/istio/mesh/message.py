"""A protobuf message as a frozen value.

``data`` holds what is set, by JSON name, in any order: strings, bools, ints and floats as they are, an enum
as its number, a wrapper as its bare value, a Duration as nanoseconds, a message as such a mapping again. A
scalar that is zero is absent unless it belongs to a oneof, which remembers that it was set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from injector.errors import InjectorError
from injector.istio.mesh.descriptors import MessageType

Data: TypeAlias = Mapping[str, Any]


class MessageError(InjectorError):
    """JSON that does not fit a message; ``str()`` is the sentence of Go's jsonpb."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A value of ``type``. Never mutated: a change is a new message that shares what stays."""

    type: MessageType = field(compare=False)
    data: Data = field(default_factory=dict)

    def get(self, name: str, fallback: Any = None) -> Any:
        """Return what is kept under a JSON name, ``fallback`` when it is not set."""
        return self.data.get(name, fallback)

    def submessage(self, name: str) -> Message | None:
        """Return a field that is a message, None when it is not set."""
        data = self.data.get(name)
        declared = self.type.by_json_name[name].type
        if data is None or not isinstance(declared, MessageType):
            return None
        return Message(type=declared, data=data)

    def replace(self, **changes: Any) -> Message:
        """Return the message with other values; None takes a field away."""
        data = {**self.data, **changes}
        return Message(type=self.type, data={key: value for key, value in data.items() if value is not None})
