"""Load a mesh configuration for a minor.

The user's text is laid over Istio's defaults by the rules of the minor: the ProxyConfig in it is merged field
by field, everything else is replaced. Releases have laid one ProxyConfig over another in three ways: by
jsonpb onto the lower one; the same with proxyMetadata laid over key by key (1.10); and between layers by
protobuf's own Merge (1.13 to 1.15), later replaced by a conversion through YAML.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from injector.errors import ConfigError, YAMLError
from injector.golang.times import SECOND, seconds_and_nanos
from injector.istio.facts import Fact, Span, inject, layer_code, mesh_code
from injector.istio.mesh.defaults import default_mesh_config, default_proxy_config
from injector.istio.mesh.descriptors import (
    Data,
    DurationType,
    Message,
    MessageError,
    MessageField,
    MessageType,
    WrapperType,
)
from injector.istio.mesh.jsonpb import apply, proto_to_json, to_json, unknown_fields
from injector.istio.mesh.mesh_validation import mesh_faults
from injector.json_types import JSON
from injector.kubeyaml import load

_DEFAULTS_AGAIN: Final = Span(until=6, source=mesh_code("origProxyConfigYAML"))
_MERGES_PROVIDERS: Final = Span(since=11, source=mesh_code("prevExtensionProviders"))
_UNITES_ALIASES: Final = Span(since=12, source=mesh_code("prevTrustDomainAliases"))
_CLEANS: Final = Span(since=6, source=inject("func cleanProxyConfig"))
_CLEANS_METADATA: Final = Span(since=9, source=inject(r"len\(pc\.ProxyMetadata\) == 0"))

_OVERLAYS_METADATA: Final = Span(since=10, source=mesh_code("func mergeMap"))
_KEEPS_HEADERS: Final = Span(since=19, source=mesh_code("func correctProxyHeaders"))
_KEPT_HEADERS: Final = ("forwardedClientCert", "requestId", "attemptCount", "server", "envoyDebugHeaders")
_PROTO_MERGE: Final = Span(since=13, until=15, source=layer_code(r"\.Merge\(merged, pcs"))
_REPLACES_IMAGE: Final = Span(since=14, until=15, source=layer_code(r"merged\.Image = "))
_REPLACES_DURATIONS: Final = Span(since=14, until=15, source=layer_code(r"merge\.Merge\(merged, pcs"))

FACTS: Final = (
    Fact(
        name="defaultConfig",
        meaning="is printed and laid over the defaults: a zero is lost",
        span=_DEFAULTS_AGAIN,
    ),
    Fact(name="extensionProviders", meaning="are merged by name", span=_MERGES_PROVIDERS),
    Fact(name="trustDomainAliases", meaning="are united with the default ones", span=_UNITES_ALIASES),
    Fact(name="protoToJSON", meaning="prints a ProxyConfig without its defaults", span=_CLEANS),
    Fact(name="protoToJSON", meaning="and without an empty proxyMetadata", span=_CLEANS_METADATA),
    Fact(name="proxyMetadata", meaning="is laid over key by key", span=_OVERLAYS_METADATA),
    Fact(name="proxyHeaders", meaning="what is not given of it is kept", span=_KEEPS_HEADERS),
    Fact(name="layers of a ProxyConfig", meaning="are joined by protobuf's Merge", span=_PROTO_MERGE),
    Fact(name="image of a layer", meaning="replaces the lower one", span=_REPLACES_IMAGE),
    Fact(name="durations of a layer", meaning="replace the lower ones, also 0s", span=_REPLACES_DURATIONS),
)
_MERGE: Final = "enablePrometheusMerge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mesh:
    """An effective MeshConfig.

    ``proxy_defaults`` is what Istio compares a ProxyConfig with before printing it; ``ignored`` are the paths
    of the text for which there is no field, ``asks_for_merge`` the text's own enablePrometheusMerge.
    """

    minor: int
    config: Message
    proxy_defaults: Message
    ignored: tuple[str, ...] = ()
    asks_for_merge: bool | None = None

    @property
    def proxy_config(self) -> Message:
        """The field defaultConfig: the ProxyConfig of a pod without its own."""
        found = self.config.submessage("defaultConfig")
        return self.proxy_defaults if found is None else found

    def to_template_json(self, message: Message) -> str:
        """Return what the template function protoToJSON prints: a ProxyConfig without its defaults (1.6)."""
        if message.type is self.proxy_defaults.type and _CLEANS.covers(self.minor):
            message = _without_defaults(message, self.proxy_defaults)
        return proto_to_json(message)


def _without_defaults(config: Message, defaults: Message) -> Message:
    """Return ``config`` without values that are defaults, from 1.9 also without an empty proxyMetadata."""
    keeps_empty = not _CLEANS_METADATA.covers(config.type.schema.minor)
    data = {
        name: value
        for name, value in config.data.items()
        if not (name in defaults.data and defaults.data[name] == value)
        and (name != "proxyMetadata" or value or keeps_empty)
    }
    return Message(type=config.type, data=data)


def load_mesh(text: str, minor: int, *, file: str = "") -> Mesh:
    """Return the Mesh of the ConfigMap's key ``mesh``, the default one if it is empty; raises ConfigError."""
    value = _parse(text, file)
    try:
        config = _apply_mesh(default_mesh_config(minor), value)
    except MessageError as error:
        raise ConfigError(f"mesh configuration: {error}", file=file) from error
    made = Mesh(
        minor=minor,
        config=config,
        proxy_defaults=default_proxy_config(minor),
        ignored=tuple(unknown_fields(config.type, value)),
        asks_for_merge=None if _part(value, _MERGE) is None else config.get(_MERGE),
    )
    faults = mesh_faults(config, made.proxy_config)
    if faults:
        raise ConfigError(f"mesh configuration: {'; '.join(faults)}", file=file)
    return made


def _parse(text: str, file: str) -> JSON:
    try:
        return load(text, source=file, alone=True)
    except YAMLError as error:
        raise ConfigError(error.reason, file=file, line=error.line) from error


def _apply_mesh(defaults: Message, value: JSON) -> Message:
    merged = apply(defaults, value)
    minor = defaults.type.schema.minor
    changes: dict[str, Any] = {"defaultConfig": _proxy_config(defaults, merged, value).data}
    if _MERGES_PROVIDERS.covers(minor):
        changes |= _providers(defaults, merged, value)
    if _UNITES_ALIASES.covers(minor):
        aliases = {*merged.get("trustDomainAliases", ()), *defaults.get("trustDomainAliases", ())}
        none: list[str] | None = [] if defaults.type.schema.gogo else None
        changes["trustDomainAliases"] = sorted(aliases, key=str.encode) or none
    return merged.replace(**changes)


def _proxy_config(defaults: Message, merged: Message, value: JSON) -> Message:
    minor = defaults.type.schema.minor
    base = default_proxy_config(minor)
    if _DEFAULTS_AGAIN.covers(minor):
        given = merged.submessage("defaultConfig")
        return apply(base, None if given is None else to_json(given))
    return merge_proxy_config(base, _part(value, "defaultConfig"))


def _providers(defaults: Message, merged: Message, value: JSON) -> dict[str, Any]:
    """Return the providers: the text applies to the default ones, the others are merged by name."""
    before = defaults.submessage("defaultProviders")
    assert before is not None  # noqa: S101 - a default since there are providers
    extensions = [*defaults.get("extensionProviders"), *merged.get("extensionProviders", ())]
    if None in extensions:  # gogo's jsonpb keeps it, and Istio crashes
        raise MessageError("a provider of extensionProviders is null")
    return {
        "defaultProviders": apply(before, _part(value, "defaultProviders")).data,
        "extensionProviders": list({each.get("name"): each for each in extensions}.values()),
    }


def _part(value: JSON, key: str) -> JSON:
    """Return one key of the text in exactly this spelling: Istio cuts it out before decoding."""
    return value.get(key) if isinstance(value, dict) else None


# ---- one ProxyConfig over another


def merge_proxy_config(base: Message, value: JSON) -> Message:
    """Return ``base`` with the ProxyConfig of a mesh or an annotation over it; raises MessageError."""
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

    From 1.16 a layer is printed as JSON and read again as YAML. There U+0085 in a string is a line break, so
    a space; a layer with another control character from U+007F on, or with U+0085 in a key, is left out.
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
    """Return protobuf's Merge: lists are joined, maps and messages merged, a zero value never wins."""
    data = dict(before)
    for each in declared.fields:
        if each.json_name not in after:
            continue
        value, known = after[each.json_name], data.get(each.json_name)
        for member in declared.oneofs.get(each.oneof, ()):
            data.pop(member, None)
        data[each.json_name] = value if known is None else _merge_field(declared, each, known, value)
    return data


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
    """Merge seconds and nanoseconds separately: each is taken from ``after`` unless it is zero there."""
    pairs = zip(seconds_and_nanos(after), seconds_and_nanos(before), strict=True)
    seconds, nanos = (given or known for given, known in pairs)
    return seconds * SECOND + nanos
