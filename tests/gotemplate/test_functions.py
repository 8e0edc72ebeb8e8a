"""Arguments for Go-typed parameters: assignability, addresses, nil."""

from __future__ import annotations

import pytest

from injector.errors import TemplateExecError
from injector.gotemplate import compile_template, types
from injector.gotemplate.fmt import sprint
from injector.gotemplate.functions import ExecutionError, Function, convert
from injector.gotemplate.types import Int64, NamedString, pointer_to
from injector.gotemplate.values import MISSING, NilPointer, Pointer, StringMap, Struct, is_nil, type_name
from tests.gotemplate.sample import MESSAGE, META, PROTOCOL, PROXY_CONFIG

POINTER = pointer_to(types.INT64)


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


CONSTANTS = {
    "bool": types.BOOL,
    "float": types.FLOAT64,
    "complex": types.COMPLEX128,
    "uint": types.UINT8,
    "int": types.INT8,
    "named": PROTOCOL,
    "map": types.MAP_ANY,
    "any": types.ANY,
    "message": MESSAGE,
}
TAKES = {
    name: Function(
        call=lambda value: f"{type_name(value)} {sprint(value)}", params=(declared,), result=types.STRING
    )
    for name, declared in CONSTANTS.items()
}


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        ("bool true", "bool true"),
        ("bool 1", "expected bool; found 1"),
        ("float 1", "float64 1"),
        ("float 1.5", "float64 1.5"),
        ('float "a"', 'expected float; found "a"'),
        ("complex 1i", "complex128 (0+1i)"),
        ("complex 1", "expected complex; found 1"),
        ("uint 7", "uint8 7"),
        ("uint -1", "expected unsigned integer; found -1"),
        ("int -1", "int8 -1"),
        ("int 1.5", "expected integer; found 1.5"),
        ("int 2.0", "int8 2"),
        ("int 'a'", "int8 97"),
        ('named "x"', "v1.Protocol x"),
        ("named 1", "expected string; found 1"),
        ("map 1", "can't handle 1 for arg of type map[string]interface {}"),
        ("map nil", "map[string]interface {} map[]"),
        ("message 1", "can't handle 1 for arg of type proto.Message"),
        ("message nil", "<nil> <nil>"),
        ("int nil", "cannot assign nil to int8"),
        ("any (index .l 0).x", "string y"),
        ("any bool.x", "wrong number of args for bool: want 1 got 0"),
        ("any 18446744073709551615", "18446744073709551615 overflows int"),
    ],
    ids=str,
)
def test_constants_take_the_type_of_the_parameter(call, answer):
    template = compile_template("t", f"{{{{ {call} }}}}", functions=TAKES)
    try:
        text = template.render({"l": [{"x": "y"}]}).text
    except TemplateExecError as error:
        text = str(error).partition(">: ")[2]
    assert text == answer
