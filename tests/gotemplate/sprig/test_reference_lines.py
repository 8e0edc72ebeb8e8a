"""The calls that were recorded with sprig 3.3.0 and Istio's functions, beside their answers."""

from __future__ import annotations

import re

import pytest

from injector.errors import TemplateError
from injector.golang.strconv import unquote
from injector.gotemplate import StringMap, Struct, compile_template, from_json, types
from injector.gotemplate.types import StructField, StructType, pointer_to
from injector.gotemplate.values import Pointer, TypedList
from injector.injection.dot.functions import function_map
from injector.istio.releases import behaviour_of

LINE = re.compile(
    r'(?P<text>"(?:[^"\\]|\\.)*")\s+(?:-> (?P<out>"(?:[^"\\]|\\.)*")|(?:ERR|PARSE) (?P<error>.*))'
)
PORT = StructType(
    name="v1.ContainerPort",
    fields={
        "Name": StructField(json_name="name", type=types.STRING),
        "HostPort": StructField(json_name="hostPort", type=types.INT32),
        "ContainerPort": StructField(json_name="containerPort", type=types.INT32),
        "Protocol": StructField(json_name="protocol", type=types.STRING),
        "HostIP": StructField(json_name="hostIP", type=types.STRING),
    },
)
DATA = {
    "Res": from_json(
        {"limits": {"cpu": "2000m", "memory": "1024Mi"}, "requests": {"cpu": "100m", "memory": "128Mi"}}
    ),
    "Values": from_json({"e": {}, "l": [], "b": [True, False, None]}),
    "L": StringMap({"app": "x"}),
    "NilS": TypedList((), types.SLICE_STRING, is_nil=True),
    "P": Struct(PORT, {"name": "h<t>", "containerPort": 80, "protocol": "TCP"}),
    "PI": Pointer(pointer_to(types.INT64), 1337),
    "Z": from_json(0),
}
UNLIKE = ("structToJSON .P", "omit .Res", ".PI")
"""Of another type here, of another release, or an address in Go."""


def lines(shared):
    text = (shared / "go-outputs" / "out_toyaml_sprig.txt").read_text()
    found = [LINE.fullmatch(line) for line in text.splitlines() if line.startswith('"{{')]
    return [match for match in found if match and not any(part in match["text"] for part in UNLIKE)]


def test_recorded_calls_have_the_recorded_answers(shared):
    functions = function_map(behaviour_of("1.31"), env={}, mesh=None)
    wrong = []
    recorded = lines(shared)
    assert len(recorded) == 90
    for match in recorded:
        text = unquote(match["text"])
        try:
            actual = compile_template("inject", text, functions=functions).render(DATA).text
        except TemplateError as error:
            actual = str(error)
        expected = match["error"] or unquote(match["out"])
        if actual != expected:
            wrong.append((text, actual, expected))
    assert wrong == []


def test_a_pointer_is_printed_as_what_it_points_to():
    functions = function_map(behaviour_of("1.31"), env={}, mesh=None)
    template = compile_template(
        "t", '{{ .PI | default "1" | quote }} {{ default 2 .PI }}', functions=functions
    )
    assert template.render(DATA).text == '"1337" 1337'


@pytest.mark.parametrize("name", ["required", "tpl", "include", "lookup", "toToml"])
def test_helms_functions_are_unknown(name):
    functions = function_map(behaviour_of("1.31"), env={}, mesh=None)
    with pytest.raises(TemplateError, match=f'function "{name}" not defined'):
        compile_template("inject", f"{{{{ {name} . }}}}", functions=functions)
