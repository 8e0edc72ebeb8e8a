"""sprig's functions for regular expressions."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from injector.golang.strconv import quote
from injector.gotemplate import types
from injector.gotemplate.functions import Function, FunctionError
from injector.gotemplate.regexp import compile_regexp
from injector.gotemplate.regexp.syntax import SyntaxFaultError
from injector.gotemplate.sprig.shared import check_size, go
from injector.gotemplate.values import TypedList

_META: Final = re.compile(r"[\\.+*?()|\[\]{}^$]")


def match(expression: str, text: str) -> bool:
    """Return whether there is a match anywhere."""
    return compile_regexp(expression).find(text) is not None


def _lenient_match(expression: str, text: str) -> bool:
    """Return whether there is a match; an expression that is none matches nothing."""
    try:
        compiled = compile_regexp(expression)
    except SyntaxFaultError:
        return False
    return compiled.find(text) is not None


def find(expression: str, text: str) -> str:
    """Return the first match, "" when there is none."""
    found = compile_regexp(expression).find(text)
    return text[found[0] : found[1]] if found else ""


def find_all(expression: str, text: str, count: int) -> TypedList:
    """Return at most ``count`` matches, all when it is negative."""
    found = [text[start:end] for start, end in compile_regexp(expression).matches(text, count)]
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


def split(expression: str, text: str, count: int) -> TypedList:
    """Return what stands between the matches, in at most ``count`` pieces."""
    pieces = compile_regexp(expression).split(text, count)
    return TypedList(pieces, types.SLICE_STRING, is_nil=count == 0)


def quote_meta(text: str) -> str:
    """Return an expression that matches exactly ``text``."""
    return _META.sub(r"\\\g<0>", text)


def _panicking(call: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that fails for a bad expression as regexp.MustCompile does."""

    def checked(expression: str, *arguments: Any) -> Any:
        try:
            compile_regexp(expression)
        except FunctionError as error:
            shown = (
                quote(expression)
                if re.search(r"[`\x00-\x08\x0a-\x1f\x7f]", expression)
                else f"`{expression}`"
            )
            raise FunctionError(f"regexp: Compile({shown}): {error}") from error
        return call(expression, *arguments)

    return checked


def _pair(name: str, call: Callable[..., Any], params: str, result: str) -> dict[str, Function]:
    """Return a function and its ``must`` form, which fails in other words."""
    return {
        f"regex{name}": go(f"func({params}) {result}", _panicking(call)),
        f"mustRegex{name}": go(f"func({params}) ({result}, error)", call),
    }


FUNCTIONS: Final = {
    **_pair("Find", find, "string, string", "string"),
    **_pair("FindAll", find_all, "string, string, int", "[]string"),
    **_pair("ReplaceAll", replace_all, "string, string, string", "string"),
    **_pair("ReplaceAllLiteral", replace_all_literal, "string, string, string", "string"),
    **_pair("Split", split, "string, string, int", "[]string"),
    "mustRegexMatch": go("func(string, string) (bool, error)", match),
    "regexMatch": go("func(string, string) bool", _lenient_match),
    "regexQuoteMeta": go("func(string) string", quote_meta),
}
