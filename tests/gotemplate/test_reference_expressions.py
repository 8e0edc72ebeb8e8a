"""Every expression that was run with Go 1.26, and what Go made of it: output or error, to the letter."""

from __future__ import annotations

import json
import re
from collections.abc import Collection

import pytest

from injector.errors import TemplateError
from injector.gotemplate import compile_template
from tests.gotemplate.sample import DATA, FUNCTIONS, a_dot

LINE = re.compile(
    r'(?P<text>"(?:[^"\\]|\\.)*")\s+'
    r'(?:PARSE ERR (?P<parse>.*)|-> (?P<out>"(?:[^"\\]|\\.)*")(?: EXEC ERR (?P<exec>.*))?)'
)


def reference(shared) -> list[re.Match[str]]:
    lines = (shared / "go-outputs" / "out_template_go1.26.txt").read_text().splitlines()
    found = [LINE.fullmatch(line) for line in lines if line.startswith('"')]
    assert None not in found
    return [match for match in found if match is not None]


def answer(text: str, known: Collection[str]) -> tuple[str, str]:
    dot = a_dot()
    try:
        template = compile_template(
            "inject",
            text,
            functions=FUNCTIONS,
            known={name: dot[name] for name in known},
            dot_type=DATA,
        )
        rendering = template.render({name: value for name, value in dot.items() if name not in known})
    except TemplateError as error:
        return "", str(error)
    return rendering.text, ""


@pytest.mark.parametrize(
    "known", [(), ("Values",), tuple(DATA.fields)], ids=["nothing known", "values known", "all known"]
)
def test_go_expressions_give_gos_answers(shared, known):
    expressions = reference(shared)
    assert len(expressions) == 287
    wrong = []
    for match in expressions:
        error = match["parse"] or match["exec"] or ""
        expected = ("" if error else json.loads(match["out"]), error)
        actual = answer(json.loads(match["text"]), known)
        if actual != expected:
            wrong.append((match["text"], actual, expected))
    assert wrong == []
