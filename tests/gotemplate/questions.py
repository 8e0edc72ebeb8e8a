"""Random calls of template functions, for real Go and for us."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from injector.errors import TemplateError
from injector.golang.strconv import quote
from injector.gotemplate import Function, compile_template, from_json
from tests.oracle import AskJSON, thorough

fully = thorough(full=60, quick=4)

STRINGS = (
    *("", "a", "abc def", "a-b_c D9", "HTTPServerURL2x", "é€日本 ünï", "  pad  ", "1.2.3", "v1.2", "true"),
    *("2.0.0-beta.1+m", "1", "007", "0x1f", "1e3", "-5", "5.0", "3.7", "_a__b--c ", "foo.bar/baz.tar.gz"),
    *(
        "/a/../b//c/",
        "http://u:p@h:80/p?q=1#f",
        "aaa,bbb,,c",
        "ABC abc",
        "1h2m",
        "90s",
        "ǅabc ß ſK",
        "\n\tx\n",
    ),
    *("a b c d e f g h i j k l m n o p", '{"a":[1,2,{"b":null}]}', "[]", "YWJj", "MFRGG===", "%41 b", "::"),
    *(
        "1_000",
        "~1.2",
        ">=1.2, <3 || 4.x",
        "*",
        "^0.2.3",
        "\x01\x7f\u2028",
        "😀`",
        "\"q'",
        "\ufeff",
        "9" * 25,
    ),
)
FLOATS = (0.0, 1.0, -1.0, 1.5, 1e6, 123456.0, 1e-5, 1e21, 1e20, 5e-324, 0.1, 2.5, -0.0, -2.5, 999999.5, 1e-7)
INTEGERS = (0, 1, 2, 3, -1, -2, 5, 7, 10, 97, 100, 39, 233, 0x1F600, 1000000, -42)

leaves = st.sampled_from([*STRINGS, *FLOATS, True, False, None])
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=6,
)
maps = st.dictionaries(st.sampled_from("abcd"), values, max_size=4)


@st.composite
def operands(draw: st.DrawFn, data: dict[str, Any]) -> str:
    """Return the text of an operand of any type; what no literal can say goes into ``data``."""
    choice = draw(st.integers(0, 9))
    if choice < 3:
        return quote(draw(st.sampled_from(STRINGS)))
    if choice < 5:
        return str(draw(st.sampled_from(INTEGERS)))
    if choice == 5:
        return draw(
            st.sampled_from(["true", "false", "nil", "(until 3)", '(splitList "," "b,a,c,a")', "(int64 7)"])
        )
    return stored(data, draw(values))


def stored(data: dict[str, Any], value: Any) -> str:
    name = f"k{len(data)}"
    data[name] = value
    return f'(index . "{name}")'


def visible(text: str) -> str:
    """Return text as it survives JSON: every byte that is no UTF-8 becomes U+FFFD."""
    return "".join("\ufffd" if "\udc80" <= rune <= "\udcff" else rune for rune in text)


def ours(template: str, data: dict[str, Any], functions: dict[str, Function]) -> dict[str, str]:
    try:
        compiled = compile_template("inject", template, functions=functions)
    except TemplateError as error:
        return {"parseError": str(error)}
    try:
        return {"out": visible(compiled.render(from_json(data)).text)}
    except TemplateError as error:
        return {"execError": visible(str(error))}


def agree(
    ask_go_json: AskJSON, pairs: list[tuple[str, dict[str, Any]]], functions: dict[str, Function]
) -> None:
    questions = [{"op": "template", "template": template, "data": data} for template, data in pairs]
    wrong = []
    for (template, data), answer in zip(pairs, ask_go_json(questions), strict=True):
        expected = {"execError": answer["execError"]} if "execError" in answer else answer
        actual = ours(template, data, functions)
        if actual != expected and "0xc0" not in str(expected):  # the address of a pointer
            wrong.append((template, data, actual, expected))
    assert wrong == []
