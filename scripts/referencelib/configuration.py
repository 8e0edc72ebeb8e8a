"""The keys of the three texts that configure an injector, from the code that reads them."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from injector.budget import ReviewLimits
from injector.cli.options import FEATURES
from injector.injection import config as inject_config
from injector.istio.facts import RELEASED
from injector.istio.mesh.descriptors import (
    MESH_CONFIG,
    PROXY_CONFIG,
    EnumType,
    MessageType,
    ScalarType,
    WrapperType,
    schema_of,
)
from injector.kubeyaml import load
from injector.templates import BUILT_IN, built_in
from referencelib.markdown import cell, code, table

KEYS: Final = {
    "policy": "`enabled` or `disabled`, for pods without a choice of their own. `serve` and `lint` refuse "
    "any other word.",
    "templates": "From 1.9: name → text of a template that makes a pod overlay.",
    "template": "Up to 1.8: the text of the only template, which makes a SidecarInjectionSpec.",
    "defaultTemplates": "Templates of a pod without `inject.istio.io/templates`; `[sidecar]` when empty.",
    "aliases": "Name → names of templates, for use in that annotation.",
    "neverInjectSelector": "Label selectors; a pod that matches one is injected only if its label says so.",
    "alwaysInjectSelector": "Label selectors; a pod that matches one is injected whatever `policy` says.",
    "injectedAnnotations": "Annotations that every injected pod gets.",
}
FEATURE_MEANING: Final = {
    "ENABLE_NATIVE_SIDECARS": "`auto`, `true` or `false`: istio-proxy as a native sidecar.",
    "COMPLIANCE_POLICY": "What templates see as `.CompliancePolicy`, such as `fips-140-2`.",
    "PLATFORM": "`openshift`: user ids come from the namespace's annotations.",
    "REWRITE_TCP_PROBES": "`false` leaves TCP probes alone.",
    "ENABLE_LEGACY_FSGROUP_INJECTION": "Whether pods get `fsGroup` 1337 in 1.8.",
    "JWT_POLICY": "`first-party-jwt`: in 1.8 pods get no `fsGroup`, unless ENABLE_LEGACY_FSGROUP_INJECTION "
    "says so.",
    "CLUSTER_ID": "The id of this cluster, `Kubernetes` when not given. The nodes of pods of other clusters "
    "are not known.",
}
_READERS: Final = frozenset(("string", "strings", "string_map", "selectors", "get"))


def page(note: str) -> str:
    """Return the page of configuration keys."""
    return f"""\
# Configuration

{note} The injector reads the same three texts as istiod: the keys `config` and `values` of the ConfigMap
`istio-sidecar-injector`, and the key `mesh` of the ConfigMap `istio`. `sidecar-injector lint` checks them.
[commands.md](commands.md#serve) has the options of the webhook, [annotations.md](../annotations.md) what a
pod can set.

## config

{table(("key", "is"), _config())}
Upper and lower case do not matter in keys, as in Go. Other keys are ignored.

## values

Everything that the templates read below `.Values`. From 1.8 on a release checks the types of the keys that
it knows. The injector itself also reads:

{table(("key", "decides"), VALUES.items())}
{"".join(map(_built_in, BUILT_IN))}
## mesh

Istio's MeshConfig. Your text overrides Istio's defaults; `defaultConfig` is merged field by field. These
are the fields of 1.{RELEASED}. An older release has fewer or other fields, and `lint` warns of those that
it does not know.

{table(("field of MeshConfig", "type"), _message(MESH_CONFIG))}
`defaultConfig`, the annotation `proxy.istio.io/config` and ProxyConfig resources:

{table(("field of ProxyConfig", "type"), _message(PROXY_CONFIG))}
## istiod's environment

Given with `--env NAME=value`.

{table(("variable", "does"), ((code(name), FEATURE_MEANING[name]) for name in FEATURES))}
A template reads any other variable with the function `env`.

## What one review may use

Set with `--review-limit NAME=NUMBER`.
[COMPATIBILITY.md](../../COMPATIBILITY.md#what-one-review-may-use) says what each counts.

{table(("name", "at most"), ((code(each.name), f"{each.default:,}") for each in fields(ReviewLimits)))}"""


VALUES: Final = {
    "`global.tag`, `global.proxy.image`": "the release, if `--release` is not given",
    "`global.hub`, `global.variant`": "together with the tag, the image of the proxy (`.ProxyImage`)",
    "`sidecarInjectorWebhook.rewriteAppHTTPProbe`": "whether probes go to the sidecar's agent",
    "`global.proxy.holdApplicationUntilProxyStarts`": "whether the sidecar comes first and waits",
    "`global.multiCluster.clusterName`": "the cluster's id, if the URL names none",
    "`global.network`": "the network, if the URL names none",
}


def _config() -> Iterator[tuple[str, str]]:
    tree = ast.parse(Path(inject_config.__file__).read_text(encoding="utf-8"))
    found = set(_keys(tree))
    yield from ((code(key), KEYS[key]) for key in KEYS if key in found)
    if unknown := found - set(KEYS):
        raise SystemExit(f"say in scripts/referencelib/configuration.py what the keys {sorted(unknown)} are")


def _keys(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if node.func.attr == "aliases":
            yield "aliases"
        reads = node.func.attr in _READERS and _is_reader(node.func.value)
        if reads and node.args and isinstance(node.args[0], ast.Constant):
            yield str(node.args[0].value)


def _is_reader(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "reader"


def _built_in(name: str) -> str:
    """Return the values that a built-in template reads, with their defaults."""
    texts = built_in(name)
    values = load(texts.values)
    paths = sorted(set(re.findall(r"\.Values\.([\w.]*\w)", texts.config)))
    rows = ((code(path), code(_shown(values, path))) for path in paths)
    return (
        f"\nThe built-in template `{name}` reads these keys. Without `--inject-config-file` your\n"
        f"`--values-file` overrides these defaults:\n\n{table(('key', 'default'), rows)}"
    )


def _shown(values: Any, path: str) -> str:
    for key in path.split("."):
        values = values.get(key) if isinstance(values, dict) else None
    return "" if values in (None, "") else json.dumps(values) if not isinstance(values, str) else values


def _message(name: str) -> Iterator[tuple[str, str]]:
    schema = schema_of(RELEASED)
    for field in sorted(schema.fields_of(name), key=lambda each: each.json_name):
        shown = _type(field.type)
        wrapped = {"list": f"list of {shown}", "map": f"map to {shown}"}.get(field.label, shown)
        yield code(field.json_name), cell(wrapped)


def _type(declared: Any) -> str:
    if isinstance(declared, WrapperType):
        return declared.scalar.name
    if isinstance(declared, ScalarType):
        return declared.name
    if isinstance(declared, EnumType):
        return ", ".join(map(code, declared.names.values()))
    if isinstance(declared, MessageType):
        return declared.name.rpartition(".")[2]
    return type(declared).__name__.removesuffix("Type").lower()
