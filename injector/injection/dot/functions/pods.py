"""Istio's template functions that read a pod: annotations, ports, networks, resource attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from injector.golang.unicode import trim_space
from injector.gotemplate import FunctionError
from injector.gotemplate.fmt import format_value
from injector.gotemplate.values import NilPointer, Struct, Value
from injector.injection.dot.functions.encoding import parse

_PROXY: Final = "istio-proxy"
NOT_TCP: Final = ("UDP", "SCTP")
_ASKING: Final = (1, "OTEL_SEMANTIC_CONVENTIONS")
_ATTRIBUTE: Final = "resource.opentelemetry.io/"


def annotation(metadata: Struct, name: str, default: Value) -> str:
    """Return an annotation; without it the printed default, ``<nil>`` for a missing one."""
    found: str | None = metadata.get("Annotations").get(name)
    if found is not None:
        return found
    return default if default.__class__ is str else format_value(default)


def inbound_ports(containers: list[Struct], *, ignored: tuple[str, ...] = ()) -> str:
    """Return the ports of the containers, except those of the ``ignored`` protocols, joined by commas."""
    return ",".join(port for container in containers for port in _ports(container, ignored))


def application_ports(containers: list[Struct], *, ignored: tuple[str, ...] = ()) -> str:
    """Return the ports of all containers except the proxy."""
    own = [container for container in containers if container.get("Name") != _PROXY]
    return inbound_ports(own, ignored=ignored)


def _ports(container: Struct, ignored: tuple[str, ...]) -> list[str]:
    return [
        str(int(port.get("ContainerPort")))
        for port in container.get("Ports")
        if port.get("Protocol") not in ignored
    ]


def exclude_inbound_port(port: Value, excluded: str) -> str:
    """Return the comma-separated ports with one more, unless it is 0, empty or already there."""
    wanted = trim_space(format_value(port))
    if wanted in ("", "0"):
        return excluded
    ports = excluded.split(",")
    if wanted in ports:
        return excluded
    return ",".join([*filter(None, map(trim_space, ports)), wanted])


# Multus networks.


def splice_multus_network(existing: str, network: str) -> str:
    """Append a network to the annotation's list or, without reading it, its JSON (1.8)."""
    if not existing:
        return network
    end = existing.rfind("]")
    return f"{existing}, {network}" if end < 0 else _spliced(existing, end, f'{{"name": "{network}"}}')


def append_multus_network(existing: str, network: str) -> str:
    """Append a network to the annotation's list or JSON if its name is not there yet (1.9)."""
    return _append(existing, network, network, None)


def append_multus_network_with_namespace(existing: str, network: str) -> str:
    """Append a network, which may be ``namespace/name``, if it is not there yet (1.23)."""
    namespace, name = network.split("/")[:2] if "/" in network else ("", network)
    return _append(existing, network, name, namespace)


def _append(existing: str, network: str, name: str, namespace: str | None) -> str:
    """Append a network; where ``namespace`` is None, the namespaces of the others do not count."""
    if not existing:
        return network
    end = existing.rfind("]")
    if end < 0:
        present = network in map(trim_space, existing.split(","))
        return existing if present else f"{existing}, {network}"
    if _is_listed(existing, name, namespace):
        return existing
    item = f'"name": "{name}", "namespace": "{namespace}"' if namespace else f'"name": "{name}"'
    return _spliced(existing, end, f"{{{item}}}")


def _is_listed(existing: str, name: str, namespace: str | None) -> bool:
    """Return whether the JSON lists such a network; what is not a list of objects is not changed either."""
    try:
        networks = parse(existing)
    except FunctionError:
        return True
    if not isinstance(networks, list) or not all(isinstance(each, dict | None) for each in networks):
        return True
    same = [each for each in networks if each and each.get("name") == name]
    return any(namespace is None or _namespace(each) == namespace for each in same)


def _namespace(network: Mapping[str, Any]) -> Any:
    namespace = network.get("namespace")
    return "" if namespace is None else namespace


def _spliced(existing: str, end: int, item: str) -> str:
    return f"{existing[:end]}, {item}{existing[end:]}"


# OpenTelemetry.


def otel_resource_attributes(
    mesh: Struct | NilPointer,
    annotations: Mapping[str, str],
    labels: Mapping[str, str],
    namespace: str,
    containers: list[Struct],
) -> str:
    """Return OTEL_RESOURCE_ATTRIBUTES by OpenTelemetry's semantic conventions for Kubernetes.

    It is "" unless a tracing provider of the mesh asks for them.
    """
    if not _asks_for_attributes(mesh):
        return ""
    attributes = {
        "service.namespace": namespace,
        "service.version": labels.get("app.kubernetes.io/version") or _image_version(containers),
        "service.instance.id": _instance(namespace, containers),
    }
    values = {name: annotations.get(_ATTRIBUTE + name) or value for name, value in attributes.items()}
    return ",".join(f"{name}={value}" for name, value in values.items() if value)


def _asks_for_attributes(mesh: Struct | NilPointer) -> bool:
    if isinstance(mesh, NilPointer):
        return False
    for provider in mesh.get("ExtensionProviders"):
        if (provider.whole().get("opentelemetry") or {}).get("serviceAttributeEnrichment") in _ASKING:
            return True
    return False


def _image_version(containers: list[Struct]) -> str:
    """Return tag and digest of the only container's image, joined by @ where it has both."""
    if len(containers) != 1:
        return ""
    image: str = containers[0].get("Image")
    name, _, digest = image.partition("@")
    _, colon, tag = name.rpartition("/")[2].rpartition(":")
    return "@".join(filter(None, (tag if colon else "", digest)))


def _instance(namespace: str, containers: list[Struct]) -> str:
    return f"{namespace}.$(POD_NAME).{containers[0].get('Name')}" if containers else ""
