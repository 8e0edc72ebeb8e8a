from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from injector.golang.jsonfault import json_fault

VALUE = "looking for beginning of value"
KEY = "looking for beginning of object key string"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"", "unexpected end of JSON input"),
        (b"  ", "unexpected end of JSON input"),
        (b'{"a":', "unexpected end of JSON input"),
        (b'{"a":[1,2', "unexpected end of JSON input"),
        (b'"abc', "unexpected end of JSON input"),
        (b"x", f"invalid character 'x' {VALUE}"),
        (b"[1,]", f"invalid character ']' {VALUE}"),
        (b"[,1]", f"invalid character ',' {VALUE}"),
        (b"{a:1}", f"invalid character 'a' {KEY}"),
        (b'{"a":1,}', f"invalid character '}}' {KEY}"),
        (b'{"a" 1}', "invalid character '1' after object key"),
        (b'{"a":1 "b":2}', "invalid character '\"' after object key:value pair"),
        (b"[1 2]", "invalid character '2' after array element"),
        (b"{} {}", "invalid character '{' after top-level value"),
        (b"'a'", f"invalid character '\\'' {VALUE}"),
        (b'"a\nb"', "invalid character '\\n' in string literal"),
        (b'"\\x"', "invalid character 'x' in string escape code"),
        (b'"\\', "invalid character ' ' in string escape code"),
        (b'"\\u00g0"', "invalid character 'g' in \\u hexadecimal character escape"),
        (b"-", "invalid character ' ' in numeric literal"),
        (b"-x", "invalid character 'x' in numeric literal"),
        (b"01", "invalid character '1' after top-level value"),
        (b"1.", "invalid character ' ' after decimal point in numeric literal"),
        (b"1e+", "invalid character ' ' in exponent of numeric literal"),
        (b"nul", "invalid character ' ' in literal null (expecting 'l')"),
        (b"trUe", "invalid character 'U' in literal true (expecting 'u')"),
        (b"\xc3\xa9", f"invalid character 'Ã' {VALUE}"),
        (b"\xff", f"invalid character 'ÿ' {VALUE}"),
    ],
)
def test_a_fault_is_told_in_the_words_of_encoding_json(text, sentence):
    assert json_fault(text) == sentence


@pytest.mark.slow
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-9, 9)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_json_has_no_fault(value):
    assert json_fault(orjson.dumps(value, option=orjson.OPT_INDENT_2)) == ""


@given(st.binary(max_size=12) | st.text(alphabet='{}[]:,"\\tru 1.e-', max_size=12).map(str.encode))
def test_what_orjson_refuses_has_a_fault(text):
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        if text.isascii():
            assert json_fault(text) or b"\\u" in text or b"e" in text
    else:
        assert json_fault(text) == ""


def test_depth_costs_no_stack():
    assert json_fault(b"[" * 100_000) == "unexpected end of JSON input"
