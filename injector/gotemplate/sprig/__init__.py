"""sprig 3.3.0, the function library that Istio's templates may use since 1.8.

Every one of its 211 names is here. Functions that need randomness, a clock, the host or a secret refuse to
run (``UNAVAILABLE``). Where sprig's order is random (``keys``, ``values``), ours is sorted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from injector.gotemplate.functions import Function, FunctionError
from injector.gotemplate.sprig import arithmetic, cases, containers, defaults, encoding, semver, strings, urls
from injector.gotemplate.sprig.shared import go
from injector.gotemplate.values import Value

GROUPS: Final = {
    "letter case": cases,
    "lists and maps": containers,
    "numbers and durations": arithmetic,
    "paths and URLs": urls,
    "strings and regular expressions": strings,
    "types and defaults": defaults,
    "versions": semver,
}
"""By subject; ``encoding.functions`` makes those about JSON and encodings."""

_IN_3_2_0: Final = """
add1f addf all any bcrypt chunk dig divf fromJson genCAWithKey genSelfSignedCertWithKey genSignedCertWithKey
maxf minf mulf mustChunk mustFromJson osBase osClean osDir osExt osIsAbs randBytes randInt regexQuoteMeta subf
"""
ADDED: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {"3.2.0": frozenset(_IN_3_2_0.split()), "3.3.0": frozenset({"sha512sum"})}
)
"""The functions that a version added; all others are in 3.1.0 already."""

# Functions that refuse to run, and the reason.

_RANDOM: Final = "a random value would make two injections of one pod differ"
_CLOCK: Final = "the clock, or its time zone, would make two injections of one pod differ"
_HOST: Final = "the injector's own host and network are no input of a template"
_CRYPTOGRAPHY: Final = "keys, certificates and password hashes are not made while a pod waits"

_SIGNATURES: Final = {
    _RANDOM: {
        "randAlpha": "func(int) string",
        "randAlphaNum": "func(int) string",
        "randAscii": "func(int) string",
        "randBytes": "func(int) (string, error)",
        "randInt": "func(int, int) int",
        "randNumeric": "func(int) string",
        "shuffle": "func(string) string",
        "uuidv4": "func() string",
    },
    _CLOCK: {
        "ago": "func(any) string",
        "date": "func(string, any) string",
        "dateInZone": "func(string, any, string) string",
        "dateModify": "func(string, time.Time) time.Time",
        "date_in_zone": "func(string, any, string) string",
        "date_modify": "func(string, time.Time) time.Time",
        "htmlDate": "func(any) string",
        "htmlDateInZone": "func(any, string) string",
        "mustDateModify": "func(string, time.Time) (time.Time, error)",
        "mustToDate": "func(string, string) (time.Time, error)",
        "must_date_modify": "func(string, time.Time) (time.Time, error)",
        "now": "func() time.Time",
        "toDate": "func(string, string) time.Time",
        "unixEpoch": "func(time.Time) string",
    },
    _HOST: {
        "env": "func(string) string",
        "expandenv": "func(string) string",
        "getHostByName": "func(string) string",
    },
    _CRYPTOGRAPHY: {
        "bcrypt": "func(string) string",
        "buildCustomCert": "func(string, string) (sprig.certificate, error)",
        "decryptAES": "func(string, string) (string, error)",
        "derivePassword": "func(uint32, string, string, string, string) string",
        "encryptAES": "func(string, string) (string, error)",
        "genCA": "func(string, int) (sprig.certificate, error)",
        "genCAWithKey": "func(string, int, string) (sprig.certificate, error)",
        "genPrivateKey": "func(string) string",
        "genSelfSignedCert": "func(string, []any, []any, int) (sprig.certificate, error)",
        "genSelfSignedCertWithKey": "func(string, []any, []any, int, string) (sprig.certificate, error)",
        "genSignedCert": "func(string, []any, []any, int, sprig.certificate) (sprig.certificate, error)",
        "genSignedCertWithKey": (
            "func(string, []any, []any, int, sprig.certificate, string) (sprig.certificate, error)"
        ),
        "htpasswd": "func(string, string) string",
    },
}


def _refusing(reason: str) -> Callable[..., Any]:
    def refuse(*_arguments: Any) -> Any:
        raise FunctionError(f"not available in this injector: {reason}")

    return refuse


UNAVAILABLE: Final = {
    name: go(signature, _refusing(reason), pure=False)
    for reason, signatures in _SIGNATURES.items()
    for name, signature in signatures.items()
}
"""A template may name them, as in a branch that is never taken: only a call fails."""


def functions(encode: Callable[..., str], decode: Callable[[str], Value]) -> Mapping[str, Function]:
    """Return all functions; see ``encoding.functions`` for ``encode`` and ``decode``."""
    table = {name: function for module in GROUPS.values() for name, function in module.FUNCTIONS.items()}
    return MappingProxyType(table | UNAVAILABLE | encoding.functions(encode, decode))
