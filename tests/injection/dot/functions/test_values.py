"""Istio's functions for texts, maps, JSON and durations, called from templates."""

from __future__ import annotations

import pytest

from injector.errors import TemplateExecError
from injector.gotemplate import (
    FunctionError,
    NilPointer,
    StringMap,
    Struct,
    compile_template,
    from_json,
    pointer_to,
    types,
)
from injector.gotemplate.values import MISSING, Pointer, TypedList, TypedMap
from injector.injection.dot.functions import function_map
from injector.injection.dot.functions.encoding import decode, parse, to_json, to_yaml
from injector.istio.go_types import OBJECT_META, POD_SPEC, struct
from injector.istio.mesh.loading import load_mesh
from injector.istio.mesh.views import struct_type, view
from injector.istio.releases import behaviour_of
from injector.kubeyaml import load
from injector.patch.schema import NEWEST

SPRIG = function_map(behaviour_of("1.31"), env={}, mesh=None)


def rendered(text: str, minor: int = 31, mesh=None, **dot) -> str:
    functions = function_map(behaviour_of(f"1.{minor}"), env={}, mesh=mesh)
    return compile_template("t", text, functions=functions).render(dot).text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{{ valueOrDefault "" "d" }}', "d"),
        ('{{ valueOrDefault nil "d" }}', "d"),
        ("{{ valueOrDefault .nope 1 }}", "1"),
        ("{{ valueOrDefault false true }}", "false"),
        ('{{ valueOrDefault 0 "d" }}', "0"),
        ('{{ valueOrDefault "x" "d" }}', "x"),
        ('{{ directory "/a/b" }}|{{ directory "a" }}|{{ directory "/a/" }}', "/a/||/a/"),
        ('{{ toLower "AİB" }}', "aib"),
        ("{{ indent 0 `a\nb` }}", "a\nb"),
        ("{{ indent -2 `a\nb\n` }}", "a\n  b\n  "),
        ('{{ kubevirtInterfaces "a" }}{{ excludeInterfaces "b" }}', "ab"),
        ('{{ fromJSON `{"a": [1, "x", null]}` }}', "map[a:[1 x <nil>]]"),
        ("{{ fromJSON `nope` }}", "{}"),
        ("{{ fromJSON `NaN` }}{{ fromJSON `1e999` }}", "{}{}"),
        pytest.param(f"{{{{ fromJSON `[{'9' * 309}]` }}}}", "{}", id="no float64 is so large"),
        ("{{ structToJSON nil }}{{ structToJSON .nope }}", "{}{}"),
        ('{{ structToJSON (dict "b" 1 "a" "<") }}', '{"a":"\\u003c","b":1}'),
        ('{{ structToJSON (dict "a" (float64 "inf")) }}', "{}"),
        ('{{ toYaml (dict "b" 1 "a" (list "x" nil)) }}', "a:\n- x\n- null\nb: 1\n"),
        ('{{ toYaml nil }}{{ toYaml "a" }}{{ toYaml 1.0 }}', "null\na\n1\n"),
        ('{{ toYaml (float64 "nan") }}', ""),
        ('{{ strdict "a" "1" "b" }} {{ strdict }}', "map[a:1 b:] map[]"),
        ('{{ toJSON (strdict "b" "<" "a" "1") }}', '{"a":"1","b":"\\u003c"}'),
        ('{{ toJsonMap (strdict "a" "1" "b" "1") (strdict "b" "2") }}{{ toJsonMap .m }}', '{"a":"1","b":"2"}{}'),
        ("{{ toJsonMap }} {{ structToJSON mergeMaps }} {{ toYaml mergeMaps }}", "null null null\n"),
        ("{{ toJSON mergeMaps }} {{ mergeMaps }} {{ structToJSON (mergeMaps mergeMaps) }}", "{} map[] {}"),
        ('{{ mergeMaps (strdict "a" "1") (strdict "a" "2" "c" "3") }}', "map[a:2 c:3]"),
        ('{{ omit (strdict "a" "1" "b" "2") "a" "z" }}', "map[b:2]"),
        ("{{ omitNil nil | toYaml }}", "null\n"),
    ],
)  # fmt: skip
def test_a_call_has_istios_result(text, expected):
    assert rendered(text, m=StringMap(is_nil=True)) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("null", "null"),
        ("{a: {x: null}}", "null"),
        ("[1, null, {y: null}]", "[1]"),
        ("[null]", "null"),
        ("{d: {e: null}, f: 1}", "{f: 1}"),
        ("{a: {}, b: [], c: null, d: {e: {}}}", "{a: {}, b: [], d: {e: {}}}"),
        ("[[null, []], 0, '', false]", "[[[]], 0, '', false]"),
        ("{limits: {cpu: null}, requests: {cpu: 100m}}", "{requests: {cpu: 100m}}"),
    ],
)
def test_omit_nil_leaves_out_nil_and_what_only_nil_was_in(value, expected):
    text = "{{ omitNil .value | toYaml }}"
    assert load(rendered(text, value=from_json(load(value)))) == load(expected)


def test_a_nil_map_is_an_empty_object():
    assert rendered("{{ toJSON .m }} {{ toJsonMap .m }}", m=StringMap(is_nil=True)) == "{} {}"
    assert rendered("{{ toJSON .nope }}") == "{}"


def test_maps_of_anything_are_no_maps_of_strings():
    with pytest.raises(
        TemplateExecError, match=r"expected map\[string\]string; got map\[string\]interface {}"
    ):
        rendered('{{ omit .m "a" }}', m={"a": "b"})


def test_a_duration_is_printed_as_go_prints_it():
    mesh = load_mesh("defaultConfig: {drainDuration: 90s}", 31)
    text = "{{ formatDuration .c.DrainDuration }} {{ formatDuration .c.TerminationDrainDuration }}"
    assert rendered(text, mesh=mesh, c=view(mesh.proxy_config)) == "1m30s 5s"


@pytest.mark.parametrize(("minor", "expected"), [(13, "1s"), (14, "0s")])
def test_no_duration_is_a_second_until_1_13(minor, expected):
    mesh = load_mesh("", minor)
    duration = mesh.proxy_config.replace(terminationDrainDuration=None)
    text = "{{ formatDuration .c.TerminationDrainDuration }}"
    assert rendered(text, minor=minor, c=view(duration)) == expected


def test_a_proxy_config_is_printed_without_defaults_from_1_6():
    for minor, expected in ((5, '{"configPath":"/etc/istio/proxy"'), (31, '{"concurrency":3}')):
        mesh = load_mesh("defaultConfig: {concurrency: 3}", minor)
        assert rendered("{{ protoToJSON .c }}", minor, mesh, c=view(mesh.proxy_config)).startswith(expected)


def test_no_message_is_an_empty_object():
    mesh = load_mesh("", 31)
    pointer = pointer_to(struct_type(mesh.config.type))
    assert rendered("{{ protoToJSON .c }}{{ protoToJSON .nope }}", mesh=mesh, c=NilPointer(pointer)) == "{}{}"
    assert rendered("{{ protoToJSON .c }}", c=view(mesh.proxy_config)) == "{}"
    with pytest.raises(TemplateExecError, match=r"wrong type for value; expected proto.Message; got string"):
        rendered("{{ protoToJSON .s }}", s="text")


# Encoding.


def test_kubernetes_structs_come_in_gos_order_without_empty_fields():
    port = {"protocol": "TCP", "containerPort": 80, "hostPort": 0, "name": "a<b"}
    spec = Struct(struct(POD_SPEC, NEWEST), {"containers": [{"name": "x", "ports": [port]}]})
    ports = spec.get("Containers")[0].get("Ports")
    assert (
        rendered("{{ structToJSON .p }}", p=ports[0])
        == '{"name":"a\\u003cb","containerPort":80,"protocol":"TCP"}'
    )
    assert rendered("{{ structToJSON .p }}", p=ports).startswith('[{"name"')
    assert rendered("{{ toYaml .p }}", p=ports[0]) == "containerPort: 80\nname: a<b\nprotocol: TCP\n"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Pointer(pointer_to(types.INT64), 5), 5),
        (NilPointer(pointer_to(types.INT64)), None),
        (MISSING, None),
        (TypedList((), types.SLICE_STRING, is_nil=True), None),
        (StringMap(is_nil=True), None),
        (TypedMap({"b": "1", "a": "2"}, types.MAP_STRING), {"a": "2", "b": "1"}),
        (Struct(struct(OBJECT_META, NEWEST), {"name": "a"}, pointer=True), {"name": "a"}),
        (view(load_mesh("", 31).proxy_config).get("DrainDuration"), {"seconds": 45}),
        (SPRIG["semver"].call("1.2.3+x"), "1.2.3+x"),
        (True, True),
    ],
)
def test_a_value_becomes_the_json_that_go_makes_of_it(value, expected):
    actual = to_json(value)
    if isinstance(value, Struct) and isinstance(actual, dict):
        assert actual.items() >= expected.items()
    else:
        assert actual == expected


def test_a_function_has_no_json():
    with pytest.raises(FunctionError, match="json: unsupported type"):
        to_json(len)
    assert to_yaml({"a": len}) == ""


def test_a_messages_json_is_protobufs():
    mesh = load_mesh("", 31)
    assert to_json(view(mesh.proxy_config))["statusPort"] == 15020


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"\\ud800x"', "\ufffdx"),
        ('{"\\ud800": ["\\udfff", 1, null]}', {"\ufffd": ["\ufffd", 1, None]}),
        ('"\udcff"', "\ufffd"),
        ("123456789012345678901234567890", 123456789012345678901234567890.0),
    ],
)
def test_json_is_read_as_go_reads_it(text, expected):
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{", "unexpected end of JSON input"),
        ("nope", "invalid character 'o' in literal null (expecting 'u')"),
        ("Infinity", "invalid character 'I' looking for beginning of value"),
        ("\udcff", "invalid character 'ÿ' looking for beginning of value"),
        ("[" * 300 + "]" * 300, "exceeded max depth"),
        ('{"a":' * 3000, "exceeded max depth"),
        ("1e400", "json: cannot unmarshal number 1e400 into Go value of type float64"),
    ],
)
def test_what_is_no_json_is_refused_in_gos_words(text, fault):
    with pytest.raises(FunctionError) as raised:
        decode(text)
    assert str(raised.value) == fault


def test_a_float_read_from_json_is_a_float64():
    assert type(decode("1")) is float
    assert from_json(1) == decode("1")
