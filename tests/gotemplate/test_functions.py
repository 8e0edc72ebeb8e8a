"""Arguments for Go-typed parameters: assignability, addresses, nil."""

from __future__ import annotations

import pytest

from injector.gotemplate import types
from injector.gotemplate.errors import ExecutionError
from injector.gotemplate.functions import Function, convert
from injector.gotemplate.types import Type, pointer_to
from injector.gotemplate.values import (
    MISSING,
    Int64,
    NamedString,
    NilPointer,
    Pointer,
    StringMap,
    Struct,
    is_nil,
    type_name,
)
from tests.gotemplate.sample import META, PROXY_CONFIG

POINTER = pointer_to(types.INT64)
MESSAGE = Type(kind="interface", name="proto.Message", named=True)
PROTOCOL = Type(kind="string", name="v1.Protocol", named=True)


@pytest.mark.parametrize(
    ("value", "target"),
    [
        ("a", types.STRING),
        (1.5, types.FLOAT64),
        ({}, types.MAP_ANY),
        (StringMap(), types.MAP_STRING),
        (1, types.ANY),
        (None, types.ANY),
        (MISSING, types.VALUE),
        (Struct(PROXY_CONFIG, {}, pointer=True), MESSAGE),
    ],
    ids=str,
)
def test_what_is_assignable_is_passed_as_it_is(value, target):
    assert convert(value, target) is value


def test_what_is_missing_is_nil_where_there_is_a_nil():
    assert convert(MISSING, types.ANY) is None
    assert is_nil(convert(MISSING, types.MAP_STRING))
    assert convert(MISSING, POINTER) == NilPointer(POINTER)
    assert convert(None, MESSAGE) is None


def test_pointers_are_followed_and_addresses_taken_once():
    struct = Struct(META, {"name": "n"})
    assert type_name(convert(struct, pointer_to(META))) == "*main.Meta"
    assert type_name(convert(convert(struct, pointer_to(META)), META)) == "main.Meta"
    assert type_name(convert(Struct(PROXY_CONFIG, {}), MESSAGE)) == "main.ProxyConfig"
    assert convert(Pointer(POINTER, Int64(5)), types.INT64) == 5


@pytest.mark.parametrize(
    ("value", "target", "message"),
    [
        (MISSING, types.STRING, "invalid value; expected string"),
        (None, types.STRING, "wrong type for value; expected string; got interface {}"),
        (1.0, types.INT, "wrong type for value; expected int; got float64"),
        (Int64(1), types.INT, "wrong type for value; expected int; got int64"),
        (
            {},
            types.MAP_STRING,
            "wrong type for value; expected map[string]string; got map[string]interface {}",
        ),
        (
            NamedString("TCP", PROTOCOL),
            types.STRING,
            "wrong type for value; expected string; got v1.Protocol",
        ),
        (NilPointer(pointer_to(META)), META, "dereference of nil pointer of type main.Meta"),
        (Struct(META, {}), MESSAGE, "wrong type for value; expected proto.Message; got main.Meta"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused_in_gos_words(value, target, message):
    with pytest.raises(ExecutionError) as caught:
        convert(value, target)
    assert str(caught.value) == message


def test_the_last_parameter_takes_all_further_arguments():
    function = Function(call=print, params=(types.STRING, types.ANY), variadic=True)
    assert [function.param(place) for place in range(4)] == [types.STRING, types.ANY, types.ANY, types.ANY]
