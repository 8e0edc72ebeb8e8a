"""The data that the reference expressions were run on, rebuilt: structs, pointers, an enum, a message, JSON values."""

from __future__ import annotations

from collections.abc import Mapping

from injector.golang.strconv import quote
from injector.gotemplate import fmt, types
from injector.gotemplate.functions import Function, FunctionError
from injector.gotemplate.types import (
    SIZED,
    Int64,
    StructField,
    StructType,
    Type,
    enum_type,
    map_of,
    pointer_to,
    slice_of,
)
from injector.gotemplate.values import (
    NilPointer,
    Struct,
    TypedMap,
    Value,
    from_json,
    message_type,
    read,
    type_name,
)

Int32 = SIZED["int32"]
MESSAGE = Type(kind="interface", name="proto.Message", named=True)
PROTOCOL = Type(kind="string", name="v1.Protocol", named=True)


def a_field(declared: Type, json_name: str = "") -> StructField:
    return StructField(json_name=json_name, type=declared)


META = StructType(
    name="main.Meta",
    fields={
        "Name": a_field(types.STRING, "name"),
        "Labels": a_field(types.MAP_STRING, "labels"),
        "Annotations": a_field(types.MAP_STRING, "annotations"),
    },
)
PORT = StructType(
    name="main.Port",
    fields={
        "Name": a_field(types.STRING, "name"),
        "ContainerPort": a_field(types.INT32, "containerPort"),
        "Protocol": a_field(types.STRING, "protocol"),
    },
)
CONTAINER = StructType(
    name="main.Container",
    fields={
        "Name": a_field(types.STRING, "name"),
        "Ports": a_field(slice_of(PORT), "ports"),
        "Image": a_field(types.STRING, "image"),
    },
)
SPEC = StructType(
    name="main.Spec",
    fields={
        "Containers": a_field(slice_of(CONTAINER), "containers"),
        "ServiceAccountName": a_field(types.STRING, "serviceAccountName"),
    },
)
MODE = enum_type("main.Mode", {0: "REDIRECT", 1: "TPROXY"})
LIGHTSTEP = message_type("main.Lightstep", {"Address": a_field(types.STRING, "address")})
TRACING = message_type(
    "main.Tracing",
    {
        "Lightstep": a_field(pointer_to(LIGHTSTEP), "lightstep"),
        "L": a_field(pointer_to(LIGHTSTEP), "lightstep"),
    },
)
BOOL_VALUE = message_type("main.BoolValue", {"Value": a_field(types.BOOL, "value")})
INT64_VALUE = message_type("main.Int64Value", {"Value": a_field(types.INT64, "value")})
PROXY_CONFIG = message_type(
    "main.ProxyConfig",
    {
        "InterceptionMode": a_field(MODE, "mode"),
        "Tracing": a_field(pointer_to(TRACING), "tracing"),
        "Addr": a_field(types.STRING, "addr"),
        "Hold": a_field(pointer_to(BOOL_VALUE), "hold"),
        "Max": a_field(pointer_to(INT64_VALUE), "max"),
        "NilIface": a_field(types.ANY, "nilIface"),
        "ProxyMetadata": a_field(types.MAP_STRING, "proxyMetadata"),
        "Concurrency": a_field(types.INT32, "concurrency"),
    },
)
DATA = StructType(
    name="main.Data",
    fields={
        "Values": a_field(types.MAP_ANY, "values"),
        "ObjectMeta": a_field(META, "metadata"),
        "NilMeta": a_field(pointer_to(META)),
        "PM": a_field(pointer_to(META)),
        "ProxyConfig": a_field(pointer_to(PROXY_CONFIG)),
        "NilPC": a_field(pointer_to(PROXY_CONFIG)),
        "Spec": a_field(SPEC),
        "UID": a_field(types.INT64),
        "ListenPort": a_field(types.INT32),
        "Native": a_field(types.BOOL),
    },
)

VALUES = from_json(
    {
        "s": "str",
        "n": None,
        "i": 15020,
        "list": ["a", 1, None, {"x": 1}],
        "empty": "",
        "t": True,
        "f": False,
        "zero": 0,
        "big": 1000000,
        "mill": 999999,
        "h": 100000,
        "big2": 123456789,
        "e20": 1e20,
        "e21": 1e21,
        "fl": 1.5,
        "sm": 0.00001,
        "sm2": 0.0001,
        "neg": -3,
        "m": {"a": None, "b": "two", "c": True, "z": 1},
        "deep": {"n": None},
        "elist": [],
        "emap": {},
        "html": "<a&b>",
    }
)


def a_dot() -> dict[str, Value]:
    """The fields of the dot, fresh: structs remember what was read of them."""
    return {
        "Values": VALUES,
        "ObjectMeta": read(META, {"name": "x", "annotations": {"k": "v", "empty": ""}}),
        "PM": read(pointer_to(META), {}),
        "NilMeta": NilPointer(pointer_to(META)),
        "NilPC": NilPointer(pointer_to(PROXY_CONFIG)),
        "ProxyConfig": read(
            pointer_to(PROXY_CONFIG),
            {"mode": 1, "concurrency": 2, "proxyMetadata": {"A": "1", "B": "2"}},
        ),
        "Spec": read(
            SPEC,
            {
                "containers": [
                    {
                        "name": "a",
                        "ports": [
                            {"name": "http", "containerPort": 80},
                            {"containerPort": 90, "protocol": "UDP"},
                        ],
                    },
                    {"name": "b"},
                ]
            },
        ),
        "UID": Int64(1337),
        "ListenPort": Int32(15001),
        "Native": True,
    }


def _boom() -> str:
    raise FunctionError("boom")


def _pan() -> str:
    raise FunctionError("pan")


def _annotation(meta: Struct, name: str, default: Value) -> str:
    annotations = meta.get("Annotations")
    return annotations[name] if name in annotations else fmt.format_value(default)


def _value_or_default(value: Value, default: Value) -> Value:
    return default if value is None or (type(value) is str and not value) else value


def _shown_map(value: TypedMap) -> str:
    return f"map[string]string:{'true' if value.is_nil else 'false'}:{fmt.format_value(value)}"


def _quote(*values: Value) -> str:
    return " ".join(quote(fmt.format_value(value)) for value in values if value is not None)


def _squote(*values: Value) -> str:
    return " ".join(f"'{fmt.format_value(value)}'" for value in values if value is not None)


def a_function(call: object, *params: Type, result: Type = types.STRING, **more: object) -> Function:
    return Function(call=call, params=params, result=result, **more)


FUNCTIONS: Mapping[str, Function] = {
    "strf": a_function(lambda text: f"<{text}>", types.STRING),
    "anyf": a_function(lambda value: f"{type_name(value)}:{fmt.format_value(value)}", types.ANY),
    "intf": a_function(lambda number: f"i{number}", types.INT),
    "smap": a_function(_shown_map, types.MAP_STRING),
    "isset": a_function(lambda items, key: key in items, types.MAP_STRING, types.STRING, result=types.BOOL),
    "annotation": a_function(_annotation, META, types.STRING, types.ANY, looks_up="Annotations"),
    "valueOrDefault": a_function(_value_or_default, types.ANY, types.ANY, result=types.ANY),
    "nilf": a_function(lambda: None, result=types.ANY),
    "boom": a_function(_boom),
    "pan": a_function(_pan),
    "mk": a_function(
        lambda: TypedMap({"a": 2, "b": 3}, map_of(types.STRING, types.INT)),
        result=map_of(types.STRING, types.INT),
    ),
    "json": a_function(lambda value: f"{{{fmt.format_value(value)}}}", types.ANY, text=True),
    "indent": a_function(lambda text: text.replace("\n", "\n  "), types.STRING),
    "quote": a_function(_quote, types.ANY, variadic=True, quotes='"'),
    "squote": a_function(_squote, types.ANY, variadic=True, quotes="'"),
}
