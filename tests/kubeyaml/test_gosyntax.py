from __future__ import annotations

from typing import Any

import pytest

from injector.kubeyaml.decoding import OddKey
from injector.kubeyaml.gosyntax import go_quote, go_syntax


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "<nil>"),
        (True, "true"),
        (False, "false"),
        (5, "5"),
        (2**63, "0x8000000000000000"),
        (1.5, "1.5"),
        (1e6, "1e+06"),
        (float("nan"), "NaN"),
        (float("inf"), "+Inf"),
        (float("-inf"), "-Inf"),
        ("a", '"a"'),
        ([None, [1]], "[]interface {}{interface {}(nil), []interface {}{1}}"),
        (
            {"b": 1, "a": None, OddKey(int, 1): 2, OddKey(type(None), None): 3, OddKey(bool, True): 4},
            'map[interface {}]interface {}{interface {}(nil):3, "a":interface {}(nil), "b":1, 1:2, true:4}',
        ),
    ],
)
def test_values_print_as_gos_sharp_v(value: Any, text: str) -> None:
    assert go_syntax(value) == text


def test_strings_are_quoted_as_strconv_quotes_them() -> None:
    assert go_quote('a"\\\n\x01\x7fé\u2028😀\U000e0001') == '"a\\"\\\\\\n\\x01\\x7fé\\u2028😀\\U000e0001"'
