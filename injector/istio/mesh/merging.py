"""Messages in, messages out: how Istio lays one ProxyConfig over another.

Three ways came one after the other: jsonpb onto the lower one, the same with proxyMetadata laid over key by
key (1.10), and between layers protobuf's own Merge (1.13 to 1.15), which was given up for a way through YAML.
"""

from __future__ import annotations

from typing import Any, Final

from injector.errors import YAMLError
from injector.golang.times import SECOND, seconds_and_nanos
from injector.istio.facts import Fact, Span, layer_code, mesh_code
from injector.istio.mesh.descriptors import (
    Data,
    DurationType,
    Message,
    MessageField,
    MessageType,
    WrapperType,
)
from injector.istio.mesh.reading import apply
from injector.istio.mesh.writing import proto_to_json
from injector.json_types import JSON
from injector.kubeyaml import load

_OVERLAYS_METADATA: Final = Span(since=10, source=mesh_code("func mergeMap"))
_KEEPS_HEADERS: Final = Span(since=19, source=mesh_code("func correctProxyHeaders"))
_KEPT_HEADERS: Final = ("forwardedClientCert", "requestId", "attemptCount", "server", "envoyDebugHeaders")
_PROTO_MERGE: Final = Span(since=13, until=15, source=layer_code(r"\.Merge\(merged, pcs"))
_REPLACES_IMAGE: Final = Span(since=14, until=15, source=layer_code(r"merged\.Image = "))
_REPLACES_DURATIONS: Final = Span(since=14, until=15, source=layer_code(r"merge\.Merge\(merged, pcs"))

FACTS: Final = (
    Fact(name="proxyMetadata", meaning="is laid over key by key", span=_OVERLAYS_METADATA),
    Fact(name="proxyHeaders", meaning="what is not given of it is kept", span=_KEEPS_HEADERS),
    Fact(name="layers of a ProxyConfig", meaning="are joined by protobuf's Merge", span=_PROTO_MERGE),
    Fact(name="image of a layer", meaning="replaces the lower one", span=_REPLACES_IMAGE),
    Fact(name="durations of a layer", meaning="replace the lower ones, also 0s", span=_REPLACES_DURATIONS),
)


def merge_proxy_config(base: Message, value: JSON) -> Message:
    """Return ``base`` with the ProxyConfig of JSON ``value`` over it, as a mesh or an annotation gives it.

    Raises MessageError.
    """
    merged = apply(base, value)
    minor = base.type.schema.minor
    if _OVERLAYS_METADATA.covers(minor):
        merged = _with_metadata(base, merged)
    if _KEEPS_HEADERS.covers(minor):
        merged = _with_headers(base, merged)
    return merged


def _with_metadata(base: Message, merged: Message) -> Message:
    before, after = base.get("proxyMetadata"), merged.get("proxyMetadata")
    if before is after or before is None:
        return merged
    return merged.replace(proxyMetadata={**before, **(after or {})})


def _with_headers(base: Message, merged: Message) -> Message:
    before, after = base.get("proxyHeaders"), merged.get("proxyHeaders")
    if before is after or before is None or after is None:
        return merged
    kept = {name: before[name] for name in _KEPT_HEADERS if name in before}
    return merged.replace(proxyHeaders={**kept, **after})


def layer(base: Message, override: Message) -> Message:
    """Return ``base`` with ``override`` over it, as Istio joins the layers of an effective ProxyConfig.

    From 1.16 a layer is printed as JSON and read again as YAML. There U+0085 in a string is a line break,
    so a space; a layer with another control character from U+007F on, or with U+0085 in a key, is left out.
    """
    if _PROTO_MERGE.covers(base.type.schema.minor):
        return _proto_layer(base, override)
    try:
        value = load(proto_to_json(override))
    except YAMLError:
        return base
    return merge_proxy_config(base, value)


def _proto_layer(base: Message, override: Message) -> Message:
    merged = Message(type=base.type, data=_merge(base.type, base.data, override.data))
    wholly = ["concurrency"]
    if _REPLACES_IMAGE.covers(base.type.schema.minor):
        wholly.append("image")
    given = {name: override.data[name] for name in wholly if name in override.data}
    return merged.replace(**given) if given else merged


def _merge(declared: MessageType, before: Data, after: Data) -> Data:
    """Return protobuf's Merge: lists are joined, maps and messages merged, a zero never wins."""
    data = dict(before)
    for each in declared.fields:
        if each.json_name not in after:
            continue
        value = after[each.json_name]
        if each.oneof:
            _clear_siblings(declared, data, each)
        known = data.get(each.json_name)
        data[each.json_name] = value if known is None else _merge_field(declared, each, known, value)
    return data


def _clear_siblings(declared: MessageType, data: dict[str, Any], each: MessageField) -> None:
    for sibling in declared.oneofs[each.oneof]:
        if sibling != each.json_name:
            data.pop(sibling, None)


def _merge_field(message: MessageType, each: MessageField, before: Any, after: Any) -> Any:
    if each.label == "list":
        return [*before, *after]
    if each.label == "map":
        return {**before, **after}
    match each.type:
        case MessageType():
            return _merge(each.type, before, after)
        case WrapperType():
            return after or before
        case DurationType() if not _REPLACES_DURATIONS.covers(message.schema.minor):
            return _merge_duration(before, after)
    return after


def _merge_duration(before: int, after: int) -> int:
    """Seconds and nanoseconds are two fields: each is taken from ``after`` unless it is zero there."""
    pairs = zip(seconds_and_nanos(after), seconds_and_nanos(before), strict=True)
    seconds, nanos = (given or known for given, known in pairs)
    return seconds * SECOND + nanos
