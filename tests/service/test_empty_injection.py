"""A configuration that injects nothing, at start and at a reload of the real injector."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import pytest

from injector.errors import ConfigError
from injector.service.companions import Parts
from injector.service.generation import Texts
from injector.service.injecting import load_injector
from injector.service.options import ServiceOptions
from tests.service.kit import RecordedEvents, Running, Start, a_review

TEMPLATE = """\
templates:
  sidecar: |
    spec:
      containers:
      - name: istio-proxy
        image: proxy:1
"""
ENABLED = f"policy: enabled\n{TEMPLATE}"
DISABLED = f"policy: disabled\n{TEMPLATE}"
MISSPELT = f"policy: enable\n{TEMPLATE}"
EMPTY = f"neverInjectSelector: [{{matchExpressions: [{{key: app, operator: Exists}}]}}]\n{ENABLED}"
WHY = "pods that ask for nothing are not injected: the pod's labels match a neverInjectSelector"


def files(config: str) -> Mapping[str, str]:
    return {"config": config, "values": "{}"}


def hash_of(config: str) -> str:
    return hashlib.sha256(f"{config}{{}}".encode()).hexdigest()[:12]


async def metric(service: Running, name: str) -> str:
    text = (await service.get("/metrics")).body.decode()
    return next(line for line in text.splitlines() if line.startswith(f"sidecar_injector_{name}"))


async def begin(start: Start, config: str, **options: Any) -> tuple[Running, RecordedEvents]:
    events = RecordedEvents()
    service = await start(load=load_injector, first=files(config), parts=Parts(warn=events.warn), **options)
    return service, events


async def change(service: Running, config: str) -> None:
    """Mount a configuration, and wait until it was taken or refused."""
    state = service.service.metrics.reload("configuration")
    before = state.succeeded + state.failed
    service.config.swap(files(config))
    await service.until(lambda: state.succeeded + state.failed > before)


async def logged(service: Running, message: str, count: int = 1) -> list[dict[str, Any]]:
    """Wait for lines of the log with a message, and return them."""

    def lines() -> list[dict[str, Any]]:
        return [line for line in service.lines() if line["message"] == message]

    await service.until(lambda: len(lines()) >= count)
    return lines()


async def injects(service: Running) -> bool:
    return "patch" in (await service.post(a_review())).json["response"]


async def test_a_replica_starts_with_a_configuration_that_injects_nothing_and_says_so(start: Start) -> None:
    service, events = await begin(start, EMPTY)
    assert await metric(service, "configuration_injects") == "sidecar_injector_configuration_injects 0.0"
    page = await service.get("/healthz/ready?verbose")
    assert (page.status, f"[~]injection: {WHY}" in page.body.decode().splitlines()) == (200, True)
    assert events.warned == [f"ConfigurationInjectsNothing: configuration {hash_of(EMPTY)}: {WHY}"]
    (line,) = await logged(service, "the configuration injects nothing")
    assert (line["level"], line["reason"]) == ("warning", WHY)


async def test_an_edit_that_ends_all_injection_is_refused_and_the_last_good_one_serves(start: Start) -> None:
    service, events = await begin(start, ENABLED)
    await change(service, EMPTY)
    refused = f"configuration: {service.config.folder / 'config'}: {WHY}"
    assert events.rejected == [f"{refused}; with --allow-empty-injection it would serve"]
    assert await injects(service)
    assert await metric(service, 'reload_healthy{unit="configuration"}') == (
        'sidecar_injector_reload_healthy{unit="configuration"} 0.0'
    )
    assert f"[~]{refused}" in (await service.get("/healthz/ready?verbose")).body.decode()
    assert hash_of(ENABLED) in await metric(service, "configuration_info")


async def test_the_edit_is_taken_where_it_is_allowed_and_what_follows_is_compared_with_what_injected(
    start: Start,
) -> None:
    service, events = await begin(start, ENABLED, allow_empty_injection=True)
    await change(service, EMPTY)
    assert events.warned == [f"ConfigurationInjectsNothing: configuration {hash_of(EMPTY)}: {WHY}"]
    await change(service, ENABLED.replace("image: proxy:1", "image: {{ index 1 2 }}"))
    assert len(events.rejected) == 1
    assert "the sample pod with one container is denied" in events.rejected[0]
    await change(service, ENABLED.replace("proxy:1", "proxy:2"))
    assert await injects(service)
    assert await metric(service, "configuration_injects") == "sidecar_injector_configuration_injects 1.0"


async def test_a_policy_that_istio_does_not_know_is_refused_by_name_at_start_and_later(start: Start) -> None:
    with pytest.raises(ConfigError) as caught:
        load_injector(Texts(config=MISSPELT, values="{}", mesh=""), ServiceOptions())
    assert str(caught.value) == (
        "config:1: policy: unknown policy 'enable': nothing would be injected anywhere; "
        "write one of enabled, disabled: did you mean 'enabled'?"
    )
    with pytest.raises(ConfigError, match="policy: there is no policy"):
        load_injector(Texts(config=TEMPLATE, values="{}", mesh=""), ServiceOptions())
    service, events = await begin(start, ENABLED)
    await change(service, MISSPELT)
    assert "unknown policy 'enable'" in events.rejected[0]
    assert await injects(service)


async def test_a_disabled_policy_is_taken_and_says_which_pods_lose_their_sidecar(start: Start) -> None:
    service, events = await begin(start, ENABLED)
    assert await injects(service)
    await change(service, DISABLED)
    assert not await injects(service)
    assert events.warned == [
        "ConfigurationSkipsPods: pods like 1 seen lately are not injected from now on (policy), in shop"
    ]
    assert await metric(service, "configuration_injects") == "sidecar_injector_configuration_injects 1.0"


async def test_the_hash_of_a_configuration_is_that_of_its_texts_in_metrics_and_log(start: Start) -> None:
    service, _ = await begin(start, ENABLED)
    await change(service, DISABLED)
    expected = f'sidecar_injector_configuration_info{{hash="{hash_of(DISABLED)}"}} 1.0'
    assert await metric(service, "configuration_info") == expected
    loaded = await logged(service, "configuration loaded")
    assert [(line["configuration"], line["generation"]) for line in loaded] == [
        (hash_of(DISABLED), 2),
    ]
    (serving,) = await logged(service, "serving")
    assert serving["configuration"] == hash_of(ENABLED)
