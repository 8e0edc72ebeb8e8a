"""Random templates over random data: the same output, or the same error at the same place, as Go's."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from injector.errors import TemplateError
from injector.gotemplate import compile_template, from_json
from tests.oracle import thorough

KEYS = ("s", "n", "i", "t", "l", "m")
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, 1, 2, -3, 15020, 1000000, 1.5, 1e-7, 1e21]),
    st.sampled_from(["", "a", "b", "true", 'q"<', "é\n"]),
)
data = st.dictionaries(
    st.sampled_from(KEYS),
    st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
        max_leaves=8,
    ),
    max_size=6,
)
literals = st.sampled_from(
    [
        "0",
        "1",
        "2",
        "1.0",
        "-3",
        "15020.0",
        "1e6",
        "'a'",
        "0x10",
        '"a"',
        '""',
        "`b`",
        '"s"',
        "true",
        "false",
        "nil",
    ]
)
fields = st.lists(st.sampled_from(KEYS), min_size=1, max_size=3).map(lambda names: "." + ".".join(names))
variables = st.sampled_from(["$", "$x", "$y", "$x.s", "$.m", "$y.m.s", "$.l"])
operands = st.one_of(fields, fields, fields, literals, variables, st.just("."))
functions = st.sampled_from(
    [
        *("eq", "eq", "ne", "lt", "le", "gt", "ge", "and", "and", "or", "or", "not", "len", "index", "index"),
        *("print", "println", "html", "js", "urlquery", 'printf "%v|%q"', 'printf "%s"'),
    ]
)


def calls(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    parenthesised = inner.map(lambda text: f"({text})")
    arguments = st.lists(operands | parenthesised, min_size=0, max_size=3)
    call = st.builds(lambda name, args: " ".join([name, *args]), functions, arguments)
    piped = st.builds(lambda first, second: f"{first} | {second}", inner, call)
    chain = st.builds(lambda text, names: f"({text}){names}", inner, fields)
    return call | piped | chain


expressions = st.recursive(operands, calls, max_leaves=5)


def blocks(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    body = st.lists(inner, min_size=1, max_size=3).map("".join)
    control = st.sampled_from(
        ["if", "with", "range", "if $y :=", "with $y :=", "range $y :=", "range $x, $y :="]
    )
    closed = st.builds(lambda word, e, b: f"{{{{{word} {e}}}}}{b}{{{{end}}}}", control, expressions, body)
    either = st.builds(
        lambda word, e, b, c: f"{{{{{word} {e}}}}}{b}{{{{else}}}}{c}{{{{end}}}}",
        control,
        expressions,
        body,
        body,
    )
    jumping = st.builds(
        lambda e, c, b, jump: f"{{{{range {e}}}}}{b}{{{{if {c}}}}}{{{{{jump}}}}}{{{{end}}}}{b}{{{{end}}}}",
        expressions,
        expressions,
        body,
        st.sampled_from(["break", "continue"]),
    )
    called = expressions.map(lambda e: f'{{{{template "sub" {e}}}}}')
    return closed | either | jumping | called


statements = st.recursive(
    st.one_of(
        st.sampled_from(["text ", "\n", " - "]),
        expressions.map(lambda e: f"{{{{{e}}}}}"),
        expressions.map(lambda e: f"{{{{- {e} -}}}}"),
        expressions.map(lambda e: f"{{{{$x := {e}}}}}"),
        expressions.map(lambda e: f"{{{{$x = {e}}}}}"),
        expressions.map(lambda e: f"{{{{$y = {e}}}}}"),
    ),
    blocks,
    max_leaves=6,
)
PRELUDE = '{{define "sub"}}[{{.}}{{.s}}{{with .m}}{{template "sub" .}}{{end}}]{{end}}{{$x := 1}}{{$y := .m}}'
templates = st.lists(statements, min_size=1, max_size=4).map(lambda parts: PRELUDE + "".join(parts))


@st.composite
def regular(draw):
    """Data of the shape that the templates expect: most of them render."""
    text = st.sampled_from(["", "a", "b", 'q"<', "é\n"])
    number = st.sampled_from([0, 1, 2, -3, 15020, 1000000, 1.5, 1e-7, 1e21])
    leaf = st.fixed_dictionaries({}, optional={"s": text, "i": number, "t": st.booleans(), "n": st.none()})
    inner = st.fixed_dictionaries(
        {"m": leaf, "l": st.lists(leaf, max_size=3)}, optional={"s": text, "i": number}
    )
    outer = st.fixed_dictionaries(
        {"m": inner, "l": st.lists(inner, max_size=3)}, optional={"s": text, "i": number}
    )
    return draw(outer)


data = data | regular() | regular()
pairs = st.tuples(templates, data, st.sets(st.sampled_from(KEYS)))


def ours(text: str, dot: dict[str, Any], known: set[str]) -> dict[str, str]:
    values = from_json(dot)
    try:
        template = compile_template(
            "inject", text, functions={}, known={key: values[key] for key in values if key in known}
        )
    except TemplateError as error:
        return {"parseError": str(error)}
    try:
        return {"out": template.render({key: values[key] for key in values if key not in known}).text}
    except TemplateError as error:
        return {"execError": str(error)}


def without_place(answer: dict[str, str]) -> dict[str, str]:
    """An answer without where: Go points to the argument at which and, or stopped, we to the last one."""
    return {key: re.sub(r":[0-9]+:[0-9]+: |at <.*?>: ", "", text) for key, text in answer.items()}


def same(text: str, actual: dict[str, str], expected: dict[str, str]) -> bool:
    if re.search(r"\b(and|or)\b", text) and "execError" in expected:
        return without_place(actual) == without_place(expected)
    return actual == expected


def test_random_templates_render_as_go_renders_them(ask_go_json):
    """Go is asked once about all of them, so there is no shrinking: the shortest that differs is shown."""
    drawn = []

    @settings(thorough(full=6000, quick=300), phases=[Phase.generate])
    @given(pair=pairs)
    def draw(pair):
        drawn.append(pair)

    draw()
    answers = ask_go_json([{"op": "template", "template": text, "data": dot} for text, dot, _ in drawn])
    differing = []
    for (text, dot, known), answer in zip(drawn, answers, strict=True):
        if "execError" in answer:
            del answer["out"]
        for names in (set(), known, set(KEYS)):
            actual = ours(text, dot, names)
            if not same(text, actual, answer):
                differing.append((text, dot, names, actual, answer))
    assert min(differing, key=lambda found: len(found[0]), default=None) is None
    assert sum("out" in answer for answer in answers) > len(answers) / 10
