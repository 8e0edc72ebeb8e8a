"""Fields, methods, iteration and printing of values that JSON alone does not make."""

from __future__ import annotations

from itertools import product

import pytest

from injector.errors import TemplateExecError
from injector.gotemplate import FunctionError, compile_template, runtime, types
from injector.gotemplate.functions import ExecutionError
from injector.gotemplate.types import (
    Method,
    NamedInt,
    NamedString,
    StructType,
    Type,
    UInt8,
    pointer_to,
    slice_of,
)
from injector.gotemplate.values import MISSING, NilPointer, Pointer, StringMap, Struct, TypedList, TypedMap
from tests.gotemplate.sample import FUNCTIONS, META, PORT, PROTOCOL, Int32, a_field


def broken(_receiver):
    raise FunctionError("it broke")


DURATION = Type(
    kind="int64",
    name="time.Duration",
    named=True,
    stringer=lambda value: f"{int(value)}ns",
    methods={"String": Method(call=lambda value: f"{int(value)}ns", result=types.STRING)},
)
THING = StructType(
    name="main.Thing",
    fields={
        "Name": a_field(types.STRING, "name"),
        "Any": a_field(types.ANY, "any"),
        "Wait": a_field(DURATION, "wait"),
        "Count": a_field(pointer_to(types.INT64), "count"),
        "Anything": a_field(types.SLICE_ANY, "anything"),
        "Ports": a_field(slice_of(pointer_to(PORT)), "ports"),
        "Maps": a_field(pointer_to(types.MAP_ANY), "maps"),
        "Protocol": a_field(PROTOCOL, "protocol"),
    },
    methods={
        "Add": Method(
            call=lambda thing, number: f"{thing.get('Name')}+{number}",
            params=(types.INT32,),
            result=types.STRING,
        ),
        "Broken": Method(call=broken, result=types.STRING),
        "Nothing": Method(call=lambda _thing: None, result=types.ANY),
    },
)
DOT = StructType(
    name="main.Dot",
    fields={"T": a_field(THING, "t"), "P": a_field(pointer_to(THING), "p"), "A": a_field(types.ANY, "a")},
)
DATA = {
    "name": "n",
    "any": {"k": None},
    "wait": 5,
    "count": 7,
    "anything": ["x", 1, {"a": "b"}],
    "ports": [{"name": "p", "containerPort": 80}, None],
    "maps": {"a": "b"},
    "protocol": "TCP",
}


TYPED = [
    ("{{ .T.Add 3 }}{{ .P.Add 4 }}", "n+3n+4"),
    ("{{ 4 | .P.Add }}", "wrong type for value; expected int32; got int"),
    ("{{ .T.Add 1.5 }}", "expected integer; found 1.5"),
    ("{{ .P.Nope }}", "can't evaluate field Nope in type *main.Thing"),
    ("{{ (.P.Add 1).x }}", "can't evaluate field x in type string"),
    ("{{ .P.Count.x }}", "can't evaluate field x in type *int64"),
    ("{{ (.P.Nothing).Nope }}", "<no value>"),
    ("{{ .T.Nope.x }}", "can't evaluate field Nope in type main.Thing"),
]


def answers(text, dot_types=(DOT, None)):
    """What a template gives when the struct is known, when it is not, and when its type is not known either."""
    thing = Struct(THING, DATA)
    dot = {"T": thing, "P": Struct(THING, DATA, pointer=True), "A": thing}
    found = set()
    for known, dot_type in product(({}, dot), dot_types):
        template = compile_template("t", text, functions=FUNCTIONS, known=known, dot_type=dot_type)
        try:
            found.add(template.render({} if known else dot).text)
        except TemplateExecError as error:
            found.add(str(error).partition(">: ")[2])
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ .T.Name }}{{ .P.Name }}{{ .A.Name }}", "nnn"),
        ("{{ .T.Wait }} {{ .T.Wait.String }} {{ .P.Wait.String }}", "5ns 5ns 5ns"),
        ("{{ .T.Count }} {{ .P.Count }}", "7 7"),
        ("{{ .T.Any.k }} {{ .T.Any.nope }}", "<no value> <no value>"),
        ("{{ .T.Nothing }}{{ with .P.Nothing }}a{{ else }}b{{ end }}", "<no value>b"),
        ("{{ range .T.Anything }}{{ . }};{{ end }}", "x;1;map[a:b];"),
        ("{{ range $i, $p := .P.Ports }}{{ $i }}{{ if $p }}{{ $p.Name }}{{ end }};{{ end }}", "0p;1;"),
        ("{{ .T.Maps.a }}", "b"),
        ("{{ .T.Protocol | printf `%s` }} {{ .T.Protocol }}", "TCP TCP"),
        ("{{ .T.Protocol | quote }}", '"TCP"'),
        ("{{ .T.Wait | quote }}{{ .T.Count | quote }}", '"5ns""7"'),
        (
            "{{ (.T).Name }}{{ (.P).Name }}{{ with .P }}{{ .Name }}{{ end }}{{ $p := .P }}{{ $p.Name }}",
            "nnnn",
        ),
        ("{{ .T.Broken }}", "error calling Broken: it broke"),
        ("{{ .T.Add }}", "wrong number of args for Add: want 1 got 0"),
        ("{{ .T.Add 1 2 }}", "wrong number of args for Add: want 1 got 2"),
        ("{{ .T.Name 1 }}", "Name has arguments but cannot be invoked as function"),
        ("{{ .T.Any.k.x }}", "nil pointer evaluating interface {}.x"),
        ("{{ strf .T.Protocol }}", "wrong type for value; expected string; got v1.Protocol"),
        ("{{ range .T.Name }}{{ end }}", "range can't iterate over n"),
        ("{{ range .T.Anything }}{{ .x }}{{ end }}", "can't evaluate field x in type interface {}"),
        ("{{ range .T.Ports }}{{ .Nope }}{{ end }}", "can't evaluate field Nope in type *main.Port"),
        ("{{ range .T.Maps }}{{ .x }}{{ end }}", "can't evaluate field x in type interface {}"),
    ],
    ids=str,
)
def test_typed_data_gives_one_answer_whether_it_is_known_or_not(text, expected):
    assert answers(text) == {expected}


@pytest.mark.parametrize(("text", "expected"), TYPED, ids=str)
def test_a_typed_dot_gives_one_answer_whether_it_is_known_or_not(text, expected):
    assert answers(text, (DOT,)) == {expected}


def test_nothing_but_a_string_is_a_key_of_a_field():
    numbers = TypedMap({1: "a"}, types.map_of(types.INT, types.STRING))
    with pytest.raises(ExecutionError, match=r"can't evaluate field a in type map\[int\]string"):
        runtime.fields(numbers, ("a",), False)


def test_a_field_of_nil():
    nil = NilPointer(pointer_to(META))
    with pytest.raises(ExecutionError, match=r"nil pointer evaluating \*main.Meta.Name"):
        runtime.fields(nil, ("Name",), False)
    with pytest.raises(ExecutionError, match=r"can't evaluate field Nope in type \*main.Meta"):
        runtime.fields(nil, ("Nope",), False)
    with pytest.raises(ExecutionError, match=r"nil pointer evaluating \*int64.x"):
        runtime.fields(NilPointer(pointer_to(types.INT64)), ("x",), False)
    with pytest.raises(ExecutionError, match=r"nil pointer evaluating \*main.Meta.Name"):
        runtime.through(nil, "Name")


@pytest.mark.parametrize(
    ("value", "visited"),
    [
        (["a", "b"], ["a", "b"]),
        ({"b": 2, "a": 1}, [1, 2]),
        (StringMap({"b": "2", "a": "1"}), ["1", "2"]),
        (Pointer(pointer_to(types.SLICE_STRING), TypedList("ab", types.SLICE_STRING)), ["a", "b"]),
        (None, []),
        (MISSING, []),
        (3, [0, 1, 2]),
        (Int32(2), [Int32(0), Int32(1)]),
        (UInt8(0), []),
    ],
    ids=repr,
)
def test_range_visits_the_elements_of_a_value(value, visited):
    found = list(runtime.elements(value))
    assert found == visited
    assert [type(element) for element in found] == [type(element) for element in visited]


def test_range_over_a_named_number_visits_numbers_of_its_type():
    visited = runtime.elements(NamedInt(2, DURATION))
    assert [(int(element), element.type) for element in visited] == [(0, DURATION), (1, DURATION)]


def test_range_with_two_variables_sees_keys():
    assert runtime.pairs({"b": 2, "a": 1}) == [("a", 1), ("b", 2)]
    assert runtime.pairs(Pointer(pointer_to(types.SLICE_ANY), ["a"])) == [(0, "a")]
    with pytest.raises(ExecutionError, match=r"can't use 2 to iterate over more than one variable"):
        runtime.pairs(Int32(2))


@pytest.mark.parametrize("value", [True, "text", 1.5, NilPointer(pointer_to(META))], ids=repr)
def test_range_refuses_what_has_no_elements(value):
    with pytest.raises(ExecutionError, match=r"range can't iterate over"):
        runtime.elements(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "<no value>"),
        (MISSING, "<no value>"),
        (NilPointer(pointer_to(META)), "<nil>"),
        (Pointer(pointer_to(types.INT64), Int32(5)), "5"),
        (True, "true"),
        (False, "false"),
        (UInt8(200), "200"),
        (1e6, "1e+06"),
        (NamedString("TCP", PROTOCOL), "TCP"),
        (NamedInt(5, DURATION), "5ns"),
        (Struct(PORT, {"name": "p"}, pointer=True), "{p 0 }"),
    ],
    ids=repr,
)
def test_an_action_prints_a_value_as_go_does(value, text):
    assert runtime.printed(value) == text
