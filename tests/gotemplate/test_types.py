"""Go's types: names, identity, assignability."""

from __future__ import annotations

import pytest

from injector.gotemplate import types
from injector.gotemplate.types import Type, assignable, can_be_nil, is_any, map_of, pointer_to, slice_of
from tests.gotemplate.sample import MESSAGE, META, PROTOCOL, PROXY_CONFIG

LABELS = Type(kind="map", name="labels.Set", key=types.STRING, elem=types.STRING, named=True)
OTHER = Type(kind="map", name="fields.Set", key=types.STRING, elem=types.STRING, named=True)


def test_types_print_as_reflect_prints_them():
    assert [str(made) for made in (types.MAP_ANY, slice_of(META), pointer_to(slice_of(types.INT8)))] == [
        "map[string]interface {}",
        "[]main.Meta",
        "*[]int8",
    ]


def test_a_pointer_type_is_made_once():
    assert pointer_to(META) is pointer_to(META)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (types.STRING, types.STRING),
        (types.STRING, types.ANY),
        (map_of(types.STRING, types.STRING), types.MAP_STRING),
        (LABELS, types.MAP_STRING),
        (types.MAP_STRING, LABELS),
        (slice_of(types.STRING), types.SLICE_STRING),
        (pointer_to(PROXY_CONFIG), MESSAGE),
    ],
    ids=str,
)
def test_values_may_be_assigned(source, target):
    assert assignable(source, target)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (types.FLOAT64, types.INT),
        (types.INT64, types.INT),
        (PROTOCOL, types.STRING),
        (types.STRING, PROTOCOL),
        (LABELS, OTHER),
        (types.MAP_ANY, types.MAP_STRING),
        (map_of(types.INT, types.STRING), types.MAP_STRING),
        (types.SLICE_ANY, types.SLICE_STRING),
        (META, pointer_to(META)),
        (pointer_to(META), MESSAGE),
    ],
    ids=str,
)
def test_values_may_not_be_assigned(source, target):
    assert not assignable(source, target)


def test_nil_goes_where_go_has_nil():
    nilable = (types.ANY, types.MAP_ANY, types.SLICE_ANY, pointer_to(META), types.VALUE, types.FUNC, MESSAGE)
    assert all(can_be_nil(declared) for declared in nilable)
    assert not any(can_be_nil(declared) for declared in (types.STRING, types.INT, types.BOOL, META))


def test_only_the_empty_interface_takes_everything():
    assert is_any(types.ANY)
    assert not is_any(Type(kind="interface", name="error", named=True))
    assert not is_any(types.STRING)
