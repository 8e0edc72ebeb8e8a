"""Make the MutatingWebhookConfiguration for what should be injected.

It is like Istio's, but narrower: the API server itself evaluates selectors and CEL, so a pod that the policy
would skip in any case costs no call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from injector.json_types import JSONObject
from injector.registration.plan import API_VERSION, KIND

CONFIGURATION_MANAGER: Final = "sidecar-injector"
"""The field manager of everything except caBundle, which belongs to `plan.CA_BUNDLE_MANAGER`."""

SYSTEM_NAMESPACES: Final = ("kube-system", "kube-public", "kube-node-lease", "local-path-storage")

INJECTION_LABEL: Final = "sidecar.istio.io/inject"

OWN_PODS: Final = "sidecar-injector"

TIMEOUT_SECONDS: Final = 5
"""As in the manifests: a thousand times what an ordinary review takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSpec:
    """How the API server finds us, and for which pods it calls us.

    ``revision`` empty or ``default`` selects namespaces labelled ``istio-injection=enabled``; any other one
    those labelled ``istio.io/rev`` with it.
    """

    configuration: str
    webhook: str
    service: str
    namespace: str
    revision: str = "default"


def webhook_configuration(spec: WebhookSpec) -> JSONObject:
    """Return the object to apply; it has no ``caBundle``, which belongs to another manager."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {
            "name": spec.configuration,
            "labels": {"app.kubernetes.io/name": OWN_PODS, "istio.io/rev": spec.revision or "default"},
        },
        "webhooks": [_entry(spec)],
    }


def _entry(spec: WebhookSpec) -> JSONObject:
    return {
        # `*.sidecar-injector.istio.io` names a family of entries; ours is then called like Istio's first.
        "name": spec.webhook.replace("*", "namespace", 1),
        "admissionReviewVersions": ["v1"],
        "clientConfig": {
            "service": {"name": spec.service, "namespace": spec.namespace, "path": "/inject", "port": 443}
        },
        "failurePolicy": "Fail",
        "matchConditions": _conditions(),
        "matchPolicy": "Equivalent",
        "namespaceSelector": _namespaces(spec),
        "objectSelector": {
            "matchExpressions": [{"key": INJECTION_LABEL, "operator": "NotIn", "values": ["false"]}]
        },
        "reinvocationPolicy": "Never",
        "rules": [
            {
                "apiGroups": [""],
                "apiVersions": ["v1"],
                "operations": ["CREATE"],
                "resources": ["pods"],
                "scope": "Namespaced",
            }
        ],
        "sideEffects": "None",
        "timeoutSeconds": TIMEOUT_SECONDS,
    }


def _namespaces(spec: WebhookSpec) -> JSONObject:
    away = [*SYSTEM_NAMESPACES, spec.namespace]
    if spec.revision in ("", "default"):
        asked = {"key": "istio-injection", "operator": "In", "values": ["enabled"]}
    else:
        asked = {"key": "istio.io/rev", "operator": "In", "values": [spec.revision]}
    own = {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": away}
    return {"matchExpressions": [asked, own]}


def _conditions() -> list[JSONObject]:
    """Return the CEL conditions that save calls whose answer would be to leave the pod alone."""
    return [
        {
            "name": "not-host-network",
            "expression": "!(has(object.spec.hostNetwork) && object.spec.hostNetwork)",
        },
        {
            "name": "not-a-mirror-pod",
            "expression": "!has(object.metadata.annotations) "
            "|| !('kubernetes.io/config.mirror' in object.metadata.annotations)",
        },
        {
            "name": "not-our-own-pod",
            "expression": "!has(object.metadata.labels) "
            "|| !('app.kubernetes.io/name' in object.metadata.labels) "
            f"|| object.metadata.labels['app.kubernetes.io/name'] != '{OWN_PODS}'",
        },
    ]
