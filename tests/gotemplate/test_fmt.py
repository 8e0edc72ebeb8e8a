"""Printing: a table of Go's own answers, and what differs from Go on purpose."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from injector.golang.strconv import format_float
from injector.gotemplate import types
from injector.gotemplate.fmt import format_value, sprint, sprintf, sprintln
from injector.gotemplate.functions import FunctionError
from injector.gotemplate.sprig import functions
from injector.gotemplate.types import (
    NamedInt,
    NamedString,
    StructField,
    StructType,
    UInt8,
    enum_type,
    pointer_to,
)
from injector.gotemplate.values import (
    MISSING,
    NilPointer,
    Pointer,
    StringMap,
    Struct,
    TypedList,
    TypedMap,
)
from injector.injection.dot.functions.encoding import decode, encode
from tests.gotemplate.answers import cases
from tests.gotemplate.questions import ours

SPRIG = dict(functions(encode, decode))
PORT = StructType(
    name="v1.Port",
    fields={
        "Name": StructField(json_name="name", type=types.STRING),
        "Port": StructField(json_name="port", type=types.INT32),
    },
)
LOUD = StructType(name="v1.Loud", fields=PORT.fields, stringer=lambda value: f"loud {value.get('Name')}")
MODE = enum_type("v1.Mode", {0: "REDIRECT", 1: "TPROXY"})
OCTETS = types.slice_of(types.UINT8)


@pytest.mark.parametrize(("case", "data"), cases(Path(__file__).parent / "fmt_answers.json"))
def test_a_format_prints_what_go_prints(case, data):
    expected = {"execError": case["error"]} if "error" in case else {"out": case["out"]}
    assert ours(case["template"], data, SPRIG) == expected


@pytest.mark.parametrize(
    ("verb", "value", "expected"),
    [
        ("%v", Struct(PORT, {"name": "a", "port": 1}), "{a 1}"),
        ("%+v", Struct(PORT, {"name": "a", "port": 1}), "{Name:a Port:1}"),
        ("%#v", Struct(PORT, {"name": "a", "port": 1}), 'v1.Port{Name:"a", Port:1}'),
        ("%v", Struct(PORT, {}, pointer=True), "&{ 0}"),
        ("%#v", Struct(PORT, {}, pointer=True), '&v1.Port{Name:"", Port:0}'),
        ("%s", Struct(LOUD, {"name": "x"}), "loud x"),
        ("%q", Struct(LOUD, {"name": "x"}, pointer=True), '"loud x"'),
        ("%d", Struct(LOUD, {"name": "x"}), "{%!d(string=x) 0}"),
        ("%v", NamedInt(1, MODE), "TPROXY"),
        ("%x", NamedInt(1, MODE), "5450524f5859"),
        ("%d", NamedInt(1, MODE), "1"),
        ("%t", NamedInt(1, MODE), "%!t(v1.Mode=1)"),
        ("%v", NamedInt(9, MODE), "9"),
        ("%v", NamedInt(5, types.Type(kind="int64", name="v1.Count", named=True)), "5"),
        ("%T", NamedString("TCP", types.Type(kind="string", name="v1.Protocol", named=True)), "v1.Protocol"),
        ("%v", NilPointer(pointer_to(PORT)), "<nil>"),
        ("%#v", NilPointer(pointer_to(PORT)), "(*v1.Port)(nil)"),
        ("%6v", NilPointer(pointer_to(PORT)), " <nil>"),
        ("%d", NilPointer(pointer_to(PORT)), "0"),
        ("%s", NilPointer(pointer_to(PORT)), "%!s(*v1.Port=<nil>)"),
        ("%v", Pointer(pointer_to(types.INT64), 5), "5"),
        ("%s", TypedList([UInt8(104), UInt8(105)], OCTETS), "hi"),
        ("%x", TypedList([UInt8(104), UInt8(105)], OCTETS), "6869"),
        ("%v", TypedList([UInt8(104), UInt8(105)], OCTETS), "[104 105]"),
        ("%#v", TypedList([UInt8(104)], OCTETS), "[]byte{0x68}"),
        ("%#v", TypedList((), OCTETS, is_nil=True), "[]byte(nil)"),
        ("%#v", StringMap({"a": "b"}), 'map[string]string{"a":"b"}'),
        ("%#v", StringMap(is_nil=True), "map[string]string(nil)"),
        ("%v", TypedMap({2: "b", 1: "a"}, types.map_of(types.INT, types.STRING)), "map[1:a 2:b]"),
        ("%v", {"\udcff": 1, "é": 2}, "map[é:2 \udcff:1]"),
        ("%v", MISSING, "<nil>"),
        ("%d", MISSING, "%!d(<nil>)"),
    ],
)
def test_values_that_no_literal_makes_are_printed_as_go_prints_them(verb, value, expected):
    assert sprintf(verb, value) == expected


def test_an_address_is_refused():
    with pytest.raises(FunctionError, match=r"the address of a \[\]interface {} is not printed"):
        sprintf("%p", [1])
    with pytest.raises(FunctionError, match="the address of a func"):
        sprintf("%p", len)


def test_a_value_without_an_address_has_the_wrong_verb():
    assert sprintf("%p", 5) == "%!p(int=5)"


def test_a_function_is_not_printed():
    with pytest.raises(FunctionError, match="a function"):
        sprintf("%v", len)


def test_spaces_stand_between_operands_that_are_no_strings():
    assert sprint(1, 2, "a", "b", 3.0, None) == "1 2a b3 <nil>".replace("a b", "ab")
    assert sprint() == ""
    assert sprintln("a", 1) == "a 1\n"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_printed_float_reads_back(number):
    assert float(format_float(number)) == number
    assert format_value(number) == format_float(number)


@given(st.text(), st.integers(-(2**63), 2**63 - 1))
def test_the_simple_verbs_are_pythons(text, number):
    assert sprintf("%s|%d", text, number) == f"{text}|{number}"
