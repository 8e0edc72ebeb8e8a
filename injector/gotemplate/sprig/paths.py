"""sprig's functions for slash-separated paths: Go's package path."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from injector.gotemplate.functions import Function
from injector.gotemplate.sprig.signature import go


def base(path: str) -> str:
    """Return the last element; "." for an empty path, "/" for slashes alone."""
    if not path:
        return "."
    return path.rstrip("/").rpartition("/")[2] or "/"


def clean(path: str) -> str:
    """Return the shortest path that names the same: no ``//``, ``.`` or inner ``..``."""
    cleaned = posixpath.normpath(path)
    return cleaned[1:] if cleaned.startswith("//") else cleaned


def directory(path: str) -> str:
    """Return all but the last element, cleaned."""
    return clean(path[: path.rfind("/") + 1])


def ext(path: str) -> str:
    """Return what follows the last dot of the last element, with the dot."""
    name = path.rpartition("/")[2]
    return name[name.rfind(".") :] if "." in name else ""


def is_abs(path: str) -> bool:
    """Return whether the path starts at the root."""
    return path.startswith("/")


_TEXT: Final = "func(string) string"

FUNCTIONS: Final[Mapping[str, Function]] = MappingProxyType(
    {
        "base": go(_TEXT, base),
        "clean": go(_TEXT, clean),
        "dir": go(_TEXT, directory),
        "ext": go(_TEXT, ext),
        "isAbs": go("func(string) bool", is_abs),
        "osBase": go(_TEXT, base),
        "osClean": go(_TEXT, clean),
        "osDir": go(_TEXT, directory),
        "osExt": go(_TEXT, ext),
        "osIsAbs": go("func(string) bool", is_abs),
    }
)
