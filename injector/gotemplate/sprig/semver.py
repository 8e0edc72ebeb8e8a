"""sprig's ``semver`` and ``semverCompare``, as in Masterminds/semver."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from injector.golang.strconv import quote, to_int
from injector.gotemplate import types
from injector.gotemplate.functions import FunctionError
from injector.gotemplate.sprig.shared import NIL_DEREFERENCE, SEMVER, go
from injector.gotemplate.types import Method, StructField, Type, UInt64
from injector.gotemplate.values import NilPointer, Struct
from injector.memo import remembered

# Compiling these patterns takes 8 ms and few templates compare versions: re compiles and caches them on use.
_SUFFIXES: Final = (
    r"(-([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?"
    r"(\+([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?"
)
_VERSION: Final = r"v?([0-9]+)(\.[0-9]+)?(\.[0-9]+)?" + _SUFFIXES
_LARGEST: Final = 2**64 - 1
_LONGEST: Final = 1000
"""Characters of a version or constraint; the patterns below are safe to search only in short texts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version; missing parts are 0 or ""."""

    major: int
    minor: int
    patch: int
    pre: str = ""
    metadata: str = ""
    original: str = ""

    def __str__(self) -> str:
        """Return all parts, without a leading ``v``."""
        pre = f"-{self.pre}" if self.pre else ""
        metadata = f"+{self.metadata}" if self.metadata else ""
        return f"{self.major}.{self.minor}.{self.patch}{pre}{metadata}"

    @property
    def core(self) -> tuple[int, int, int]:
        """The three numbers."""
        return self.major, self.minor, self.patch

    def compare(self, other: Version) -> int:
        """Return -1, 0 or 1; a prerelease comes before its release, metadata does not count."""
        left, right = (
            (version.core, not version.pre, [_order_of(part) for part in version.pre.split(".")])
            for version in (self, other)
        )
        return (left > right) - (left < right)


def _order_of(part: str) -> tuple[bool, int, str]:
    """Return the sort key of a part of a prerelease: numbers, by their size, come before texts."""
    is_number = part.isdigit() and to_int(part) <= _LARGEST
    return (False, to_int(part), "") if is_number else (True, 0, part)


@remembered("versions")
def parse_version(text: str) -> Version:
    """Return the version; FunctionError in the library's words."""
    match = re.fullmatch(_VERSION, text) if len(text) <= _LONGEST else None
    if match is None:
        raise FunctionError("Invalid Semantic Version")
    major, minor, patch = (_segment((match[group] or "0").removeprefix(".")) for group in (1, 2, 3))
    pre, metadata = match[5] or "", match[8] or ""
    if any(len(part) > 1 and part[0] == "0" and part.isdigit() for part in pre.split(".")):
        raise FunctionError("Version segment starts with 0")
    return Version(major=major, minor=minor, patch=patch, pre=pre, metadata=metadata, original=text)


def _segment(digits: str) -> int:
    number = to_int(digits)
    if number > _LARGEST:
        reason = f"strconv.ParseUint: parsing {quote(digits)}: value out of range"
        raise FunctionError(f"Error parsing version segment: {reason}")
    return number


# Constraints.


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """An operator and a version; ``parts`` is how many of its numbers were given (3 for all)."""

    operator: str
    version: Version
    parts: int

    @property
    def dirty(self) -> bool:
        """Return whether a number is missing or a wildcard."""
        return self.parts < 3

    def check(self, version: Version) -> bool:
        """Return whether ``version`` meets the constraint; a prerelease only if the constraint has one."""
        if self.operator == "!=":
            return _differs(version, self)
        if version.pre and not self.version.pre:
            return False
        return _CHECKS[self.operator](version, self)


def _differs(version: Version, asked: Constraint) -> bool:
    if asked.dirty and version.pre and not asked.version.pre:
        return False
    if asked.parts not in (1, 2):
        return version.compare(asked.version) != 0
    if version.major != asked.version.major:
        return True
    if asked.parts == 1:
        return False
    return version.minor != asked.version.minor or version.pre != asked.version.pre


def _greater(version: Version, asked: Constraint) -> bool:
    if asked.parts == 1 and version.major == asked.version.major:
        return False
    if asked.parts == 2 and version.major == asked.version.major:
        return version.minor > asked.version.minor
    if asked.dirty and version.major != asked.version.major:
        return version.major > asked.version.major
    return version.compare(asked.version) > 0


def _at_most(version: Version, asked: Constraint) -> bool:
    if not asked.dirty:
        return version.compare(asked.version) <= 0
    if version.major != asked.version.major:
        return version.major < asked.version.major
    return asked.parts == 1 or version.minor <= asked.version.minor


def _about(version: Version, asked: Constraint) -> bool:
    """``~``: the last given number may be greater."""
    if version.compare(asked.version) < 0:
        return False
    if asked.version.core == (0, 0, 0) and asked.parts not in (1, 2):
        return True
    if version.major != asked.version.major:
        return False
    return asked.parts == 1 or version.minor == asked.version.minor


def _equal(version: Version, asked: Constraint) -> bool:
    return _about(version, asked) if asked.dirty else version.compare(asked.version) == 0


def _compatible(version: Version, asked: Constraint) -> bool:
    """``^``: everything after the first number that is not 0 may be greater."""
    if version.compare(asked.version) < 0:
        return False
    if asked.version.major > 0 or asked.parts == 1 or version.major > 0:
        return version.major == asked.version.major
    if asked.version.minor > 0 or asked.parts == 2:
        return version.minor == asked.version.minor
    return version.minor == 0 and version.patch == asked.version.patch


_CHECKS: Final[Mapping[str, Callable[[Version, Constraint], bool]]] = {
    "": _equal,
    "=": _equal,
    ">": _greater,
    "<": lambda version, asked: version.compare(asked.version) < 0,
    **dict.fromkeys((">=", "=>"), lambda version, asked: version.compare(asked.version) >= 0),
    "<=": _at_most,
    "=<": _at_most,
    "~": _about,
    "~>": _about,
    "^": _compatible,
}
_OPERATOR: Final = r"(?:!=|>=|=>|<=|=<|~>|[=><~^]|)"
_WILD: Final = r"v?([0-9|xX*]+)(\.[0-9|xX*]+)?(\.[0-9|xX*]+)?" + _SUFFIXES
_SPACE: Final = r"[\t\n\f\r ]"
_CONSTRAINT: Final = rf"{_SPACE}*({_OPERATOR}){_SPACE}*({_WILD}){_SPACE}*"
_ONE: Final = rf"{_OPERATOR}{_SPACE}*{_WILD}"
_SPACES: Final = rf"{_SPACE}+"
# One or more constraints, with a comma or a space between them.
_LIST: Final = rf"{_SPACE}*{_ONE}{_SPACE}*(?:(?:{_SPACE}+|,{_SPACE}*){_ONE}{_SPACE}*)*"
_RANGE: Final = rf"{_SPACE}*({_WILD}){_SPACE}+-{_SPACE}+({_WILD}){_SPACE}*"


@remembered("version_constraints")
def parse_constraints(text: str) -> tuple[tuple[Constraint, ...], ...]:
    """Return constraints: any of the outer lists, all in an inner one."""
    if len(text) > _LONGEST:
        raise FunctionError(f"improper constraint: {text}")
    rewritten = re.sub(_RANGE, lambda match: f">= {match[1]}, <= {match[11]} ", text)
    return tuple(_all_of(part) for part in rewritten.split("||"))


def _all_of(text: str) -> tuple[Constraint, ...]:
    if not re.fullmatch(_LIST, re.sub(_SPACES, " ", text)):
        raise FunctionError(f"improper constraint: {text}")
    return tuple(_constraint(found[0]) for found in re.finditer(_ONE, text))


def _constraint(text: str) -> Constraint:
    match = re.fullmatch(_CONSTRAINT, text)
    assert match is not None  # noqa: S101 - the text was found by the same pattern
    numbers = [(match[group] or "").removeprefix(".") for group in (3, 4, 5)]
    parts = next((place for place, number in enumerate(numbers) if number in ("", "x", "X", "*")), 3)
    given = ".".join([*numbers[:parts], "0", "0", "0"][:3])
    try:
        version = parse_version(given + (match[6] or "") + ("" if parts < 3 else match[9] or ""))
    except FunctionError as error:
        raise FunctionError("constraint Parser Error") from error
    return Constraint(operator=match[1], version=version, parts=parts)


def semver_compare(constraint: str, version: str) -> bool:
    """Return whether the version meets the constraint."""
    constraints = parse_constraints(constraint)
    parsed = parse_version(version)
    return any(all(each.check(parsed) for each in group) for group in constraints)


# The version as a value.


def semver(text: str) -> Struct:
    """Return the version, with its methods."""
    version = parse_version(text)
    return Struct(_TYPE, {**asdict(version), "version": version}, pointer=True)


def _of(value: Struct | NilPointer) -> Version:
    if isinstance(value, NilPointer):
        raise FunctionError(NIL_DEREFERENCE)
    version = value.whole()["version"]
    assert isinstance(version, Version)  # noqa: S101 - semver puts nothing else there
    return version


def _read(result: Type, read: Callable[[Version], Any]) -> Method:
    return Method(call=lambda receiver: read(_of(receiver)), result=result)


def _compared(result: Type, read: Callable[[int], Any]) -> Method:
    return Method(
        call=lambda receiver, other: read(_of(receiver).compare(_of(other))),
        result=result,
        params=(types.pointer_to(SEMVER),),
    )


_TYPE: Final = types.StructType(
    name=SEMVER.name,
    implements=frozenset({"json.Marshaler"}),
    fields={
        **{name: StructField(json_name=name, type=types.UINT64) for name in ("major", "minor", "patch")},
        **{name: StructField(json_name=name, type=types.STRING) for name in ("pre", "metadata", "original")},
    },
    stringer=lambda value: str(_of(value)),
    methods={
        "Compare": _compared(types.INT, int),
        "Equal": _compared(types.BOOL, lambda order: order == 0),
        "GreaterThan": _compared(types.BOOL, lambda order: order > 0),
        "GreaterThanEqual": _compared(types.BOOL, lambda order: order >= 0),
        "LessThan": _compared(types.BOOL, lambda order: order < 0),
        "LessThanEqual": _compared(types.BOOL, lambda order: order <= 0),
        "Major": _read(types.UINT64, lambda version: UInt64(version.major)),
        "Metadata": _read(types.STRING, lambda version: version.metadata),
        "Minor": _read(types.UINT64, lambda version: UInt64(version.minor)),
        "Original": _read(types.STRING, lambda version: version.original),
        "Patch": _read(types.UINT64, lambda version: UInt64(version.patch)),
        "Prerelease": _read(types.STRING, lambda version: version.pre),
        "String": _read(types.STRING, str),
    },
)

FUNCTIONS: Final = {
    "semver": go("func(string) (*semver.Version, error)", semver),
    "semverCompare": go("func(string, string) (bool, error)", semver_compare),
}
