"""Running pods: whose sidecar they have, what a restart would change, and since when they could have one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from injector import Injector
from injector.diagnosis.running import Running, is_running, look_at
from tests.diagnosis.builders import CONFIG, a_pod, a_registration, an_item

INJECTOR = Injector.load(CONFIG, release="1.31")


def look(pod: dict[str, Any], *, made: str = "") -> Running:
    times = {"creationTimestamp": made} if made else {}
    return look_at(an_item(pod), INJECTOR.snapshot, [a_registration(**times)])


def injected(**metadata: Any) -> dict[str, Any]:
    return INJECTOR.inject_pod(a_pod(**metadata), "shop")[0]


def test_a_pod_with_the_sidecar_names_its_revision() -> None:
    found = look(injected())
    assert (found.sidecars, found.configuration, found.changes) == (("istio-proxy",), "revision default", ())
    assert found.sentence == "has istio-proxy; injected by revision default"


def test_defaults_that_the_api_server_has_added_are_no_change() -> None:
    pod = injected()
    proxy = pod["spec"]["containers"][1]
    pod["spec"]["containers"][1] = proxy | {"imagePullPolicy": "Always", "terminationMessagePolicy": "File"}
    assert look(pod).changes == ()


def test_another_image_is_a_change_that_a_restart_brings() -> None:
    pod = injected()
    pod["spec"]["containers"][1] = pod["spec"]["containers"][1] | {"image": "older"}
    found = look(pod)
    assert found.changes == ("/spec/containers/1/image",)
    assert found.sentence.endswith("today's configuration would change /spec/containers/1/image: restart it")


def test_a_status_without_its_container_is_no_sidecar() -> None:
    status = json.dumps({"containers": ["istio-proxy"], "version": "0123456789abcdef"})
    found = look(a_pod(annotations={"sidecar.istio.io/status": status}))
    assert (found.sidecars, found.configuration) == ((), "the template with hash 0123456789ab")


@pytest.mark.parametrize("status", ["", "[", "[1]", "null"])
def test_a_status_that_cannot_be_read_says_nothing(status: str) -> None:
    found = look(a_pod(annotations={"sidecar.istio.io/status": status}))
    assert (found.sidecars, found.configuration) == ((), "")


@pytest.mark.parametrize(
    ("made", "older"),
    [
        ("2026-01-03T00:00:00Z", "MutatingWebhookConfiguration hooks"),
        ("2026-01-01T00:00:00Z", ""),
        ("", ""),
    ],
)
def test_a_pod_may_be_older_than_the_registration(made: str, older: str) -> None:
    assert look(a_pod(creationTimestamp="2026-01-02T00:00:00Z"), made=made).older == older


def test_only_a_pod_that_an_api_server_has_taken_runs() -> None:
    assert is_running(an_item(a_pod(uid="1")))
    assert not is_running(an_item(a_pod()))
