"""The service with the real injector behind it."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest

from injector.budget import ReviewLimits
from injector.errors import ConfigError, DeadlineError
from injector.injection.caches import SMALLEST
from injector.injection.injector import Injector
from injector.json_types import JSONObject
from injector.patch import apply
from injector.service.companions import Parts
from injector.service.generation import Registration, Texts
from injector.service.injecting import InjectorReviewer, load_injector
from injector.service.metrics import CACHES
from injector.templates import built_in
from tests.service.kit import Answer, Start, a_review


def patched(review: bytes, answer: Answer) -> Any:
    """Return the object of a review with the answer's patch applied."""
    operations = orjson.loads(base64.b64decode(answer.json["response"]["patch"]))
    return apply(orjson.loads(review)["request"]["object"], operations)


async def test_the_built_in_template_adds_its_sidecar(start: Start) -> None:
    service = await start(load=load_injector, inject_config=None, inject_values=None)
    review = a_review("real")
    answer = await service.post(review)
    assert answer.json["response"]["allowed"] is True
    pod = patched(review, answer)
    names = [c["name"] for c in pod["spec"]["containers"] + pod["spec"].get("initContainers", [])]
    assert {"app", "istio-proxy"} <= set(names)
    await service.until(lambda: any(line["message"] == "review answered" for line in service.lines()))
    (line,) = [line for line in service.lines() if line["message"] == "review answered"]
    assert (line["outcome"], line["reason"], line["namespace"], line["uid"]) == (
        "injected",
        "policy",
        "shop",
        "real",
    )


async def test_a_host_network_pod_is_skipped_with_the_rule_as_reason(start: Start) -> None:
    service = await start(load=load_injector, inject_config=None, inject_values=None)
    review = orjson.loads(a_review())
    review["request"]["object"]["spec"]["hostNetwork"] = True
    answer = await service.post(orjson.dumps(review))
    assert answer.json["response"] == {"uid": "u-1", "allowed": True}
    assert service.service.metrics.outcomes == {("skipped", "host-network"): 1}


async def test_a_body_that_is_no_review_is_not_quoted_in_the_log(start: Start) -> None:
    service = await start(load=load_injector, inject_config=None, inject_values=None)
    answer = await service.post(b'{"request": {"uid": "x"}, "secret": "in the body"}')
    assert answer.status == 200
    assert answer.json["response"]["allowed"] is False
    await service.until(lambda: any(line["message"] == "review answered" for line in service.lines()))
    assert "in the body" not in service.log.read_text()


async def test_values_alone_are_laid_over_those_of_the_built_in_configuration(
    start: Start, tmp_path: Path
) -> None:
    values = tmp_path / "values"
    values.write_text("global: {hub: registry.example.com/istio}")
    service = await start(load=load_injector, inject_config=None, inject_values=values)
    answer = await service.post(a_review())
    patch = base64.b64decode(answer.json["response"]["patch"]).decode()
    assert "registry.example.com/istio/proxyv2:1.31.0" in patch


TAGGED = '{"global": {"tag": "1.29.1"}}'
TOLD = {"release": "1.29", "release_reason": "told from values.global.tag 1.29.1; --release wins"}


@pytest.mark.parametrize(("asked", "description"), [(None, TOLD), ("1.30", {"release": "1.30"})])
async def test_the_release_that_is_told_from_the_tag_is_logged_and_the_option_wins(
    start: Start, tmp_path: Path, asked: str | None, description: dict[str, str]
) -> None:
    config, values = tmp_path / "config", tmp_path / "values"
    config.write_text("policy: enabled\ntemplates:\n  sidecar: 'spec: {}'\n")
    values.write_text(TAGGED)
    service = await start(load=load_injector, inject_config=config, inject_values=values, release=asked)
    await service.until(lambda: any(line["message"] == "serving" for line in service.lines()))
    (line,) = [line for line in service.lines() if line["message"] == "serving"]
    assert {key: line[key] for key in ("release", "release_reason") if key in line} == description


BROKEN = {
    "not YAML": ("policy: enabled\n  templates: [", "config"),
    "an unknown function": ("policy: enabled\ntemplates:\n  sidecar: |\n    {{ nosuch }}\n", "nosuch"),
    "broken on every pod": (
        'policy: enabled\ntemplates:\n  sidecar: |\n    {{ index "x" 5 }}\n',
        "is denied",
    ),
}


@pytest.mark.parametrize("case", BROKEN, ids=str)
async def test_a_broken_configuration_does_not_start_and_names_the_place(
    start: Start, tmp_path: Path, case: str
) -> None:
    text, words = BROKEN[case]
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(ConfigError, match=words):
        await start(load=load_injector, inject_config=path, inject_values=None)


async def test_a_broken_configuration_at_reload_leaves_the_last_good_one(start: Start) -> None:
    template = built_in()
    config = template.config
    service = await start(load=load_injector, inject_values=None, inject_config=None)
    assert (await service.post(a_review())).status == 200
    service = await start_with(start, config, template.values)
    for text, _ in BROKEN.values():
        state = service.service.metrics.reload("configuration")
        failed = state.failed
        service.config.swap({"config": text, "values": template.values})
        await service.until(lambda: state.failed == failed + 1)  # noqa: B023
        assert "patch" in (await service.post(a_review())).json["response"]


async def start_with(start: Start, config: str, values: str) -> Any:
    """Start on the fake's text, then take over a real configuration."""

    def load(texts: Any, options: Any) -> Any:
        if texts.config == "first":
            template = built_in()
            texts = type(texts)(config=template.config, values=template.values, mesh="")
        return load_injector(texts, options)

    service = await start(load=load)
    service.config.swap({"config": config, "values": values})
    state = service.service.metrics.reload("configuration")
    await service.until(lambda: state.succeeded == 2)
    return service


async def test_metrics_tell_what_each_cache_takes(start: Start) -> None:
    service = await start(load=load_injector, inject_config=None, inject_values=None, cache_bytes=SMALLEST)
    for _ in range(3):
        assert (await service.post(a_review())).status == 200
    text = (await service.get("/metrics")).body.decode()
    found = {
        (kind, cache): float(value)
        for kind, cache, value in re.findall(
            r'^sidecar_injector_cache_(\w+){cache="(\w+)"} (\S+)$', text, re.MULTILINE
        )
    }
    assert {cache for _, cache in found} == set(CACHES)
    assert found["entries", "skeletons"] >= 1
    assert 0 < found["bytes", "skeletons"] < SMALLEST
    assert found["bytes", "texts"] > 0
    assert found["evictions_total", "skeletons"] == 0


@dataclass
class Cluster:
    """What a cluster tells, as dictionaries that a test changes."""

    namespaces: Mapping[str, JSONObject] = field(default_factory=dict)
    nodes: Mapping[str, str] | None = None
    proxy_configs: dict[str, JSONObject] = field(default_factory=dict)
    registration: Registration | None = None


async def test_a_proxy_config_that_appears_counts_for_the_next_pods(start: Start) -> None:
    cluster = Cluster()
    service = await start(
        load=load_injector, inject_config=None, inject_values=None, parts=Parts(cluster=cluster)
    )
    before = await service.post(a_review())
    reviewer = service.service._reviewer()
    injector = reviewer._injector
    cluster.proxy_configs["shop/all"] = {
        "apiVersion": "networking.istio.io/v1beta1",
        "kind": "ProxyConfig",
        "metadata": {"name": "all", "namespace": "shop"},
        "spec": {"environmentVariables": {"ISTIO_META_FROM_PROXY_CONFIG": "yes"}},
    }
    await service.until(lambda: reviewer._injector is not injector)
    after = await service.post(a_review())
    decode = base64.b64decode
    assert b"ISTIO_META_FROM_PROXY_CONFIG" not in decode(before.json["response"]["patch"])
    assert b"ISTIO_META_FROM_PROXY_CONFIG" in decode(after.json["response"]["patch"])


async def test_nodes_count_once_the_cluster_has_told_them(start: Start) -> None:
    cluster = Cluster()
    service = await start(
        load=load_injector, inject_config=None, inject_values=None, parts=Parts(cluster=cluster)
    )
    review = a_review()
    before = patched(review, await service.post(review))
    reviewer = service.service._reviewer()
    injector = reviewer._injector
    cluster.nodes = {}
    await service.until(lambda: reviewer._injector is not injector)
    after = patched(review, await service.post(review))
    assert [
        any(container["name"] == "istio-proxy" for container in pod["spec"].get("initContainers", []))
        for pod in (before, after)
    ] == [False, True]


async def test_a_proxy_config_that_cannot_be_read_keeps_nothing_out(start: Start) -> None:
    def resource(name: str, spec: Any) -> JSONObject:
        return {"metadata": {"name": name, "namespace": "shop"}, "spec": spec}

    cluster = Cluster(proxy_configs={"shop/a": resource("a", {"concurrency": "many"})})
    service = await start(
        load=load_injector, inject_config=None, inject_values=None, parts=Parts(cluster=cluster)
    )
    reviewer = service.service._reviewer()
    injector = reviewer._injector
    cluster.proxy_configs["shop/b"] = resource("b", {"image": 3})
    cluster.proxy_configs["shop/c"] = resource("c", {"environmentVariables": {"ISTIO_META_GOOD": "yes"}})
    await service.until(lambda: reviewer._injector is not injector)
    answer = await service.post(a_review())
    assert b"ISTIO_META_GOOD" in base64.b64decode(answer.json["response"]["patch"])


async def test_the_service_denies_what_exceeds_its_limits(start: Start) -> None:
    limits = ReviewLimits(annotations=2000)
    service = await start(load=load_injector, inject_config=None, inject_values=None, review_limits=limits)
    response = (await service.post(a_review(size=3000))).json["response"]
    assert not response["allowed"]
    assert response["status"]["message"] == "the pod's annotations have 3,007 bytes; at most 2,000"
    assert (await service.post(a_review())).json["response"]["allowed"]


def test_the_reviewer_hands_its_deadline_on() -> None:
    template = built_in("istio")
    texts = Texts(config=template.config, values=template.values, mesh="")
    reviewer = InjectorReviewer(Injector.load(texts.config, texts.values), None)
    assert reviewer.answer(a_review(), "/inject", lambda: False).outcome == "injected"
    with pytest.raises(DeadlineError):
        reviewer.answer(a_review(), "/inject", lambda: True)
