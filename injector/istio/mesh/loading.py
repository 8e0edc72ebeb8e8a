"""The text of a mesh configuration and a minor in, the Mesh out.

What a user writes is laid over Istio's defaults by the rules of the minor: the ProxyConfig in it is merged
field by field, everything else replaced.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from injector.errors import ConfigError, YAMLError
from injector.istio.facts import Fact, Span, inject, mesh_code
from injector.istio.mesh.defaults import clean_proxy_config, default_mesh_config, default_proxy_config
from injector.istio.mesh.descriptors import Message, MessageError
from injector.istio.mesh.merging import merge_proxy_config
from injector.istio.mesh.mesh_validation import mesh_faults
from injector.istio.mesh.reading import apply, unknown_fields
from injector.istio.mesh.writing import proto_to_json, to_json
from injector.json_types import JSON
from injector.kubeyaml import load

_DEFAULTS_AGAIN: Final = Span(until=6, source=mesh_code("origProxyConfigYAML"))
_MERGES_PROVIDERS: Final = Span(since=11, source=mesh_code("prevExtensionProviders"))
_UNITES_ALIASES: Final = Span(since=12, source=mesh_code("prevTrustDomainAliases"))
_CLEANS: Final = Span(since=6, source=inject("func cleanProxyConfig"))
_CLEANS_METADATA: Final = Span(since=9, source=inject(r"len\(pc\.ProxyMetadata\) == 0"))

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
)
_MERGE: Final = "enablePrometheusMerge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mesh:
    """An effective MeshConfig.

    ``proxy_defaults`` is what Istio compares a ProxyConfig with before printing it; ``ignored`` are the paths
    of the text that no field takes, ``asks_for_merge`` what the text itself says of enablePrometheusMerge.
    """

    minor: int
    config: Message
    proxy_defaults: Message
    ignored: tuple[str, ...] = ()
    asks_for_merge: bool | None = None

    @property
    def proxy_config(self) -> Message:
        """The field defaultConfig: the ProxyConfig of a pod that says nothing."""
        found = self.config.submessage("defaultConfig")
        return self.proxy_defaults if found is None else found

    def to_template_json(self, message: Message) -> str:
        """Return what the template function protoToJSON prints: a ProxyConfig without its defaults (1.6)."""
        if message.type is self.proxy_defaults.type and _CLEANS.covers(self.minor):
            message = clean_proxy_config(
                message, self.proxy_defaults, metadata=_CLEANS_METADATA.covers(self.minor)
            )
        return proto_to_json(message)


def load_mesh(text: str, minor: int, *, file: str = "") -> Mesh:
    """Return the Mesh that the text of the ConfigMap's key ``mesh`` gives; an empty text gives the defaults.

    Raises ConfigError.
    """
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
        return load(text, source=file)
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
    """Return the providers: the default ones are applied to, the others merged by name."""
    before = defaults.submessage("defaultProviders")
    assert before is not None  # noqa: S101 - a default since there are providers
    extensions = _merge_by_name(defaults.get("extensionProviders"), merged.get("extensionProviders", ()))
    return {
        "defaultProviders": apply(before, _part(value, "defaultProviders")).data,
        "extensionProviders": extensions,
    }


def _merge_by_name(before: Sequence[Any], after: Sequence[Any]) -> list[Any]:
    merged = list(before)
    for provider in after:
        places = [index for index, known in enumerate(merged) if known.get("name") == provider.get("name")]
        if places:
            merged[places[0]] = provider
        else:
            merged.append(provider)
    return merged


def _part(value: JSON, key: str) -> JSON:
    """Return one key of the text, spelt exactly so: Istio cuts it out before anything is decoded."""
    return value.get(key) if isinstance(value, dict) else None
