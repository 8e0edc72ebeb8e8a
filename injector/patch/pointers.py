"""A JSON pointer to its tokens and back (RFC 6901)."""

from __future__ import annotations

import re

from injector.errors import PatchError

_BAD_ESCAPE = re.compile(r"~(?![01])")
_INDEX = re.compile(r"0|[1-9][0-9]*")


def escape(token: str) -> str:
    """Return ``token`` as it stands between two slashes of a pointer."""
    if "~" in token:
        token = token.replace("~", "~0")
    return token.replace("/", "~1") if "/" in token else token


def tokens(pointer: str) -> list[str]:
    """Return the unescaped parts of ``pointer``, none for the whole document; PatchError for no pointer."""
    if not pointer:
        return []
    if not pointer.startswith("/"):
        raise PatchError("a JSON pointer is empty or starts with /", path=pointer)
    if _BAD_ESCAPE.search(pointer):
        raise PatchError("in a JSON pointer ~ is followed by 0 or 1", path=pointer)
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/")]


def index(token: str, length: int, pointer: str) -> int:
    """Return the place that ``token`` means in a list of ``length`` elements; PatchError if there is none."""
    if not _INDEX.fullmatch(token):
        raise PatchError(f"{token!r} is no index of a list", path=pointer)
    place = int(token)
    if place >= length:
        raise PatchError(f"index {place} is outside of a list of {length}", path=pointer)
    return place
