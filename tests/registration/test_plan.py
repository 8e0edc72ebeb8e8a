"""Which entries are ours, whether they are right, and what is written when they are not."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from injector.registration.plan import (
    CA_BUNDLE_MANAGER,
    WebhookNames,
    in_sync,
    live_bundle,
    plan,
    written_by_us,
)

BUNDLE = b"-----BEGIN CERTIFICATE-----\nQQ==\n-----END CERTIFICATE-----\n"
TEXT = base64.b64encode(BUNDLE).decode()


def entry(name: str, ca_bundle: str | None = None) -> dict[str, Any]:
    client: dict[str, Any] = {"service": {"name": "injector", "namespace": "mesh"}}
    return {"name": name, "clientConfig": client if ca_bundle is None else {**client, "caBundle": ca_bundle}}


def configuration(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": "sidecars", "resourceVersion": "7"}, "webhooks": list(entries)}


EXACT = WebhookNames(name="sidecar-injector.istio.io")
FAMILY = WebhookNames(name="*.sidecar-injector.istio.io")


@pytest.mark.parametrize(
    ("names", "entry_name", "expected"),
    [
        (EXACT, "sidecar-injector.istio.io", True),
        (EXACT, "rev.namespace.sidecar-injector.istio.io", False),
        (FAMILY, "rev.namespace.sidecar-injector.istio.io", True),
        (FAMILY, "sidecar-injector.istio.io", True),
        (FAMILY, "evil-sidecar-injector.istio.io", False),
        (FAMILY, "other.example.com", False),
    ],
)
def test_a_name_is_exact_or_the_family_below_a_star(
    names: WebhookNames, entry_name: str, expected: bool
) -> None:
    assert names.matches(entry_name) is expected


def test_who_keeps_the_same_entries_shares_a_lease_and_nobody_else() -> None:
    assert EXACT.lease("sidecars") == FAMILY.lease("sidecars") == "sidecars.sidecar-injector.istio.io"
    assert EXACT.lease("others") != EXACT.lease("sidecars")
    assert WebhookNames(name="rev.sidecar-injector.istio.io").lease("sidecars") != EXACT.lease("sidecars")


def test_nothing_is_written_when_the_bundle_is_there() -> None:
    assert plan(configuration(entry(EXACT.name, TEXT)), EXACT, BUNDLE) is None


def test_the_same_bytes_in_another_base64_spelling_are_not_the_same_text_but_equal() -> None:
    config = configuration(entry(EXACT.name, TEXT))
    assert in_sync(config, EXACT, BUNDLE)


@pytest.mark.parametrize("before", [None, "", "not base64!", base64.b64encode(b"other").decode()])
def test_a_missing_empty_broken_or_foreign_bundle_is_replaced(before: str | None) -> None:
    body = plan(configuration(entry("other", TEXT), entry(EXACT.name, before)), EXACT, BUNDLE)
    assert body is not None
    assert body["webhooks"] == [{"name": EXACT.name, "clientConfig": {"caBundle": TEXT}}]
    assert body["metadata"] == {"name": "sidecars", "resourceVersion": "7"}


def test_all_entries_of_ours_are_named_so_that_none_is_given_up() -> None:
    right, wrong = entry("a.sidecar-injector.istio.io", TEXT), entry("b.sidecar-injector.istio.io")
    body = plan(configuration(right, wrong), FAMILY, BUNDLE)
    assert body is not None
    assert [each["name"] for each in body["webhooks"]] == [right["name"], wrong["name"]]


def test_entries_of_another_installation_are_named_with_what_they_have() -> None:
    """One manager owns them all: what its apply left out, the API server would remove."""
    config = owned_by(CA_BUNDLE_MANAGER)
    config["webhooks"] += [entry("helm.example.com", TEXT), entry("new.example.com")]
    body = plan(config, WebhookNames(name="new.example.com"), b"new")
    assert body is not None
    assert body["webhooks"] == [
        {"name": EXACT.name, "clientConfig": {"caBundle": TEXT}},
        {"name": "new.example.com", "clientConfig": {"caBundle": base64.b64encode(b"new").decode()}},
    ]


def test_a_configuration_without_an_entry_of_ours_is_left_alone() -> None:
    assert plan(configuration(entry("other")), EXACT, BUNDLE) is None
    assert plan(configuration(), EXACT, BUNDLE) is None
    assert not in_sync(configuration(), EXACT, BUNDLE)


def test_an_entry_without_a_client_configuration_has_no_bundle() -> None:
    assert live_bundle({"name": "x"}) == b""


def owned_by(*managers: str) -> dict[str, Any]:
    fields = {"f:webhooks": {f'k:{{"name":"{EXACT.name}"}}': {"f:clientConfig": {"f:caBundle": {}}}, ".": {}}}
    config = configuration(entry(EXACT.name, TEXT))
    config["metadata"]["managedFields"] = [
        {"manager": manager, "fieldsV1": fields} for manager in managers
    ] + [{"manager": "kubectl", "fieldsV1": {"f:metadata": {}}}]
    return config


def test_a_bundle_is_ours_when_our_manager_alone_owns_it() -> None:
    for managers, expected in [
        ((CA_BUNDLE_MANAGER,), True),
        ((CA_BUNDLE_MANAGER, "helm"), False),
        (("helm",), False),
        ((), False),
    ]:
        config = owned_by(*managers)
        assert written_by_us(config, config["webhooks"][0]) is expected
