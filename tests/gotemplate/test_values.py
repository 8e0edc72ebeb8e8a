"""Go's values in Python: truth, types, conversion from JSON, lazy structs."""

from __future__ import annotations

import copy
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from injector.gotemplate import types, values
from injector.gotemplate.types import (
    SIZED,
    Int64,
    Method,
    NamedInt,
    NamedString,
    StructType,
    UInt8,
    UInt64,
    map_of,
    pointer_to,
    slice_of,
)
from injector.gotemplate.values import (
    MISSING,
    NilPointer,
    Pointer,
    StringMap,
    Struct,
    TypedList,
    TypedMap,
    deref,
    from_json,
    is_nil,
    kind,
    read,
    type_name,
    type_of,
    zero,
)
from tests.gotemplate.sample import BOOL_VALUE, DATA, META, MODE, PROTOCOL, PROXY_CONFIG, Int32, a_field

INT_POINTER = pointer_to(types.INT64)
DURATION = types.Type(kind="int64", name="time.Duration", named=True)


@pytest.mark.parametrize(
    "value",
    [
        None,
        MISSING,
        False,
        0,
        0.0,
        "",
        {},
        [],
        Int64(0),
        UInt8(0),
        0j,
        StringMap(),
        NilPointer(INT_POINTER),
        TypedList((), types.SLICE_STRING),
        NamedInt(0, MODE),
    ],
    ids=repr,
)
def test_zero_nil_missing_and_empty_are_false(value):
    assert bool(value) is False


@pytest.mark.parametrize(
    "value",
    [
        True,
        1,
        -1,
        0.5,
        math.nan,
        "false",
        {"a": None},
        [None],
        Struct(META, {}),
        Pointer(INT_POINTER, Int64(0)),
        Int32(1),
    ],
    ids=repr,
)
def test_everything_else_is_true(value):
    assert bool(value) is True


@pytest.mark.parametrize(
    ("value", "kind_name", "name"),
    [
        (None, "interface", "<nil>"),
        (MISSING, "invalid", "<nil>"),
        ("a", "string", "string"),
        (True, "bool", "bool"),
        (1, "int", "int"),
        (1.0, "float64", "float64"),
        (1j, "complex128", "complex128"),
        ({}, "map", "map[string]interface {}"),
        ([], "slice", "[]interface {}"),
        (StringMap(), "map", "map[string]string"),
        (TypedList((), types.SLICE_STRING), "slice", "[]string"),
        (SIZED["int8"](1), "int8", "int8"),
        (SIZED["int16"](1), "int16", "int16"),
        (Int32(1), "int32", "int32"),
        (Int64(1), "int64", "int64"),
        (SIZED["uint"](1), "uint", "uint"),
        (UInt8(1), "uint8", "uint8"),
        (SIZED["uint16"](1), "uint16", "uint16"),
        (SIZED["uint32"](1), "uint32", "uint32"),
        (UInt64(1), "uint64", "uint64"),
        (NamedInt(1, MODE), "int32", "main.Mode"),
        (NamedInt(1, DURATION), "int64", "time.Duration"),
        (NamedString("TCP", PROTOCOL), "string", "v1.Protocol"),
        (Struct(META, {}), "struct", "main.Meta"),
        (Struct(META, {}, pointer=True), "pointer", "*main.Meta"),
        (NilPointer(pointer_to(META)), "pointer", "*main.Meta"),
        (Pointer(INT_POINTER, Int64(1)), "pointer", "*int64"),
        (len, "func", "func()"),
    ],
    ids=repr,
)
def test_a_value_knows_its_go_type(value, kind_name, name):
    assert (kind(value), type_name(value)) == (kind_name, name)


def test_a_subclass_of_a_python_type_has_the_type_of_its_base():
    class Text(str):
        __slots__ = ()

    assert type_of(Text("a")) is types.STRING


def test_json_numbers_are_floats_to_the_bottom():
    value = from_json({"a": 1, "b": [2, {"c": True, "d": None, "e": "x", "f": 1.5}]})
    assert value == {"a": 1.0, "b": [2.0, {"c": True, "d": None, "e": "x", "f": 1.5}]}
    assert type(value["a"]) is float
    assert type(value["b"][0]) is float
    assert value["b"][1]["c"] is True


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=10,
)


@given(json_values)
def test_reading_json_changes_no_value_and_shares_no_container(data):
    before = copy.deepcopy(data)
    value = from_json(data)
    assert value == data == before
    assert value is not data or not isinstance(data, (dict, list))


@pytest.mark.parametrize(
    ("declared", "data", "expected"),
    [
        (types.STRING, None, ""),
        (types.STRING, "a", "a"),
        (PROTOCOL, None, NamedString("", PROTOCOL)),
        (types.BOOL, None, False),
        (types.BOOL, True, True),
        (types.INT, 3, 3),
        (types.INT32, None, Int32(0)),
        (types.INT64, "12", Int64(12)),
        (types.UINT32, 3, SIZED["uint32"](3)),
        (types.FLOAT64, None, 0.0),
        (types.FLOAT64, 2, 2.0),
        (types.ANY, {"a": 1}, {"a": 1.0}),
        (types.ANY, None, None),
        (MODE, 1, NamedInt(1, MODE)),
        (DURATION, 5, NamedInt(5, DURATION)),
        (types.MAP_STRING, {"a": "b", "c": None}, {"a": "b", "c": ""}),
        (types.MAP_ANY, {"a": 1}, {"a": 1.0}),
        (map_of(types.STRING, types.INT), {"a": 1}, {"a": 1}),
        (types.SLICE_ANY, [1, "a"], [1.0, "a"]),
        (types.SLICE_STRING, ["a", None], ["a", ""]),
        (slice_of(types.INT32), [1], [Int32(1)]),
    ],
    ids=str,
)
def test_json_is_read_as_its_go_type(declared, data, expected):
    value = read(declared, data)
    assert value == expected
    assert type(value) is type(expected) or isinstance(value, (TypedList, TypedMap))
    assert declared is types.ANY or type_of(value).name == declared.name


@pytest.mark.parametrize(
    "declared", [types.MAP_STRING, types.MAP_ANY, types.SLICE_STRING, types.SLICE_ANY, INT_POINTER]
)
def test_absent_maps_lists_and_pointers_are_nil(declared):
    assert is_nil(zero(declared))
    assert type_of(zero(declared)).name == declared.name


@pytest.mark.parametrize("value", [None, MISSING, NilPointer(INT_POINTER), StringMap(is_nil=True)], ids=repr)
def test_nil_is_nil(value):
    assert is_nil(value)


@pytest.mark.parametrize("value", [0, "", StringMap(), {}, [], Struct(META, {})], ids=repr)
def test_zero_is_not_nil(value):
    assert not is_nil(value)


def test_pointers_to_scalars_point():
    pointer = read(INT_POINTER, 30)
    assert isinstance(pointer, Pointer)
    assert (deref(pointer), type_name(pointer)) == (30, "*int64")
    assert repr(pointer) == "Pointer(type=*int64, value=30)"
    assert deref(5) == 5


def test_nil_pointers_of_one_type_are_equal():
    assert NilPointer(INT_POINTER) == NilPointer(pointer_to(types.INT64))
    assert NilPointer(INT_POINTER) != NilPointer(pointer_to(META))
    assert len({NilPointer(INT_POINTER), NilPointer(pointer_to(types.INT64))}) == 1
    assert repr(NilPointer(INT_POINTER)) == "NilPointer(type=*int64)"


def test_missing_is_shown_as_go_prints_it():
    assert repr(MISSING) == "<no value>"


def test_a_struct_reads_its_json_when_asked_and_keeps_what_it_read():
    data = {"name": "n", "labels": {"a": "b"}}
    struct = Struct(META, data)
    labels = struct.get("Labels")
    assert labels == {"a": "b"}
    assert isinstance(labels, StringMap)
    assert struct.get("Labels") is labels
    assert struct.get("Annotations") == {}
    assert data == {"name": "n", "labels": {"a": "b"}}
    assert [name for name, _ in struct.items()] == ["Name", "Labels", "Annotations"]


def test_a_field_that_does_not_exist_is_a_key_error():
    with pytest.raises(KeyError):
        Struct(META, {}).get("Nope")


def test_a_struct_can_be_made_of_values():
    struct = Struct.of(META, {"Name": "n"})
    assert (struct.get("Name"), struct.get("Labels")) == ("n", {})
    assert repr(struct) == "Struct(main.Meta, {'Name': 'n', 'Labels': {}})"


EMBEDDING = StructType(
    name="main.Outer",
    fields={
        "Meta": types.StructField(json_name="", type=META, embedded=True),
        "Other": types.StructField(json_name="other", type=pointer_to(META), embedded=True),
        "Own": a_field(types.STRING, "own"),
        "Name": a_field(types.STRING, "outerName"),
    },
)


def test_embedded_fields_are_promoted_and_hidden_by_the_struct_s_own():
    struct = Struct(EMBEDDING, {"name": "inner", "outerName": "outer", "own": "o", "labels": {"a": "b"}})
    assert struct.get("Labels") == {"a": "b"}
    assert struct.get("Name") == "outer"
    assert struct.get("Meta").get("Name") == "inner"
    assert EMBEDDING.field_type("Labels") is types.MAP_STRING
    assert EMBEDDING.field_type("Nope") is None


def test_a_field_promoted_through_a_struct_that_is_no_struct_yet_is_itself():
    struct = Struct.of(EMBEDDING, {"Meta": NilPointer(pointer_to(META))})
    assert struct.get("Labels") == NilPointer(pointer_to(META))


def test_an_address_and_what_it_points_to_share_their_data():
    struct = Struct(META, {"name": "n"})
    struct.get("Name")
    pointer = struct.same(pointer=True)
    assert (type_name(pointer), pointer.get("Name")) == ("*main.Meta", "n")
    assert (type_name(deref(pointer)), deref(pointer).get("Name")) == ("main.Meta", "n")


def test_structs_are_equal_by_content_and_pointers_by_identity():
    one, other = Struct(META, {"name": "n"}), Struct(META, {"name": "n", "labels": None})
    assert one == other
    assert hash(one) == hash(other)
    assert one != Struct(META, {"name": "m"})
    assert one != Struct(DATA, {})
    assert one != "n"
    pointer = one.same(pointer=True)
    assert pointer == pointer  # noqa: PLR0124 - that is the question
    assert pointer != one.same(pointer=True)


def test_a_type_may_have_a_json_form_of_its_own():
    wrapper = StructType(
        name="wrapperspb.BoolValue",
        fields={"Value": a_field(types.BOOL, "value")},
        decode=lambda data: {"value": data},
    )
    assert read(pointer_to(wrapper), False).get("Value") is False
    assert read(pointer_to(wrapper), True).get("Value") is True
    assert read(pointer_to(wrapper), None) == NilPointer(pointer_to(wrapper))
    assert read(wrapper, None).get("Value") is False


def test_getters_work_on_nil():
    getter = PROXY_CONFIG.methods["GetHold"]
    assert getter.call(NilPointer(pointer_to(PROXY_CONFIG))) == NilPointer(pointer_to(BOOL_VALUE))
    assert BOOL_VALUE.methods["GetValue"].call(Struct(BOOL_VALUE, {"value": True}, pointer=True)) is True


def test_a_message_may_have_methods_of_its_own():
    method = Method(call=lambda _receiver: "s", result=types.STRING)
    made = values.message_type("main.M", {"A": a_field(types.STRING, "a")}, methods={"String": method})
    assert set(made.methods) == {"GetA", "String"}
    assert made.implements == {"proto.Message"}


def test_an_enum_prints_its_name_and_unknown_numbers_as_digits():
    assert [MODE.stringer(NamedInt(number, MODE)) for number in (0, 1, 7)] == ["REDIRECT", "TPROXY", "7"]
