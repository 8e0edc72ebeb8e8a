from __future__ import annotations

from typing import Any

import pytest

from injector.golang.fmt import sharp_v
from injector.golang.strconv import quote
from injector.kubeyaml.decoding import OddKey


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
    assert sharp_v(value) == text


def test_strings_are_quoted_as_strconv_quotes_them() -> None:
    assert quote('a"\\\n\x01\x7fé\u2028😀\U000e0001') == '"a\\"\\\\\\n\\x01\\x7fé\\u2028😀\\U000e0001"'
