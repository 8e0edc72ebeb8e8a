from __future__ import annotations

from typing import Any

import pytest

from injector.injection.legacy.containers import (
    agent_port,
    rewritten,
    wants_rewriting,
    with_account_token,
    with_concurrency,
    with_probers,
    with_proxy,
    with_url_environment,
)
from injector.injection.legacy.spec import SidecarInjectionSpec
from injector.istio.releases import behaviour_of

PORT = "status.sidecar.istio.io/port"


# ---- the proxy's container


def a_spec(**proxy: Any) -> SidecarInjectionSpec:
    return SidecarInjectionSpec(containers=({"name": "other"}, {"name": "istio-proxy", **proxy}))


@pytest.mark.parametrize(
    ("proxy", "args"),
    [
        ({"resources": {"limits": {"cpu": "1500m"}}}, ["--concurrency", "2"]),
        ({"resources": {"requests": {"cpu": "100m"}}, "args": ["a"]}, ["a", "--concurrency", "1"]),
        ({"args": ["--concurrency", "3"], "resources": {"limits": {"cpu": "1"}}}, ["--concurrency", "3"]),
        (
            {"args": ["--concurrency=4\x1c"], "resources": {"limits": {"cpu": "1"}}},
            ["--concurrency=4\x1c", "--concurrency", "1"],
        ),
        ({"args": ["--concurrency=4"], "resources": {"limits": {"cpu": "1"}}}, ["--concurrency=4"]),
        (
            {"args": ["--concurrency", "x"], "resources": {"limits": {"cpu": "1"}}},
            ["--concurrency", "x", "--concurrency", "1"],
        ),
        ({"args": ["--concurrency"]}, ["--concurrency"]),
    ],
)
def test_threads_follow_the_cpus(proxy: dict[str, Any], args: list[str]) -> None:
    assert with_concurrency(proxy)["args"] == args


def test_a_spec_without_proxy_stays() -> None:
    spec = SidecarInjectionSpec(containers=({"name": "other"},))
    assert with_proxy(spec, with_concurrency) is spec


def test_variables_of_the_url_stand_at_the_end_and_replace_others() -> None:
    spec = a_spec(env=[{"name": "A", "value": "1"}, {"name": "B"}])
    changed = with_url_environment(spec, {"A": "2", "C": ""})
    assert changed.containers[1]["env"] == [{"name": "B"}, {"name": "A", "value": "2"}, {"name": "C"}]
    assert with_url_environment(spec, {}) is spec


def test_the_last_token_mount_of_the_application_is_the_proxys() -> None:
    path = "/var/run/secrets/kubernetes.io/serviceaccount"
    mounts = [
        {"name": "a", "mountPath": path},
        {"name": "b", "mountPath": path},
        {"name": "c", "mountPath": "/"},
    ]
    changed = with_account_token(a_spec(), [{"volumeMounts": mounts}, None])  # type: ignore[list-item]
    assert changed.containers[1]["volumeMounts"] == [mounts[1]]
    spec = a_spec()
    assert with_account_token(spec, [{"volumeMounts": [{"mountPath": path}]}]) is spec


# ---- probes


@pytest.mark.parametrize(
    ("args", "port"),
    [
        (["--statusPort", "15021"], 15021),
        (["proxy", " -statusPort=15022 "], 15022),
        (["--statusPort"], None),
        (["--statusPort", "x"], None),
        (["--statusPorts", "1"], None),
        ([], None),
    ],
)
def test_up_to_1_5_the_port_is_the_proxys_argument(args: list[str], port: int | None) -> None:
    assert agent_port({PORT: "1"}, {"args": args}, 9, behaviour_of("1.4")) == port


@pytest.mark.parametrize(("annotations", "port"), [({}, 9), ({PORT: "5"}, 5), ({PORT: "x"}, 0)])
def test_from_1_6_it_is_the_annotation_or_the_meshs(annotations: dict[str, str], port: int) -> None:
    assert agent_port(annotations, {}, 9, behaviour_of("1.6")) == port


@pytest.mark.parametrize(
    ("text", "release", "wanted"), [("false", "1.2", False), ("false", "1.1", True), ("no", "1.8", True)]
)
def test_an_annotation_beats_the_template_where_it_is_a_bool(text: str, release: str, wanted: bool) -> None:
    annotations = {"sidecar.istio.io/rewriteAppHTTPProbers": text}
    assert (
        wants_rewriting(annotations, SidecarInjectionSpec(rewrite_probes=True), behaviour_of(release))
        is wanted
    )


def told(container: dict[str, Any], release: str) -> dict[str, Any]:
    return with_probers(
        {"name": "istio-proxy"},
        [container, {"name": "istio-proxy", "livenessProbe": {"httpGet": {}}}],
        behaviour_of(release),
    )


@pytest.mark.parametrize(
    ("release", "text"),
    [
        ("1.1", '{"/app-health/app/livez":{"port":80}}'),
        ("1.4", '{"/app-health/app/livez":{"port":80}}'),
        ("1.5", '{"/app-health/app/livez":{"httpGet":{"port":80},"timeoutSeconds":3}}'),
    ],
)
def test_the_agent_is_told_of_timeouts_from_1_5(release: str, text: str) -> None:
    container = {"name": "app", "livenessProbe": {"httpGet": {"port": 80}, "timeoutSeconds": 3}}
    assert told(container, release)["env"] == [{"name": "ISTIO_KUBE_APP_PROBERS", "value": text}]


@pytest.mark.parametrize(("release", "scheme"), [("1.1", "HTTPS"), ("1.2", "HTTP")])
def test_a_probe_by_https_becomes_one_by_http_from_1_2(release: str, scheme: str) -> None:
    container = {"name": "app", "livenessProbe": {"httpGet": {"port": 443, "scheme": "HTTPS"}}}
    assert rewritten(container, 15020, behaviour_of(release))["livenessProbe"]["httpGet"]["scheme"] == scheme


def test_fields_stand_in_gos_order_and_headers_are_complete() -> None:
    action = {"scheme": "HTTP", "httpHeaders": [{"value": "v"}], "host": "h", "port": 80, "path": "/p"}
    container = {"name": "app", "readinessProbe": {"httpGet": action}}
    assert told(container, "1.4")["env"][0]["value"] == (
        '{"/app-health/app/readyz":{"path":"/p","port":80,"host":"h","scheme":"HTTP",'
        '"httpHeaders":[{"name":"","value":"v"}]}}'
    )


def test_a_port_by_a_name_that_there_is_not_is_not_told() -> None:
    container = {"name": "app", "readinessProbe": {"httpGet": {"port": "nope"}}}
    assert told(container, "1.7")["env"][0]["value"] == "{}"
    assert "env" not in told(container, "1.8")
    assert rewritten(container, 15020, behaviour_of("1.8"))["readinessProbe"]["httpGet"]["port"] == 15020


def test_startup_probes_count_from_1_7() -> None:
    container = {"name": "app", "startupProbe": {"httpGet": {"port": 1}}}
    assert rewritten(container, 15020, behaviour_of("1.6")) is container
    assert (
        rewritten(container, 15020, behaviour_of("1.7"))["startupProbe"]["httpGet"]["path"]
        == "/app-health/app/startupz"
    )


def test_probes_that_are_not_http_stay() -> None:
    container = {"name": "app", "livenessProbe": {"tcpSocket": {"port": 1}}}
    assert rewritten(container, 15020, behaviour_of("1.8")) is container
