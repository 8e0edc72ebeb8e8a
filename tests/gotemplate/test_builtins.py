"""Go's predefined functions on values that JSON alone does not make: sized integers, pointers, typed lists, structs."""

from __future__ import annotations

import pytest

from injector.gotemplate import types
from injector.gotemplate.builtins import BUILTINS
from injector.gotemplate.functions import FunctionError
from injector.gotemplate.types import (
    SIZED,
    Int64,
    NamedInt,
    NamedString,
    UInt8,
    UInt64,
    map_of,
    pointer_to,
)
from injector.gotemplate.values import MISSING, NilPointer, Pointer, StringMap, Struct, TypedList, TypedMap
from tests.gotemplate.sample import META, MODE, PORT, PROTOCOL, Int32, a_function

POINTER = pointer_to(types.INT64)


def call(name, *args):
    return BUILTINS[name].call(*args)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Int64(5), 5),
        (Int32(5), UInt8(5)),
        (SIZED["uint32"](5), UInt64(5)),
        (NamedString("TCP", PROTOCOL), "TCP"),
        (Struct(PORT, {"name": "a"}), Struct(PORT, {"name": "a"})),
        (NilPointer(POINTER), NilPointer(POINTER)),
        (NilPointer(POINTER), None),
        (StringMap(is_nil=True), None),
        (MISSING, None),
    ],
    ids=repr,
)
def test_values_are_equal_by_kind(first, second):
    assert call("eq", first, second)
    assert call("eq", second, first)
    assert not call("ne", first, second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Int32(-1), SIZED["uint32"](4294967295)),
        (Struct(PORT, {"name": "a"}), Struct(PORT, {"name": "b"})),
        (Pointer(POINTER, Int64(1)), Pointer(POINTER, Int64(1))),
        (StringMap(), None),
        (Pointer(POINTER, Int64(1)), NilPointer(POINTER)),
    ],
    ids=repr,
)
def test_values_that_differ_are_not_equal(first, second):
    assert not call("eq", first, second)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((Struct(META, {}), Struct(META, {})), "non-comparable type {%!s(<nil>)"),
        ((StringMap(), TypedList((), types.SLICE_STRING)), "non-comparable types"),
        ((StringMap(), StringMap()), "non-comparable type map[]: map[string]string"),
        ((Int64(1), 1.0), "incompatible types for comparison: int64 and float64"),
        ((StringMap(), "a"), "incompatible types for comparison: map[string]string and string"),
    ],
    ids=repr,
)
def test_values_that_do_not_compare(args, message):
    with pytest.raises(FunctionError) as caught:
        call("eq", *args)
    assert str(caught.value).startswith(message.split("{")[0])


def test_numbers_of_different_signs_are_ordered_by_value():
    assert call("lt", Int32(-1), SIZED["uint32"](0))
    assert call("gt", UInt64(2**63), Int64(5))
    assert call("le", Int32(3), UInt8(3))
    assert not call("ge", Int32(-5), UInt8(3))


def test_index_follows_pointers_and_converts_integers():
    numbers = TypedMap({1: "one"}, map_of(types.INT, types.STRING))
    assert call("index", numbers, Int64(1)) == "one"
    assert call("index", numbers, 2) == ""
    assert (
        call("index", Pointer(pointer_to(types.SLICE_STRING), TypedList("ab", types.SLICE_STRING)), UInt8(1))
        == "b"
    )
    assert call("index", StringMap({"a": "b"}), "a") == "b"
    assert call("index", StringMap(is_nil=True), "a") == ""
    assert call("index", TypedMap({None: 1}, map_of(types.ANY, types.INT)), MISSING) == 1


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((NilPointer(POINTER), 1), "index of nil pointer"),
        ((Struct(META, {}), 1), "can't index item of type main.Meta"),
        ((Struct(META, {}, pointer=True), 1), "can't index item of type main.Meta"),
        ((["a"], MISSING), "cannot index slice/array with nil"),
        ((["a"], "0"), "cannot index slice/array with type string"),
        ((["a"], 1), "reflect: slice index out of range"),
        (("a", 1), "reflect: string index out of range"),
        ((StringMap(), NamedString("a", PROTOCOL)), "value has type v1.Protocol; should be string"),
        ((StringMap(), None), "value is nil; should be of type string"),
    ],
    ids=repr,
)
def test_index_refuses_in_gos_words_what_it_cannot_index(args, message):
    with pytest.raises(FunctionError) as caught:
        call("index", *args)
    assert str(caught.value) == message


def test_slices_keep_their_type():
    part = call("slice", TypedList("abc", types.SLICE_STRING), 1)
    assert (part, part.type) == (["b", "c"], types.SLICE_STRING)
    assert call("slice", ["a", "b"], 0, 1) == ["a"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((NilPointer(POINTER),), "slice of nil pointer"),
        ((Struct(META, {}, pointer=True),), "can't slice item of type main.Meta"),
    ],
    ids=repr,
)
def test_slice_refuses_in_gos_words_what_it_cannot_slice(args, message):
    with pytest.raises(FunctionError) as caught:
        call("slice", *args)
    assert str(caught.value) == message


def test_len_counts_bytes_and_elements():
    assert call("len", "aé") == 3
    assert call("len", Pointer(pointer_to(types.SLICE_ANY), [1, 2])) == 2
    with pytest.raises(FunctionError, match=r"len of nil pointer"):
        call("len", NilPointer(POINTER))
    with pytest.raises(FunctionError, match=r"len of type main.Meta"):
        call("len", Struct(META, {}, pointer=True))


def test_escaping_functions_print_their_arguments_first():
    assert call("html", Pointer(POINTER, Int64(5)), "<", MISSING) == "5&lt;&lt;no value&gt;"
    assert call("js", "<") == "\\u003C"
    assert call("urlquery", "a b", 1) == "a+b1"


def test_call_refuses_what_is_no_function():
    with pytest.raises(FunctionError, match=r"call of nil"):
        call("call", "f", None)
    with pytest.raises(FunctionError, match=r"non-function f of type main.Mode"):
        call("call", "f", NamedInt(1, MODE))
    with pytest.raises(FunctionError, match=r"non-function a of type string"):
        call("call", None, "a")


def test_call_passes_nil_and_checks_variadic_functions():
    variadic = a_function(lambda *args: f"{args}", types.ANY, types.INT, variadic=True)
    assert call("call", "f", variadic, None, 1, 2) == "(None, 1, 2)"
    with pytest.raises(FunctionError, match=r"wrong number of args for f: got 0 want at least 1"):
        call("call", "f", variadic)


def test_and_or_are_never_called():
    with pytest.raises(AssertionError):
        call("and", 1)
