"""sprig's functions on values that no template text makes: pointers, nil pointers, bytes, typed maps."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from injector.gotemplate import FunctionError, NilPointer, Struct, pointer_to, types
from injector.gotemplate.sprig import functions
from injector.gotemplate.sprig.defaults import Collected, deep_equal
from injector.gotemplate.types import Int64, NamedInt, NamedString, StructField, StructType, UInt8
from injector.gotemplate.values import MISSING, Pointer, StringMap, TypedList, TypedMap
from injector.injection.dot.functions.encoding import decode, encode

SPRIG = functions(encode, decode)
PORT = StructType(name="v1.Port", fields={"Name": StructField(json_name="name", type=types.STRING)})
FIVE = Pointer(pointer_to(types.INT64), 5)
COUNT = types.Type(kind="int64", name="v1.Count", named=True)
WORD = types.Type(kind="string", name="v1.Word", named=True)
OCTETS = TypedList([UInt8(104), UInt8(105)], types.slice_of(types.UINT8))


def call(name: str, *arguments):
    return SPRIG[name].call(*arguments)


def test_numbers_are_read_through_pointers():
    assert call("int", FIVE) == 5
    assert call("float64", FIVE) == 5.0


def test_values_of_declared_types_are_no_numbers():
    assert call("int", NamedInt(7, COUNT)) == 0
    assert call("float64", NamedInt(7, COUNT)) == 0.0
    assert call("int", NamedString("7", WORD)) == 0


def test_bytes_are_printed_as_text():
    assert call("toString", OCTETS) == "hi"
    assert call("quote", OCTETS) == '"hi"'


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        (FIVE, Pointer(pointer_to(types.INT64), 5), True),
        (FIVE, Pointer(pointer_to(types.INT64), 6), False),
        (FIVE, NilPointer(pointer_to(types.INT64)), False),
        (NilPointer(pointer_to(PORT)), NilPointer(pointer_to(PORT)), True),
        (NilPointer(pointer_to(PORT)), Struct(PORT, {}, pointer=True), False),
        (Struct(PORT, {"name": "a"}), Struct(PORT, {"name": "a"}), True),
        (Struct(PORT, {"name": "a"}), Struct(PORT, {"name": "b"}), False),
        (StringMap({"a": "1"}), StringMap({"a": "1"}), True),
        (StringMap(), StringMap(is_nil=True), False),
        (StringMap({"a": "1"}), {"a": "1"}, False),
        ([1, [2]], [1, [2]], True),
        ([1], [1, 2], False),
        (True, 1, False),
    ],
)
def test_deep_equality_asks_for_types_and_content(left, right, equal):
    assert deep_equal(left, right) is equal


def test_a_deep_copy_shares_nothing():
    inner = TypedMap(
        {"a": TypedList(["x"], types.SLICE_STRING)}, types.map_of(types.STRING, types.SLICE_STRING)
    )
    copy = call("deepCopy", {"m": inner, "s": StringMap({"a": "b"})})
    assert copy == {"m": inner, "s": {"a": "b"}}
    assert copy["m"] is not inner
    assert copy["m"]["a"] is not inner["a"]
    assert type(copy["s"]) is StringMap


def test_a_method_of_no_version_fails():
    version = call("semver", "1.2.3")
    compare = version.type.methods["Compare"].call
    with pytest.raises(FunctionError, match="nil pointer dereference"):
        compare(version, NilPointer(pointer_to(version.type)))


def test_an_address_that_is_none_is_refused():
    with pytest.raises(FunctionError, match='invalid host: "::g" is not an IP address'):
        call("urlParse", "http://[::g]/")


goish = st.recursive(
    st.sampled_from((None, True, 1, 1.0, 0.0, -0.0, math.nan, "1", "", Int64(1), Int64(0), MISSING)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=6,
)


@pytest.mark.slow
@given(st.lists(goish, max_size=12))
def test_collected_values_are_told_apart_by_deep_equality(values) -> None:
    collected, kept = Collected(), []
    for value in values:
        is_new = not any(deep_equal(value, known) for known in kept)
        assert (value in collected) is not is_new
        assert collected.add(value) is is_new
        kept += [value] if is_new else []
