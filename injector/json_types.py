"""The JSON types that pass between rooms."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, Self, TypeAlias, TypedDict

JSON: TypeAlias = Any
"""None, bool, int, float, str, list[JSON] or dict[str, JSON], as orjson reads it."""

JSONObject: TypeAlias = dict[str, Any]


class Number(float):
    """A JSON number that keeps its text, where an int of 64 bits or a float would change it."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> Self:
        """Take the text, which may stand for more than a float can hold."""
        self = super().__new__(cls, text)
        self.text = text
        return self

    def __str__(self) -> str:
        """Return the text."""
        return self.text

    __repr__ = __str__

    def __format__(self, _spec: str) -> str:
        """Return the text."""
        return self.text


Pod: TypeAlias = JSONObject
"""A Pod as the API server sends it. Never mutated: a change is a new dict that shares what stays."""

Operation = TypedDict(
    "Operation",
    {
        "op": Literal["add", "remove", "replace", "move", "copy", "test"],
        "path": str,
        "from": NotRequired[str],
        "value": NotRequired[JSON],
    },
)
"""One RFC 6902 operation."""


def at(value: JSON, *path: str) -> JSON:
    """Return the value at ``path``; None where a step of the path is missing or not an object."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def text_at(value: JSON, *path: str) -> str:
    """Return the string at ``path``; "" where there is none."""
    found = at(value, *path)
    return found if isinstance(found, str) else ""
