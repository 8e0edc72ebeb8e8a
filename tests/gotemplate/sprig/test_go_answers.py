"""A call for every branch of sprig's functions, with sprig's own answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from injector.gotemplate.sprig import functions
from injector.injection.dot.functions.encoding import decode, encode
from tests.gotemplate.answers import cases
from tests.gotemplate.questions import ours, visible

SPRIG = dict(functions(encode, decode))


@pytest.mark.parametrize(("case", "data"), cases(Path(__file__).parent / "go_answers.json"))
def test_a_call_is_answered_as_sprig_answers_it(case, data):
    expected = {"execError": case["error"]} if "error" in case else {"out": case["out"]}
    assert ours(case["template"], data, SPRIG) == {key: visible(text) for key, text in expected.items()}
