"""sprig 3.3.0, the function library that Istio's templates may use since 1.8.

Every one of its 211 names is here. What needs chance, a clock, the host or a secret refuses when it is called
(`unavailable`). Where sprig has no order (``keys``, ``values``), ours is sorted.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from injector.gotemplate.functions import Function
from injector.gotemplate.sprig import (
    arithmetic,
    cases,
    containers,
    defaults,
    encoding,
    semver,
    strings,
    unavailable,
    urls,
)
from injector.gotemplate.sprig.encoding import JSONCodec

__all__ = ["ADDED", "GROUPS", "JSONCodec", "functions"]

GROUPS: Final = {
    "letter case": cases,
    "lists and maps": containers,
    "numbers and durations": arithmetic,
    "paths and URLs": urls,
    "strings and regular expressions": strings,
    "types and defaults": defaults,
    "unavailable": unavailable,
    "versions": semver,
}
"""By what their functions are about."""

_IN_3_2_0: Final = """
add1f addf all any bcrypt chunk dig divf fromJson genCAWithKey genSelfSignedCertWithKey genSignedCertWithKey
maxf minf mulf mustChunk mustFromJson osBase osClean osDir osExt osIsAbs randBytes randInt regexQuoteMeta subf
"""
ADDED: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {"3.2.0": frozenset(_IN_3_2_0.split()), "3.3.0": frozenset({"sha512sum"})}
)
"""The functions that a version brought; all others are in 3.1.0 already."""


def functions(codec: JSONCodec) -> Mapping[str, Function]:
    """Return all functions; those about JSON use ``codec``."""
    table = {name: function for module in GROUPS.values() for name, function in module.FUNCTIONS.items()}
    return MappingProxyType(table | encoding.functions(codec))
