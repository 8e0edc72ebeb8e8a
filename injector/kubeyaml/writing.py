"""JSON in, YAML text out, byte for byte sigs.k8s.io/yaml v1.6 Marshal.

Marshal goes from JSON text through yaml.v2's reader to yaml.v2's emitter, so what the reader refuses
(control characters) or folds (U+0085) is refused and folded here. `emitter` lays the text out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from functools import cmp_to_key
from typing import Final

from injector.errors import YAMLError
from injector.golang.jsontext import go_json
from injector.golang.unicode import to_valid
from injector.json_types import JSON
from injector.kubeyaml.emitter import ROOT, SIMPLE_KEY, Emitter, Style, deeper, is_simple
from injector.kubeyaml.scalars import WORDS, json_number, stays_plain, yaml_float

WIDTH: Final = 80
"""Where yaml.v2 folds long scalars; 2.3.0, which Istio 1.7-1.9 used, did not fold at all."""

_REFUSED = re.compile("[\x7f-\x84\x86-\x9f\ufffe\uffff]").search
_LONGEST_KEY: Final = 1024
_SURE_PLAIN = re.compile(r"[A-Za-z/_$(][A-Za-z0-9_./$()=+-]*\Z").match
_BASE60 = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?\Z", re.ASCII).match
_NEXT_LINE = re.compile(" *\x85[ \x85]*")


def dump(value: JSON, *, width: int = WIDTH) -> str:
    """Return sigs.k8s.io/yaml Marshal of ``value``; ends with a newline. ``width`` -1 never folds.

    Keys come in yaml.v2's natural order. Raises YAMLError where Marshal fails: infinities, NaN,
    control characters.
    """
    emitter = Emitter(width=width if width >= 0 else 1 << 31)
    _write(emitter, value, ROOT, in_mapping=False)
    return emitter.finish()


def _write(emitter: Emitter, value: JSON, indent: int, *, in_mapping: bool) -> None:
    if isinstance(value, str):
        _write_string(emitter, value, indent)
    elif isinstance(value, dict):
        _write_mapping(emitter, value, indent)
    elif isinstance(value, list | tuple):
        _write_sequence(emitter, value, indent, in_mapping=in_mapping)
    else:
        emitter.plain(_word(value))


def _write_mapping(emitter: Emitter, mapping: dict[str, JSON], indent: int) -> None:
    if not mapping:
        emitter.empty("{}")
        return
    indent = deeper(indent)
    for key in natural_order(mapping):
        emitter.indent(indent)
        text = _readable_key(key)
        if len(text) <= SIMPLE_KEY and _SURE_PLAIN(text) and text not in WORDS:
            emitter.plain(text)
            emitter.indicator(":")
        else:
            _write_odd_key(emitter, text, indent)
        _write(emitter, mapping[key], indent, in_mapping=True)


def _write_odd_key(emitter: Emitter, key: str, indent: int) -> None:
    style = _style(key)
    if is_simple(key):
        emitter.scalar(key, style, indent, simple_key=True)
        emitter.indicator(":")
        return
    emitter.indicator("?", spaced=True, starts_line=True)
    emitter.scalar(key, style, indent)
    emitter.indent(indent)
    emitter.indicator(":", spaced=True, starts_line=True)


def _write_sequence(emitter: Emitter, sequence: Sequence[JSON], indent: int, *, in_mapping: bool) -> None:
    if not sequence:
        emitter.empty("[]")
        return
    if not in_mapping or emitter.at_line_start:
        indent = deeper(indent)
    for element in sequence:
        emitter.indent(indent)
        emitter.indicator("-", spaced=True, starts_line=True)
        _write(emitter, element, indent, in_mapping=False)


def _write_string(emitter: Emitter, text: str, indent: int) -> None:
    if _SURE_PLAIN(text) and text not in WORDS:
        emitter.plain(text)
    else:
        text = _readable(text)
        emitter.scalar(text, _style(text), indent)


def _style(text: str) -> Style:
    """Return the style that yaml.v2 asks its emitter for: quotes for what would not read back as a string."""
    if "\n" in text:
        return Style.LITERAL
    return Style.PLAIN if stays_plain(text) and not _BASE60(text) else Style.DOUBLE


def _readable(text: str) -> str:
    """Return the string as yaml.v2 reads it from JSON text; raises YAMLError for what it refuses."""
    if text.isascii() and "\x7f" not in text:
        return text
    if _REFUSED(text):
        raise YAMLError("yaml: control characters are not allowed")
    return _NEXT_LINE.sub(_fold, to_valid(text))


def _readable_key(key: str) -> str:
    """Return a key as `_readable` does; yaml.v2 reads keys that are short and on one line only."""
    if "\x85" in key or (len(key) > _LONGEST_KEY // 6 and len(go_json(key)) > _LONGEST_KEY):
        raise YAMLError("yaml: did not find expected ',' or '}'")
    return _readable(key)


def _fold(match: re.Match[str]) -> str:
    """Fold line breaks: one becomes a space, of more the first vanishes."""
    return "\n" * (match[0].count("\x85") - 1) or " "


def _word(value: JSON) -> str:
    """Return the text of null, a boolean or a number, through JSON text and back as Marshal does."""
    if value is None:
        return "null"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, float):
        value = _number(value)
    elif not -(2**63) <= value < 2**64:
        value = float(value)
    return yaml_float(value) if isinstance(value, float) else str(int(value))


def _number(number: float) -> int | float:
    if not math.isfinite(number):
        name = "NaN" if math.isnan(number) else "+Inf" if number > 0 else "-Inf"
        raise YAMLError(f"error marshaling into JSON: json: unsupported value: {name}")
    return json_number(number) if number else 0


# ---- the order of keys: natural, ``a2`` before ``a10``, other characters before letters

_INT64: Final = 1 << 64


def natural_order(keys: Iterable[str]) -> list[str]:
    """Return the keys as yaml.v2 sorts them."""
    ordered = sorted(keys)
    if not all(map(str.isalpha, ordered)):  # letters compare by code point, which is how they are sorted now
        ordered.sort(key=_by_nature)
    return ordered


def _compare(a: str, b: str) -> int:
    if _less(a, b):
        return -1
    return 1 if _less(b, a) else 0


_by_nature = cmp_to_key(_compare)


def _less(a: str, b: str) -> bool:
    for position, (x, y) in enumerate(zip(a, b, strict=False)):
        if x != y:
            return _less_from(a, b, position)
    return len(a) < len(b)


def _less_from(a: str, b: str, position: int) -> bool:
    """Compare where the keys first differ: as numbers if digits start there."""
    x, y = a[position], b[position]
    if x.isalpha() or y.isalpha():
        return x < y if x.isalpha() and y.isalpha() else y.isalpha()
    start = 1 if "0" in (x, y) and _nonzero_digit_before(a, position) else 0
    number_a, end_a = _number_at(a, position, start)
    number_b, end_b = _number_at(b, position, start)
    if number_a != number_b:
        return number_a < number_b
    return end_a < end_b if end_a != end_b else x < y


def _nonzero_digit_before(key: str, position: int) -> bool:
    """Return whether a 0 at ``position`` counts, because the digits before it are not all zeros."""
    for character in reversed(key[:position]):
        if not character.isdecimal():
            return False
        if character != "0":
            return True
    return False


def _number_at(key: str, position: int, start: int) -> tuple[int, int]:
    """Return the number that starts at ``position``, in Go's wrapping int64, and where it ends."""
    number = start
    while position < len(key) and key[position].isdecimal():
        number = number * 10 + ord(key[position]) - ord("0")
        position += 1
    number %= _INT64
    return (number - _INT64 if number >= _INT64 >> 1 else number), position
