"""Whom overlays/istio asks about: exactly the pods that istiod would ask about, each once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.k8s.istio_entries import NAMESPACES, PODS, istio_entries
from tests.k8s.selecting import selects
from tests.k8s.test_manifests import overlay, with_components

OURS = "sidecar-injector"
"""The revision that is ours alone."""


def entries(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    (configuration,) = [each for each in objects if each["kind"] == "MutatingWebhookConfiguration"]
    return list(configuration["webhooks"])


def without_ours(selector: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {**each, "values": [value for value in each["values"] if value != OURS]} if "values" in each else each
        for each in selector["matchExpressions"]
    ]


@pytest.mark.parametrize("by_default", [False, True])
def test_the_entries_are_istiods_and_our_own_revision(by_default: bool, tmp_path: Path) -> None:
    objects = overlay("istio")["MutatingWebhookConfiguration"]
    if by_default:
        objects = with_components(tmp_path, "istio", "istio-namespaces-by-default")
    mine, theirs = entries(objects), istio_entries(by_default=by_default)
    assert {each["name"] for each in mine} == {each["name"] for each in theirs}
    for one in mine:
        (other,) = [each for each in theirs if each["name"] == one["name"]]
        for selector in ("namespaceSelector", "objectSelector"):
            assert without_ours(one[selector]) == other[selector]["matchExpressions"]
        if one["name"].startswith("rev."):
            assert OURS in str(one)


@pytest.mark.parametrize("namespace", NAMESPACES, ids=str)
@pytest.mark.parametrize("name", ["istio", "istio-revision"])
def test_no_pod_is_asked_about_twice(namespace: dict[str, str], name: str) -> None:
    mine = entries(overlay(name)["MutatingWebhookConfiguration"])
    theirs = [*istio_entries(OURS), *(istio_entries() if name == "istio" else ())]
    for pod in PODS:
        asked = [each["name"] for each in mine if selects(each, namespace, pod)]
        assert len(asked) <= 1
        assert bool(asked) is any(selects(each, namespace, pod) for each in theirs)


def test_ours_is_called_after_istiods() -> None:
    (configuration,) = overlay("istio")["MutatingWebhookConfiguration"]
    theirs = ("istio-sidecar-injector", "istio-revision-tag-stable", "istio-sidecar-injector-1-29-0")
    assert all(each < configuration["metadata"]["name"] for each in theirs)


@pytest.mark.parametrize("name", ["istio", "istio-revision"])
def test_every_entry_leaves_alone_what_is_injected_already(name: str) -> None:
    for each in entries(overlay(name)["MutatingWebhookConfiguration"]):
        assert [condition["name"] for condition in each["matchConditions"]] == [
            "not-host-network",
            "not-injected-already",
        ]
