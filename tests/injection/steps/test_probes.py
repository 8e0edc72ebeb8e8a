from __future__ import annotations

import json

import pytest

from injector.injection.steps.probes import rewrite_probes
from tests.injection.steps.builders import a_container, a_pod, after, an_injection, env_of, the_proxy

HTTP = {"httpGet": {"path": "/ready", "port": 8080}}
TCP = {"tcpSocket": {"port": 9000}}
GRPC = {"grpc": {"port": 5000}}


def through_agent(word, port=15020, kind="app-health", **rest):
    return {"httpGet": {"path": f"/{kind}/app/{word}", "port": port}} | rest


def rewritten(pod, release="1.31", *, by_default=True, tcp_feature=True):
    features = {} if tcp_feature else {"REWRITE_TCP_PROBES": "false"}
    return after(rewrite_probes, pod, an_injection(release, features=features, rewrites_probes=by_default))


def with_app(**fields):
    annotations = fields.pop("annotations", None)
    return a_pod(a_container(**fields), a_container("istio-proxy"), annotations=annotations)


def probers_of(pod):
    text = dict(env_of(the_proxy(pod))).get("ISTIO_KUBE_APP_PROBERS")
    return None if text is None else json.loads(text)


def app(pod):
    return pod["spec"]["containers"][0]


def test_an_http_probe_asks_the_agent_and_the_agent_is_told_what_to_ask():
    probe = HTTP | {"timeoutSeconds": 3, "periodSeconds": 9}
    pod = rewritten(with_app(readinessProbe=probe, livenessProbe=HTTP, startupProbe=HTTP))
    assert app(pod)["readinessProbe"] == through_agent("readyz", timeoutSeconds=3, periodSeconds=9)
    assert app(pod)["livenessProbe"] == through_agent("livez")
    assert app(pod)["startupProbe"] == through_agent("startupz")
    assert env_of(the_proxy(pod)) == [
        (
            "ISTIO_KUBE_APP_PROBERS",
            (
                '{"/app-health/app/livez":{"httpGet":{"path":"/ready","port":8080}},'
                '"/app-health/app/readyz":{"httpGet":{"path":"/ready","port":8080},"timeoutSeconds":3},'
                '"/app-health/app/startupz":{"httpGet":{"path":"/ready","port":8080}}}'
            ),
        )
    ]


def test_the_variable_is_in_the_order_and_the_escapes_of_go():
    action = {
        "httpHeaders": [{"value": "<b>", "name": "H"}],
        "scheme": "HTTPS",
        "host": "h",
        "port": 1,
        "path": "/x?a&b",
    }
    pod = rewritten(with_app(readinessProbe={"timeoutSeconds": 1, "httpGet": action}))
    assert env_of(the_proxy(pod))[0][1] == (
        '{"/app-health/app/readyz":{"httpGet":{"path":"/x?a\\u0026b","port":1,"host":"h","scheme":"HTTPS",'
        '"httpHeaders":[{"name":"H","value":"\\u003cb\\u003e"}]},"timeoutSeconds":1}}'
    )
    assert app(pod)["readinessProbe"]["httpGet"] == action | {
        "path": "/app-health/app/readyz",
        "port": 15020,
        "scheme": "HTTP",
    }


@pytest.mark.parametrize(
    ("release", "tcp_feature", "expected"),
    [("1.11", True, False), ("1.12", True, True), ("1.18", False, False), ("1.19", False, True)],
)
def test_tcp_probes_are_led_through_the_agent_by_feature_from_1_12_and_always_from_1_19(
    release, tcp_feature, expected
):
    pod = rewritten(with_app(readinessProbe=TCP), release, tcp_feature=tcp_feature)
    assert app(pod)["readinessProbe"] == (through_agent("readyz") if expected else TCP)
    assert probers_of(pod) == ({"/app-health/app/readyz": TCP} if expected else None)


@pytest.mark.parametrize(("release", "expected"), [("1.12", False), ("1.13", True)])
def test_grpc_probes_are_from_1_13(release, expected):
    pod = rewritten(with_app(readinessProbe=GRPC), release)
    assert app(pod)["readinessProbe"] == (through_agent("readyz") if expected else GRPC)
    prober = {"grpc": {"port": 5000, "service": None}}
    assert probers_of(pod) == ({"/app-health/app/readyz": prober} if expected else None)


def test_a_grpc_probe_of_the_agents_port_is_told_as_well():
    pod = rewritten(with_app(readinessProbe={"grpc": {"port": 15020, "service": "s"}}))
    assert probers_of(pod) == {"/app-health/app/readyz": {"grpc": {"port": 15020, "service": "s"}}}


def test_probes_that_are_not_requests_stay_as_they_are():
    pod = with_app(readinessProbe={"exec": {"command": ["true"]}}, livenessProbe={})
    assert app(rewritten(pod)) == app(pod)
    assert probers_of(rewritten(pod)) is None


@pytest.mark.parametrize(("release", "expected"), [("1.24", False), ("1.25", True)])
def test_lifecycle_hooks_are_from_1_25(release, expected):
    lifecycle = {"preStop": HTTP, "postStart": TCP}
    pod = rewritten(with_app(lifecycle=lifecycle), release)
    agent = {
        "preStop": through_agent("prestopz", kind="app-lifecycle"),
        "postStart": through_agent("poststartz", kind="app-lifecycle"),
    }
    assert app(pod)["lifecycle"] == (agent if expected else lifecycle)
    told = {"/app-lifecycle/app/prestopz": HTTP, "/app-lifecycle/app/poststartz": TCP}
    assert probers_of(pod) == (told if expected else None)


def test_hooks_of_other_kinds_stay():
    lifecycle = {"preStop": {"sleep": {"seconds": 1}}, "postStart": {"grpc": {"port": 1}}}
    assert app(rewritten(with_app(lifecycle=lifecycle)))["lifecycle"] == lifecycle


@pytest.mark.parametrize(("release", "expected"), [("1.18", False), ("1.19", True)])
def test_probes_of_init_containers_are_from_1_19(release, expected):
    pod = a_pod(
        a_container(), a_container("istio-proxy"), init=[a_container("setup", startupProbe=HTTP, image="x")]
    )
    setup = rewritten(pod, release)["spec"]["initContainers"][0]
    assert (setup["startupProbe"] != HTTP) is expected


def test_of_an_init_container_and_a_container_of_one_name_the_containers_probe_is_told():
    pod = with_app(startupProbe=HTTP)
    pod["spec"]["initContainers"] = [a_container(startupProbe=TCP)]
    assert probers_of(rewritten(pod)) == {"/app-health/app/startupz": HTTP}


def test_a_named_port_is_told_by_its_number_the_last_of_two():
    ports = [{"name": "http", "containerPort": 1}, {"containerPort": 3}, {"name": "http", "containerPort": 2}]
    pod = rewritten(with_app(ports=ports, readinessProbe={"httpGet": {"port": "http"}}))
    assert probers_of(pod) == {"/app-health/app/readyz": {"httpGet": {"port": 2}}}


def test_a_named_port_that_is_missing_is_not_told_but_rewritten():
    pod = rewritten(with_app(readinessProbe={"httpGet": {"port": "nope"}}))
    assert probers_of(pod) is None
    assert app(pod)["readinessProbe"] == through_agent("readyz")


def test_a_probe_that_asks_the_agent_already_is_not_told_again():
    assert probers_of(rewritten(with_app(readinessProbe=through_agent("readyz")))) is None


@pytest.mark.parametrize(
    ("annotation", "by_default", "expected"),
    [("true", False, True), ("0", True, False), ("nonsense", True, True), (None, False, False)],
)
def test_the_annotation_overrides_the_values(annotation, by_default, expected):
    annotations = {} if annotation is None else {"sidecar.istio.io/rewriteAppHTTPProbers": annotation}
    pod = rewritten(with_app(readinessProbe=HTTP, annotations=annotations), by_default=by_default)
    assert (app(pod)["readinessProbe"] != HTTP) is expected


@pytest.mark.parametrize(
    ("annotation", "port"), [("15030", 15030), ("0", 0), (" 15030", 0), ("4294967295", -1)]
)
def test_the_agents_port_is_the_annotations(annotation, port):
    pod = rewritten(with_app(readinessProbe=HTTP, annotations={"status.sidecar.istio.io/port": annotation}))
    assert app(pod)["readinessProbe"]["httpGet"]["port"] == port


@pytest.mark.parametrize(("release", "expected"), [("1.18", False), ("1.19", True)])
def test_a_pod_without_a_proxy_keeps_its_probes(release, expected):
    pod = a_pod(a_container(readinessProbe=HTTP), init=[a_container("istio-proxy", readinessProbe=HTTP)])
    changed = rewritten(pod, release)
    assert (changed != pod) is expected
    assert changed["spec"]["initContainers"][0]["readinessProbe"] == HTTP


# ---- a pod that was injected before

OLD = '{"/app-health/app/livez":{"httpGet":{"port":1}},"/app-health/app/readyz":null}'


def reinjected(value, release="1.31", **fields):
    env = [{"name": "A"}, {"name": "ISTIO_KUBE_APP_PROBERS", "value": value}]
    pod = a_pod(
        a_container(**fields),
        a_container("istio-proxy", env=env),
        annotations={"sidecar.istio.io/status": "{}"},
    )
    return env_of(the_proxy(rewritten(pod, release)))


def test_earlier_entries_win_and_the_variable_keeps_its_place():
    env = reinjected(OLD, readinessProbe=HTTP, startupProbe=HTTP)
    assert env == [
        ("A", ""),
        (
            "ISTIO_KUBE_APP_PROBERS",
            (
                '{"/app-health/app/livez":{"httpGet":{"port":1}},"/app-health/app/readyz":null,'
                '"/app-health/app/startupz":{"httpGet":{"path":"/ready","port":8080}}}'
            ),
        ),
    ]


def test_before_1_17_the_variable_is_appended():
    assert [name for name, _ in reinjected(OLD, "1.16", readinessProbe=HTTP)].count(
        "ISTIO_KUBE_APP_PROBERS"
    ) == 2


@pytest.mark.parametrize("value", ["", "x", "[]", '{"/a":{"httpGet":1}}'])
def test_a_variable_that_cannot_be_read_stays(value):
    assert reinjected(value, readinessProbe=HTTP) == [("A", ""), ("ISTIO_KUBE_APP_PROBERS", value)]


def test_null_is_read_as_no_entries():
    assert reinjected("null", readinessProbe=HTTP)[1][1].startswith('{"/app-health/app/readyz":')


@pytest.mark.parametrize(
    ("release", "expected"), [("1.16", True), ("1.17", False), ("1.26", False), ("1.27", True)]
)
def test_a_proxy_that_had_nothing_to_tell_gets_the_variable_before_1_17_and_from_1_27(release, expected):
    pod = rewritten(with_app(readinessProbe=HTTP, annotations={"sidecar.istio.io/status": "{}"}), release)
    assert probers_of(pod) == ({"/app-health/app/readyz": HTTP} if expected else None)


def test_earlier_handlers_of_every_kind_are_kept_in_order():
    value = '{"/x":{"timeoutSeconds":2,"grpc":{"service":"s","port":1},"unknown":1},"/y":{"tcpSocket":{"port":"p"}}}'
    assert reinjected(value, readinessProbe=HTTP)[1][1].endswith(
        ',"/x":{"grpc":{"port":1,"service":"s"},"timeoutSeconds":2},"/y":{"tcpSocket":{"port":"p"}}}'
    )
