"""The template functions of a release: sprig's and Istio's.

Go's built-in functions belong to the engine. ``env`` reads the mapping it is given, never the environment of
this process.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from types import MappingProxyType
from typing import Any, Final

from injector.errors import TemplateError
from injector.gotemplate import (
    Function,
    Struct,
    StructType,
    Template,
    Type,
    Value,
    compile_template,
    pointer_to,
    slice_of,
    sprig,
    types,
)
from injector.injection.dot.functions import encoding, pods, values
from injector.istio.facts import NEWEST, OLDEST, Fact, Source, Span, inject, modules
from injector.istio.go_types import OBJECT_META, struct
from injector.istio.mesh.descriptors import MESH_CONFIG, schema_of
from injector.istio.mesh.loading import Mesh
from injector.istio.mesh.views import message_of, struct_type
from injector.istio.releases import NEWEST_RELEASE, Behaviour, behaviour_of
from injector.memo import Memo

_SPRIG: Final = {
    "3.1.0": Span(since=8, source=modules(r"Masterminds/sprig/v3 v3\.")),
    "3.2.0": Span(since=9, source=modules(r"Masterminds/sprig/v3 v3\.[2-9]")),
    "3.3.0": Span(since=24, source=modules(r"Masterminds/sprig/v3 v3\.[3-9]")),
}
"""Versions of sprig, and the minor releases that have at least its functions."""

_ANY, _STRING, _BOOL = types.ANY, types.STRING, types.BOOL
_STRING_MAP: Final = types.MAP_STRING
_MESSAGE: Final = Type(kind="interface", name="proto.Message", named=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _FunctionRow:
    """A function and the releases that have it in this form."""

    name: str
    span: Span
    function: Function


def function_map(
    behaviour: Behaviour, *, env: Mapping[str, str], mesh: Mesh | None
) -> Mapping[str, Function]:
    """Return every function that templates of a release may call, except Go's built-in ones.

    ``env`` is istiod's environment; ``mesh`` knows which fields of a ProxyConfig protoToJSON leaves out.
    """
    table = dict(_sprig(behaviour.minor))
    for row in _rows(behaviour, env, mesh):
        if row.span.covers(behaviour.minor):
            table[row.name] = row.function
    if _RENDER.covers(behaviour.minor):
        call = _renderer(table, behaviour)
        table["render"] = Function(call=call, params=(_STRING,), result=_STRING, pure=False, needs_dot=True)
    return MappingProxyType(table)


_PROTOCOLS: Final = r"p\.Protocol == corev1\.ProtocolUDP"
_RENDER: Final = Span(since=2, until=13, source=inject(r'funcMap\["render"\]'))


def facts() -> Iterator[Fact]:
    """Yield the functions of all releases; one that changed is yielded once for each form."""
    for version, span in _SPRIG.items():
        yield Fact(name=f"sprig {version}", meaning="the functions of this version of sprig", span=span)
    yield Fact(name="render", meaning="a function of templates", span=_RENDER)
    for row in _rows(behaviour_of(NEWEST_RELEASE), {}, None):
        yield Fact(name=row.name, meaning="a function of templates", span=row.span)


@cache
def _sprig(minor: int) -> Mapping[str, Function]:
    """Return sprig's functions in the version that the release came with."""
    if not _SPRIG["3.1.0"].covers(minor):
        return {}
    later = [sprig.ADDED[version] for version in sprig.ADDED if not _SPRIG[version].covers(minor)]
    unknown = frozenset().union(*later)
    functions = sprig.functions(encoding.encode, encoding.decode)
    return {name: function for name, function in functions.items() if name not in unknown}


def _rows(behaviour: Behaviour, env: Mapping[str, str], mesh: Mesh | None) -> Iterator[_FunctionRow]:
    """Yield Istio's functions, each form of one that changed."""
    kubernetes = behaviour.kubernetes
    containers = slice_of(struct("core/v1.Container", kubernetes))
    yield from _about_pods(struct(OBJECT_META, kubernetes), containers)
    yield from _about_networks()
    yield from _about_texts()
    yield from _about_json()
    yield from _about_maps()
    yield _row("env", _reader(env), (_STRING, _STRING), since=5)
    yield _row("protoToJSON", _proto_encoder(mesh), (_MESSAGE,), since=4, text=True)
    mesh_config = pointer_to(struct_type(schema_of(behaviour.minor).message(MESH_CONFIG)))
    attributes = (mesh_config, _STRING_MAP, _STRING_MAP, _STRING, containers)
    yield _row("otelResourceAttributes", pods.otel_resource_attributes, attributes, since=30)


def _row(
    name: str,
    call: Callable[..., Any],
    params: tuple[Type, ...],
    *,
    since: int = OLDEST,
    until: int = NEWEST,
    source: Source | None = None,
    result: Type = types.STRING,
    **facts: Any,
) -> _FunctionRow:
    """Return a function; without ``source``, its reference is Istio's map of functions."""
    function = Function(call=call, params=params, result=result, **facts)
    span = Span(
        since=since, until=until, source=source or inject(rf'"{name}": +[a-zA-Z.]+,|funcMap\["{name}"\]')
    )
    return _FunctionRow(name=name, span=span, function=function)


def _about_pods(metadata: Type, containers: Type) -> Iterator[_FunctionRow]:
    duration = pointer_to(StructType(name="types.Duration"))
    newer_duration = pointer_to(StructType(name="durationpb.Duration"))
    of_containers = (containers,)
    yield _row("annotation", pods.annotation, (metadata, _STRING, _ANY), looks_up="Annotations")
    yield _row("isset", operator.contains, (_STRING_MAP, _STRING), result=_BOOL)
    yield _row("excludeInboundPort", pods.exclude_inbound_port, (_ANY, _STRING))
    every, tcp = inject(_PROTOCOLS, absent=True), inject(_PROTOCOLS)
    for name, ports_of in (
        ("includeInboundPorts", pods.inbound_ports),
        ("applicationPorts", pods.application_ports),
    ):
        of_tcp = partial(ports_of, ignored=pods.NOT_TCP)
        yield _row(name, ports_of, of_containers, until=3, source=every)
        yield _row(name, of_tcp, of_containers, since=4, source=tcp)
    older = inject(r"ptypes\.Duration\(in\)|types\.DurationFromProto\(in\)")
    yield _row("formatDuration", values.format_duration_or_second, (duration,), until=13, source=older)
    newer = inject(r"in\.AsDuration\(\)")
    yield _row("formatDuration", values.format_duration, (newer_duration,), since=14, source=newer)


def _about_networks() -> Iterator[_FunctionRow]:
    two = (_STRING, _STRING)
    yield _row("kubevirtInterfaces", values.identity, (_STRING,), since=1)
    yield _row("excludeInterfaces", values.identity, (_STRING,), since=15)
    name = "appendMultusNetwork"
    spliced = inject("func appendMultusNetwork", exact=False)
    yield _row(name, pods.splice_multus_network, two, since=8, until=8, source=spliced)
    known = inject(r'net\["name"\] == istioCniNetwork \{')
    yield _row(name, pods.append_multus_network, two, since=9, until=22, source=known)
    qualified = inject(r"SplitQualifiedName\(istioCniNetwork\)")
    yield _row(name, pods.append_multus_network_with_namespace, two, since=23, source=qualified)


def _about_texts() -> Iterator[_FunctionRow]:
    two = (_STRING, _STRING)
    yield _row("directory", values.directory, (_STRING,), since=1)
    yield _row("indent", values.indent, (types.INT, _STRING), since=1)
    yield _row("contains", values.contains, two, since=2, result=_BOOL)
    yield _row("toLower", sprig.cases.lower, (_STRING,), since=3)
    of_texts = inject(r"func valueOrDefault\(value string")
    yield _row("valueOrDefault", values.value_or_default, two, since=1, until=1, source=of_texts)
    of_any = inject(r"func valueOrDefault\(value (interface|any)")
    yield _row("valueOrDefault", values.value_or_default, (_ANY, _ANY), since=2, source=of_any, result=_ANY)


def _about_json() -> Iterator[_FunctionRow]:
    yield _row("toJson", values.to_json_map, (_STRING_MAP,), until=18, text=True)
    yield _row("toJSON", values.to_json_map, (_STRING_MAP,), since=1, text=True)
    yield _row("fromJSON", values.from_json_text, (_STRING,), since=1, result=_ANY)
    yield _row("toYaml", encoding.to_yaml, (_ANY,), since=1, text=True)
    yield _row("structToJSON", values.struct_to_json, (_ANY,), since=3, text=True)


def _about_maps() -> Iterator[_FunctionRow]:
    yield _row("omit", values.omit, (_STRING_MAP, _STRING), since=18, result=_STRING_MAP, variadic=True)
    yield _row("strdict", values.string_dictionary, (_STRING,), since=18, result=_STRING_MAP, variadic=True)
    yield _row("toJsonMap", values.merged_json, (_STRING_MAP,), since=18, variadic=True, text=True)
    yield _row("mergeMaps", values.merge_maps, (_STRING_MAP,), since=21, result=_STRING_MAP, variadic=True)
    yield _row("omitNil", values.omit_nil, (_ANY,), since=28, result=_ANY)


def _reader(env: Mapping[str, str]) -> Callable[[str, str], str]:
    """Return Istio's ``env``, which treats an empty variable as unset."""
    return lambda name, default: env.get(name) or default


def _proto_encoder(mesh: Mesh | None) -> Callable[[Value], str]:
    """Return protoToJSON; a nil message, and a value that is not a message, is ``{}``."""

    def encode(value: Value) -> str:
        message = message_of(value) if isinstance(value, Struct) else None
        if message is None or mesh is None:
            return "{}"
        return mesh.to_template_json(message)

    return encode


# ---- render: a text that is itself a template (1.2 to 1.13)

_KEPT: Final = 256
"""Compiled texts that are kept; Istio's charts render none, other charts one or two."""

_KEPT_BYTES: Final = 4 << 20
"""For compiled texts, each of which may have 900 characters."""

_SMALLEST: Final = 20 << 10
_FACTOR: Final = 256
"""Bytes of a compiled text: a constant part, and for each character of a text of nothing but actions.
Measured."""


def _renderer(functions: Mapping[str, Function], behaviour: Behaviour) -> Callable[[Value, str], str]:
    """Return the function; the text may call ``functions``, and a text that fails renders as ""."""
    kept: Memo[tuple[str, StructType], Template] = Memo(_KEPT_BYTES, _KEPT)

    def compiled(text: str, dot: StructType) -> Template:
        template = kept.get((text, dot))
        if template is None:
            template = compile_template(
                "inject", text, functions=functions, dot_type=dot, delimiters=behaviour.delimiters
            )
            kept.put((text, dot), template, _SMALLEST + _FACTOR * len(text))
        return template

    def render(dot: Value, text: str) -> str:
        if behaviour.delimiters[0] not in text:
            return text
        if not isinstance(dot, Struct):  # in a template that was called with another dot
            return ""
        try:
            template = compiled(text, dot.type)
            return template.render({name: dot.get(name) for name in dot.type.fields}).text
        except TemplateError:
            return ""

    return render
