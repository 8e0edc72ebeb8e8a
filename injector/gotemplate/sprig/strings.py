"""sprig's string functions, including those for regular expressions, except for letter case."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from injector.golang.strconv import quote as go_quote
from injector.golang.unicode import SPACES, trim_space
from injector.gotemplate import fmt, types
from injector.gotemplate.functions import Function, FunctionError
from injector.gotemplate.regexp import compile_regexp
from injector.gotemplate.regexp.syntax import SyntaxFaultError
from injector.gotemplate.sprig.shared import (
    check_size,
    cut,
    go,
    octets,
    repeated,
    string_list,
    strings_of,
    strval,
    text_of,
)
from injector.gotemplate.values import StringMap, TypedList, Value

_SPACE_OCTETS: Final = frozenset(octet for octet in range(256) if chr(octet) in SPACES)


def quote(*values: Value) -> str:
    """Return each value that is not nil as a Go literal, joined by spaces."""
    return " ".join(go_quote(strval(value)) for value in values if value is not None)


def squote(*values: Value) -> str:
    """Return each value that is not nil between single quotes, which are not escaped."""
    return " ".join(f"'{fmt.format_value(value)}'" for value in values if value is not None)


def cat(*values: Value) -> str:
    """Return all values that are not nil, joined by spaces."""
    return " ".join(fmt.format_value(value) for value in values if value is not None)


def abbrev(width: int, text: str) -> str:
    """Return ``text`` cut to ``width`` bytes, the last three of them dots."""
    return text if width < 4 else _abbreviate(octets(text), 0, width)


def abbrevboth(left: int, right: int, text: str) -> str:
    """Return ``text`` without its first ``left`` bytes, cut to ``right``; dots replace what is missing."""
    if right < 4 or (left > 0 and right < 7):
        return text
    return _abbreviate(octets(text), left, right)


def _abbreviate(data: bytes, offset: int, width: int) -> str:
    if len(data) <= width:
        return text_of(data)
    offset = min(offset, len(data))
    if len(data) - offset < width - 3:
        offset = len(data) - (width - 3)
    if offset <= 4:
        return text_of(data[: width - 3]) + "..."
    if offset + width - 3 < len(data):
        rest = width - 3
        return "..." + ("" if rest < 4 else _abbreviate(data[offset:], 0, rest))
    return "..." + text_of(data[len(data) - (width - 3) :])


def trunc(count: int, text: str) -> str:
    """Return the first ``count`` bytes, or the last ones when it is negative."""
    if text.isascii():
        return text[:count] if count >= 0 else text[max(len(text) + count, 0) :]
    data = octets(text)
    return text_of(data[:count] if count >= 0 else data[max(len(data) + count, 0) :])


def substr(start: int, end: int, text: str) -> str:
    """Return ``text[start:end]`` by bytes; a negative bound is an open one."""
    if start < 0:
        return cut(text, None, end)
    return cut(text, start, None if end < 0 or end > len(octets(text)) else end)


def nospace(text: str) -> str:
    """Return ``text`` without white space. As in sprig, each byte is a character here."""
    data = octets(text)
    kept = "".join(chr(octet) for octet in data if octet not in _SPACE_OCTETS)
    return text if len(kept) == len(data) else kept


def indent(count: int, text: str) -> str:
    """Return ``text`` with every line indented, including the first."""
    pad = repeated(" ", count)
    check_size(len(text) + len(pad) * (1 + text.count("\n")))
    return pad + text.replace("\n", "\n" + pad)


def replace(old: str, new: str, text: str) -> str:
    """Return ``text`` with every ``old`` replaced."""
    check_size(len(text) + text.count(old) * len(new))
    return text.replace(old, new)


def pieces(separator: str, count: int, text: str) -> list[str]:
    """Return strings.SplitN: at most ``count`` parts, all when it is negative; by characters at ""."""
    if count == 0:
        return []
    if separator:
        return text.split(separator, count - 1 if count > 0 else -1)
    if count < 0 or count >= len(text):
        return list(text)
    return [*text[: count - 1], text[count - 1 :]]


def splitn(separator: str, count: int, text: str) -> StringMap:
    """Return at most ``count`` parts as ``_0``, ``_1`` and so on."""
    return StringMap({f"_{place}": part for place, part in enumerate(pieces(separator, count, text))})


def sort_alpha(value: Value) -> TypedList:
    """Return the elements as sorted texts. Unlike Go, it does not sort a ``[]string`` in place."""
    return string_list(sorted(strings_of(value), key=octets) if isinstance(value, list) else [strval(value)])


def wrap(width: int, separator: str, text: str, *, break_words: bool = True) -> str:
    """Return ``text`` broken by ``separator`` at ``width`` bytes, at a space or, if need be, in a word."""
    data, newline, width = octets(text), octets(separator) or b"\n", max(width, 1)
    lines: list[bytes] = []
    offset = 0
    while len(data) - offset > width:
        if data[offset] == 0x20:
            offset += 1
            continue
        end = data.rfind(b" ", offset, offset + width + 1)
        skipped = 1
        if end < 0:
            end = offset + width if break_words else data.find(b" ", offset + width)
            skipped = 0 if break_words else 1
        if end < 0:
            break
        lines.append(data[offset:end])
        offset = end + skipped
    check_size(len(data) + len(lines) * len(newline))
    return text_of(newline.join([*lines, data[offset:]]))


def fail(message: str) -> str:
    """Fail with ``message``."""
    raise FunctionError(message)


def _trim_all(cutset: str, text: str) -> str:
    return text.strip(cutset) if cutset else text


# Regular expressions.

_META: Final = re.compile(r"[\\.+*?()|\[\]{}^$]")


def match(expression: str, text: str) -> bool:
    """Return whether there is a match anywhere."""
    return compile_regexp(expression).find(text) is not None


def _lenient_match(expression: str, text: str) -> bool:
    """Return whether there is a match; an invalid expression matches nothing."""
    try:
        return match(expression, text)
    except SyntaxFaultError:
        return False


def find(expression: str, text: str) -> str:
    """Return the first match, "" when there is none."""
    found = compile_regexp(expression).find(text)
    return text[found[0] : found[1]] if found else ""


def find_all(expression: str, text: str, count: int) -> TypedList:
    """Return at most ``count`` matches, all when it is negative."""
    found = [text[start:end] for start, end, *_groups in compile_regexp(expression).matches(text, count)]
    return TypedList(found, types.SLICE_STRING, is_nil=not found)


def replace_all(expression: str, text: str, template: str) -> str:
    """Return ``text`` with every match replaced; ``$1`` in the replacement is the first group."""
    compiled = compile_regexp(expression)
    check_size(len(text) * (1 + len(template)))
    return compiled.replace(text, lambda found: compiled.expand(template, text, found))


def replace_all_literal(expression: str, text: str, replacement: str) -> str:
    """Return ``text`` with every match replaced by exactly ``replacement``."""
    check_size(len(text) * (1 + len(replacement)))
    return compile_regexp(expression).replace(text, lambda _found: replacement)


def split_by(expression: str, text: str, count: int) -> TypedList:
    """Return the texts between the matches, in at most ``count`` pieces."""
    parts = compile_regexp(expression).split(text, count)
    return TypedList(parts, types.SLICE_STRING, is_nil=count == 0)


def _panicking(call: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that fails for a bad expression as regexp.MustCompile does."""

    def checked(expression: str, *arguments: Any) -> Any:
        try:
            compile_regexp(expression)
        except FunctionError as error:
            is_raw = not re.search(r"[`\x00-\x08\x0a-\x1f\x7f]", expression)
            shown = f"`{expression}`" if is_raw else go_quote(expression)
            raise FunctionError(f"regexp: Compile({shown}): {error}") from error
        return call(expression, *arguments)

    return checked


def _pair(name: str, call: Callable[..., Any], params: str, result: str) -> dict[str, Function]:
    """Return a function and its ``must`` form, which has another error message."""
    return {
        f"regex{name}": go(f"func({params}) {result}", _panicking(call)),
        f"mustRegex{name}": go(f"func({params}) ({result}, error)", call),
    }


FUNCTIONS: Final = {
    "abbrev": go("func(int, string) string", abbrev),
    "abbrevboth": go("func(int, int, string) string", abbrevboth),
    "cat": go("func(...any) string", cat),
    "contains": go("func(string, string) bool", lambda part, text: part in text),
    "fail": go("func(string) (string, error)", fail),
    "hasPrefix": go("func(string, string) bool", lambda start, text: text.startswith(start)),
    "hasSuffix": go("func(string, string) bool", lambda end, text: text.endswith(end)),
    "hello": go("func() string", lambda: "Hello!"),
    "indent": go("func(int, string) string", indent),
    "join": go("func(string, any) string", lambda separator, value: separator.join(strings_of(value))),
    "nindent": go("func(int, string) string", lambda count, text: "\n" + indent(count, text)),
    "nospace": go("func(string) string", nospace),
    "plural": go("func(string, string, int) string", lambda one, many, count: one if count == 1 else many),
    "quote": go("func(...any) string", quote, quotes='"'),
    "repeat": go("func(int, string) string", lambda count, text: repeated(text, count)),
    "replace": go("func(string, string, string) string", replace),
    "sortAlpha": go("func(any) []string", sort_alpha),
    "split": go(
        "func(string, string) map[string]string", lambda separator, text: splitn(separator, -1, text)
    ),
    "splitList": go("func(string, string) []string", lambda by, text: string_list(pieces(by, -1, text))),
    "splitn": go("func(string, int, string) map[string]string", splitn),
    "squote": go("func(...any) string", squote, quotes="'"),
    "substr": go("func(int, int, string) string", substr),
    "toString": go("func(any) string", strval),
    "toStrings": go("func(any) []string", lambda value: string_list(strings_of(value))),
    "trim": go("func(string) string", trim_space),
    "trimAll": go("func(string, string) string", _trim_all),
    "trimPrefix": go("func(string, string) string", lambda start, text: text.removeprefix(start)),
    "trimSuffix": go("func(string, string) string", lambda end, text: text.removesuffix(end)),
    "trimall": go("func(string, string) string", _trim_all),
    "trunc": go("func(int, string) string", trunc),
    "wrap": go("func(int, string) string", lambda width, text: wrap(width, "", text, break_words=False)),
    "wrapWith": go("func(int, string, string) string", wrap),
    **_pair("Find", find, "string, string", "string"),
    **_pair("FindAll", find_all, "string, string, int", "[]string"),
    **_pair("ReplaceAll", replace_all, "string, string, string", "string"),
    **_pair("ReplaceAllLiteral", replace_all_literal, "string, string, string", "string"),
    **_pair("Split", split_by, "string, string, int", "[]string"),
    "mustRegexMatch": go("func(string, string) (bool, error)", match),
    "regexMatch": go("func(string, string) bool", _lenient_match),
    "regexQuoteMeta": go("func(string) string", lambda text: _META.sub(r"\\\g<0>", text)),
}
