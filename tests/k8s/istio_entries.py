"""What istiod registers, as its chart has it (manifests/charts/istio-control/istio-discovery of 1.10 to 1.31:
templates/mutatingwebhook.yaml, and templates/revision-tags-mwc.yaml, before 1.28 revision-tags.yaml)."""

from __future__ import annotations

from itertools import product
from typing import Any, Final

REVISION: Final = "istio.io/rev"
NAMESPACE_SWITCH: Final = "istio-injection"
POD_SWITCH: Final = "sidecar.istio.io/inject"


def no(key: str) -> dict[str, Any]:
    return {"key": key, "operator": "DoesNotExist"}


def within(key: str, *values: str) -> dict[str, Any]:
    return {"key": key, "operator": "In", "values": [*values]}


def without(key: str, *values: str) -> dict[str, Any]:
    return {"key": key, "operator": "NotIn", "values": [*values]}


def entry(prefix: str, namespace: list[dict[str, Any]], pod: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": f"{prefix}.sidecar-injector.istio.io",
        "namespaceSelector": {"matchExpressions": namespace},
        "objectSelector": {"matchExpressions": pod},
    }


def istio_entries(name: str = "default", *, by_default: bool = False) -> list[dict[str, Any]]:
    """Return istiod's entries for a revision or a tag; `default` is also the control plane without a name."""
    not_out = without(POD_SWITCH, "false")
    found = [
        entry("rev.namespace", [within(REVISION, name), no(NAMESPACE_SWITCH)], [not_out]),
        entry("rev.object", [no(REVISION), no(NAMESPACE_SWITCH)], [not_out, within(REVISION, name)]),
    ]
    if name == "default":
        found += [
            entry("namespace", [within(NAMESPACE_SWITCH, "enabled")], [not_out]),
            entry("object", [no(NAMESPACE_SWITCH), no(REVISION)], [within(POD_SWITCH, "true"), no(REVISION)]),
        ]
    if name == "default" and by_default:
        system = without(
            "kubernetes.io/metadata.name",
            "kube-system",
            "kube-public",
            "kube-node-lease",
            "local-path-storage",
        )
        found.append(
            entry("auto", [no(NAMESPACE_SWITCH), no(REVISION), system], [no(POD_SWITCH), no(REVISION)])
        )
    return found


def _labels(**choices: tuple[str | None, ...]) -> list[dict[str, str]]:
    keys = {"injection": NAMESPACE_SWITCH, "revision": REVISION, "switch": POD_SWITCH}
    return [
        {keys[name]: value for name, value in zip(choices, values, strict=True) if value is not None}
        for values in product(*choices.values())
    ]


REVISIONS: Final = (None, "default", "stable", "sidecar-injector", "unknown")

NAMESPACES: Final = _labels(injection=(None, "enabled", "disabled"), revision=REVISIONS)
PODS: Final = _labels(switch=(None, "true", "false"), revision=REVISIONS)
"""Every combination of the labels that any of the entries asks for: 15 of namespaces, 15 of pods."""
