"""Istio's own templates, rendered by us and by Go's text/template: equal byte for byte.

The reference texts were rendered with three sets of inputs: defaults, everything on (``B-``), minimal (``C-``).
Templates are taken from the reference configurations; of releases without one nothing can be compared, and
1.6's come from another of its three charts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from injector.gotemplate import Struct, Value, compile_template
from injector.gotemplate.types import Int64
from injector.gotemplate.values import from_json
from injector.injection.dot.context import dot_type
from injector.injection.dot.functions import function_map
from injector.istio.go_types import OBJECT_META, POD_SPEC, struct
from injector.istio.mesh.descriptors import Message
from injector.istio.mesh.loading import load_mesh
from injector.istio.mesh.views import view
from injector.istio.releases import behaviour_of
from injector.patch.schema import NEWEST
from tests.conftest import shared_folder

TAGS = {
    "1.2": "1.2.10", "1.4": "1.4.10", "1.8": "1.8.6", "1.10": "1.10.6", "1.12": "1.12.9", "1.18": "1.18.7",
    "1.20": "1.20.8", "1.22": "1.22.8", "1.24": "1.24.6", "1.26": "1.26.8", "1.28": "1.28.10", "1.30": "1.30.3",
    "1.31": "1.31.0-rc.0",
}  # fmt: skip
FILES = {
    "template": "helm-injection-template",
    "sidecar": "injection-template",
    "gateway": "gateway-injection-template",
    "grpc-simple": "grpc-simple",
    "grpc-agent": "grpc-agent",
}
MESH = {
    "": "",
    "B": """
defaultConfig:
  statsdUdpAddress: statsd:9125
  concurrency: 3
  envoyMetricsService: {address: "ms:15000"}
  proxyMetadata: {B: "x<y>&z", ISTIO_META_DNS_CAPTURE: "true", ISTIO_META_ENABLE_HBONE: "true"}
  holdApplicationUntilProxyStarts: true
  tracing: {tlsSettings: {caCertificates: /etc/lightstep/cacert.pem}}
""",
    "C": """
defaultConfig:
  statsdUdpAddress: statsd:9125
  concurrency: 3
  envoyMetricsService: {address: "ms:15000"}
  proxyMetadata: {B: "x<y>&z", ISTIO_META_DNS_CAPTURE: "true", ISTIO_META_ENABLE_HBONE: "true"}
  tracing: {datadog: {address: "dd:8126"}}
""",
}
KNOWN = ("Values", "MeshConfig", "ProxyConfig", "Revision")


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """One template and the inputs of one of its reference texts."""

    release: str
    template: str
    inputs: str

    @property
    def file(self) -> str:
        """The name of the reference text."""
        prefix = f"{self.inputs}-" if self.inputs else ""
        name = FILES[self.template] if self.release != "1.8" else "injection-template"
        return f"{prefix}{TAGS[self.release]}-{name}.yaml"


@cache
def templates(folder: Path, release: str) -> Mapping[str, str]:
    old = folder / "conformance" / release / "configs" / "helm-default.yaml"
    new = folder / "conformance" / release / "configs" / "default.yaml"
    config = yaml.load((old if old.exists() else new).read_text(), yaml.CSafeLoader)
    return config.get("templates") or {"template": config["template"]}


def texts() -> Iterator[Text]:
    folder = shared_folder()
    for release in TAGS if folder else ():
        for template in templates(folder, release):
            for inputs in ("", "B", "C") if template in FILES else ():
                yield Text(release=release, template=template, inputs=inputs)


def proxy_config(text: Text, message: Message) -> Message:
    """What the inputs were like where they were not the release's own defaults."""
    minor = int(text.release.removeprefix("1."))
    if minor <= 4:
        message = message.replace(concurrency=2)
    elif not text.inputs and minor <= 10:
        message = message.replace(concurrency=None)
    if minor == 4 and text.inputs == "B":
        stackdriver = {"debug": True, "maxNumberOfAnnotations": 7}
        message = message.replace(tracing={**message.get("tracing"), "stackdriver": stackdriver})
    return message


def dot(folder: Path, text: Text) -> tuple[dict[str, Value], Any]:
    behaviour = behaviour_of(text.release)
    render = folder / "go-outputs" / "render"
    pod = yaml.safe_load((render / f"pod{text.inputs}.yaml").read_text())
    inputs = f".{text.inputs}" if text.inputs else ""
    values = json.loads((render / "vals" / f"{TAGS[text.release]}{inputs}.json").read_text())
    mesh = load_mesh(MESH[text.inputs], behaviour.minor)
    everything: dict[str, Value] = {
        "Values": from_json(values),
        "MeshConfig": view(mesh.config),
        "ProxyConfig": view(proxy_config(text, mesh.proxy_config)),
        "ObjectMeta": Struct(
            struct(OBJECT_META, NEWEST), pod["metadata"], pointer=behaviour.metadata_pointers
        ),
        "Spec": Struct(struct(POD_SPEC, NEWEST), pod["spec"], pointer=behaviour.metadata_pointers),
        "Revision": "canary" if text.inputs == "B" else "default",
        "ProxyImage": "hub/proxyv2:tag",
        "ProxyInitImage": "hub/proxyv2:tag",
        "ProxyUID": Int64(1337),
        "ProxyGID": Int64(1337),
        "EstimatedConcurrency": 2,
        "NativeSidecars": True,
        "InboundTrafficPolicyMode": "localhost" if text.inputs == "B" else "passthrough",
        "CompliancePolicy": "fips-140-3" if text.inputs == "B" else "",
    }
    declared = dot_type(behaviour)
    for name, fields in {
        "TypeMeta": {"Kind": "Deployment", "APIVersion": "apps/v1"},
        "DeploymentMeta": {"Name": "hello", "Namespace": "ns1"},
    }.items():
        found = declared.field_type(name)
        if found is not None:
            everything[name] = a_struct(found, fields)
    return {name: value for name, value in everything.items() if name in declared.fields}, mesh


def a_struct(declared: Any, fields: Mapping[str, str]) -> Struct:
    is_pointer = declared.kind == "pointer"
    return Struct.of(declared.elem if is_pointer else declared, fields, pointer=is_pointer)


def stubbed(functions: Mapping[str, Any]) -> dict[str, Any]:
    """The functions, with those that the reference program had replaced."""
    replacements = {
        "applicationPorts": lambda _containers: "PORTS",
        "includeInboundPorts": lambda _containers: "PORTS",
        "omitNil": lambda value: value,
        "otelResourceAttributes": lambda *_arguments: "",
    }
    table = dict(functions)
    for name, call in replacements.items():
        if name in table:
            table[name] = replace(table[name], call=call)
    return table


def rendered(folder: Path, text: Text, known: tuple[str, ...]) -> str:
    fields, mesh = dot(folder, text)
    behaviour = behaviour_of(text.release)
    template = compile_template(
        "inject",
        templates(folder, text.release)[text.template],
        functions=stubbed(function_map(behaviour, env={}, mesh=mesh)),
        known={name: fields[name] for name in known if name in fields},
        dot_type=dot_type(behaviour),
    )
    return template.render({name: value for name, value in fields.items() if name not in known}).text


@pytest.mark.parametrize("text", list(texts()), ids=lambda text: text.file)
def test_a_template_of_istio_renders_as_go_renders_it(shared, text):
    expected = (shared / "go-outputs" / "render" / "rendered" / text.file).read_text()
    actual = rendered(shared, text, KNOWN)
    assert actual.strip("\n") == expected.strip("\n")  # charts trim the file's last newlines


@pytest.mark.parametrize("text", [text for text in texts() if text.inputs == "B"], ids=lambda text: text.file)
def test_what_is_known_at_load_does_not_change_the_text(shared, text):
    assert rendered(shared, text, ()) == rendered(shared, text, KNOWN)
