"""Regular expressions of every kind of syntax, good and bad, with what Go makes of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from injector.gotemplate.sprig import functions
from injector.injection.dot.functions.encoding import decode, encode
from tests.gotemplate.answers import cases
from tests.gotemplate.questions import ours

SPRIG = dict(functions(encode, decode))


@pytest.mark.parametrize(("case", "data"), cases(Path(__file__).parent / "go_answers.json"))
def test_an_expression_means_what_it_means_in_go(case, data):
    expected = {"execError": case["error"]} if "error" in case else {"out": case["out"]}
    assert ours(case["template"], data, SPRIG) == expected
