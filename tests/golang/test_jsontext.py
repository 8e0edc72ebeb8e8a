from __future__ import annotations

import json
import re
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from injector.golang.jsontext import EncodingError, go_json, json_fault, member, mismatch, without_surrogates
from injector.rendering import Quoted
from tests.kubeyaml.generators import json_values


class Int64(int):
    """As the template engine has them."""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        ([], "[]"),
        ({}, "{}"),
        ({"b": 1, "a": [1, 2]}, '{"a":[1,2],"b":1}'),
        ({"é": 1, "z": 2, "\uffff": 3, "😀": 4}, '{"z":2,"é":1,"\uffff":3,"😀":4}'),
        ("<a&b>", '"\\u003ca\\u0026b\\u003e"'),
        ("\u2028\u2029", '"\\u2028\\u2029"'),
        ("\b\f\n\r\t\x00\x1f\x7f", '"\\b\\f\\n\\r\\t\\u0000\\u001f\x7f"'),
        ('"\\/', '"\\"\\\\/"'),
        ("é😀", '"é😀"'),
        ("a\udcc3b", '"a\\ufffdb"'),
        (1.0, "1"),
        ([1.5, 1e21, -0.0], "[1.5,1e+21,-0]"),
        ([1, 2.5], "[1,2.5]"),
        ({"a": 1e-7}, '{"a":1e-7}'),
        (["a:1.5", ",2.5", "[3.5"], '["a:1.5",",2.5","[3.5"]'),
        (2**80, str(2**80)),
        (
            {"a": [2**80, None, True, False, "<", {}, []]},
            '{"a":[1208925819614629174706176,null,true,false,"\\u003c",{},[]]}',
        ),
        ([Int64(5)], "[5]"),
        ([Int64(5), 1.5], "[5,1.5]"),
        ((1, 2), "[1,2]"),
        ((1.5,), "[1.5]"),
        (Quoted('a\\"', 'a"'), '"a\\\\\\""'),
        ([Quoted("a", "a"), 0.5], '["a",0.5]'),
    ],
)
def test_values_are_written_as_encoding_json_writes_them(value: Any, text: str) -> None:
    assert go_json(value) == text


def test_struct_fields_keep_their_order() -> None:
    assert go_json({"name": "x", "hostPort": 1, "containerPort": 2}, sort_keys=False) == (
        '{"name":"x","hostPort":1,"containerPort":2}'
    )
    assert go_json({"b": 1.5, "a": 2}, sort_keys=False) == '{"b":1.5,"a":2}'


def test_html_may_stay_as_it_is() -> None:
    assert go_json("<&>\u2028", escape_html=False) == '"<&>\\u2028"'


@pytest.mark.parametrize(
    ("value", "name"), [(float("inf"), "+Inf"), (float("-inf"), "-Inf"), (float("nan"), "NaN")]
)
def test_numbers_that_json_cannot_say_are_refused(value: float, name: str) -> None:
    with pytest.raises(EncodingError, match=re.escape(f"json: unsupported value: {name}")):
        go_json({"a": [value]})


def test_values_that_are_no_json_are_refused() -> None:
    with pytest.raises(EncodingError, match="json: unsupported type: set"):
        go_json({"a": {1}})


@pytest.mark.slow
@given(json_values)
def test_the_text_reads_back_as_the_value(value: Any) -> None:
    assert json.loads(go_json(value), parse_int=float) == value
    assert json.loads(go_json(value, sort_keys=False, escape_html=False), parse_int=float) == value


def test_a_member_is_found_in_any_case_the_exact_one_first() -> None:
    assert member({"a": 1, "A": 2}, "A") == 2
    assert member({"Templates": 1}, "templates") == 1
    assert member({"templates": 1}, "Templates") == 1
    assert member({"ſpeC": 1}, "spec") == 1
    assert member({"conﬁg": 1}, "config") is None
    assert member({}, "a") is None
    assert member(["a"], "a") is None


def test_a_lone_surrogate_is_read_as_gos_replacement_character_at_any_depth():
    read = json.loads(r'{"\ud800": ["a\udfff", 1, {"b": null}]}')
    assert without_surrogates(read) == {"\ufffd": ["a\ufffd", 1, {"b": None}]}


def test_a_value_of_another_kind_gets_gos_sentence() -> None:
    assert mismatch([1], "string") == "json: cannot unmarshal array into Go value of type string"


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
