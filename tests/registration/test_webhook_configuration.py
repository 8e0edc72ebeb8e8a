"""The MutatingWebhookConfiguration that --create-webhook applies."""

from __future__ import annotations

from injector.registration.webhook_configuration import WebhookSpec, webhook_configuration


def spec(**changes: object) -> WebhookSpec:
    values = {
        "configuration": "sidecars",
        "webhook": "sidecar-injector.istio.io",
        "service": "sidecar-injector",
        "namespace": "mesh",
        **changes,
    }
    return WebhookSpec(**values)  # type: ignore[arg-type]


def test_it_has_istios_shape_and_no_ca_bundle() -> None:
    (entry,) = webhook_configuration(spec())["webhooks"]
    assert entry["clientConfig"] == {
        "service": {"name": "sidecar-injector", "namespace": "mesh", "path": "/inject", "port": 443}
    }
    assert entry["failurePolicy"] == "Fail"
    assert entry["sideEffects"] == "None"
    assert entry["timeoutSeconds"] == 5
    assert entry["rules"][0]["operations"] == ["CREATE"]


def test_the_default_revision_answers_for_labelled_namespaces_but_never_for_our_own() -> None:
    (entry,) = webhook_configuration(spec())["webhooks"]
    asked, away = entry["namespaceSelector"]["matchExpressions"]
    assert asked == {"key": "istio-injection", "operator": "In", "values": ["enabled"]}
    assert {"kube-system", "mesh"} <= set(away["values"])


def test_another_revision_answers_for_its_label() -> None:
    (entry,) = webhook_configuration(spec(revision="canary"))["webhooks"]
    assert entry["namespaceSelector"]["matchExpressions"][0]["values"] == ["canary"]


def test_a_family_of_names_gets_istios_first_entry() -> None:
    (entry,) = webhook_configuration(spec(webhook="*.sidecar-injector.istio.io"))["webhooks"]
    assert entry["name"] == "namespace.sidecar-injector.istio.io"
