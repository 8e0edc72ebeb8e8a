"""A table of templates with what Go 1.26 made of each: its parse tree as text, its output or its error.

``go_answers.json`` was written by a program around text/template; every case is run as it stands, and again
with the data known when the template is compiled.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from injector.errors import TemplateError
from injector.gotemplate import Function, FunctionError, compile_template, from_json, parse, types
from injector.gotemplate.builtins import BUILTINS

TABLE = json.loads((Path(__file__).parent / "go_answers.json").read_text())
DATA = from_json(TABLE["data"])


def fails() -> str:
    raise FunctionError("it failed")


FUNCTIONS = {
    "upper": Function(call=str.upper, params=(types.STRING,), result=types.STRING),
    "fails": Function(call=fails, result=types.STRING),
}


def delimiters(case) -> tuple[str, str]:
    return case.get("left", ""), case.get("right", "")


def cases(*, parsed: bool = False):
    return [
        pytest.param(case, id=ascii(case["template"])[1:60].replace("[", "("))
        for case in TABLE["cases"]
        if "trees" in case or not parsed
    ]


@pytest.mark.parametrize("case", cases(parsed=True))
def test_a_parse_tree_prints_as_go_prints_it(case):
    expected = {"t": case["template"]} if case["trees"] == "same" else case["trees"]
    tree = parse("t", case["template"], {*BUILTINS, *FUNCTIONS}, delimiters(case))
    assert {name: str(body) for name, body in tree.templates.items()} == expected


@pytest.mark.parametrize("known", [{}, DATA], ids=["at run time", "at load"])
@pytest.mark.parametrize("case", cases())
def test_a_template_prints_or_fails_as_in_go(case, known):
    try:
        template = compile_template(
            "t", case["template"], functions=FUNCTIONS, known=known, delimiters=delimiters(case)
        )
        text = template.render({} if known else DATA).text
        # What is no UTF-8 was replaced when the table was written as JSON.
        answer = {"out": text.encode(errors="surrogateescape").decode(errors="replace")}
    except TemplateError as error:
        answer = {"error": str(error)}
    assert answer == {key: case[key] for key in ("out", "error") if key in case}
