"""What an API server refuses, told before it does."""

from __future__ import annotations

from typing import Any

import pytest

from injector.diagnosis.accepts import accepted
from injector.kubeyaml import load

GOOD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web", "labels": {"app": "web", "empty": ""}, "annotations": {"a.example/b": "c"}},
    "spec": {
        "initContainers": [{"name": "first", "image": "i"}],
        "containers": [
            {
                "name": "web",
                "image": "i",
                "ports": [{"name": "http", "containerPort": 80}],
                "env": [{"name": "A", "value": "b"}],
                "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                "readinessProbe": {"httpGet": {"port": "http"}},
                "resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "1000m"}},
            }
        ],
        "volumes": [{"name": "data", "emptyDir": {}}],
    },
}


def changed(value: Any, path: str, new: Any) -> Any:
    """Return the value with something else at a dotted path; numbers are indexes."""
    step, _, rest = path.partition(".")
    if isinstance(value, list):
        index = int(step)
        inner = changed(value[index], rest, new) if rest else new
        return [*value[:index], inner, *value[index + 1 :]]
    inner = changed(value.get(step, {}), rest, new) if rest else new
    return {**value, step: inner}


def value_of(value: Any) -> Any:
    """Return a value of CASES, which may be written as a flow collection."""
    return load(value) if isinstance(value, str) and value.startswith(("{", "[")) else value


def test_a_good_pod_is_accepted() -> None:
    assert accepted(GOOD) == []


C = "spec.containers.0"
CASES = [
    ("metadata.labels.long", "x" * 64, "metadata.labels[long]", "no more than 63 characters"),
    ("metadata.labels.dot", "web.", "metadata.labels[dot]", "must start and end with an alphanumeric"),
    ("metadata.labels.-x", "a", "metadata.labels[-x]", "name part"),
    ("metadata.annotations.A_b/c", "a", "metadata.annotations[A_b/c]", "prefix"),
    ("metadata.annotations.big", "x" * (257 << 10), "metadata.annotations", "Too long"),
    ("metadata.name", "Web", "metadata.name", "RFC 1123 subdomain"),
    ("spec.containers", [], "spec.containers", "Required value"),
    ("spec.initContainers.0.name", "web", "spec.initContainers[0].name", 'Duplicate value: "web"'),
    (f"{C}.name", "", "spec.containers[0].name", "Required value"),
    (f"{C}.name", "a_b", "spec.containers[0].name", "RFC 1123 label"),
    (f"{C}.image", "", "spec.containers[0].image", "Required value"),
    (f"{C}.imagePullPolicy", "Sometimes", "spec.containers[0].imagePullPolicy", "Unsupported value"),
    (f"{C}.ports.0.containerPort", 70000, "spec.containers[0].ports[0].containerPort", "between 1 and 65535"),
    (f"{C}.ports.0.name", "a-name-too-long-for-it", "spec.containers[0].ports[0].name", "at most 15"),
    (f"{C}.ports", "[{name: a, containerPort: 1}, {name: a, containerPort: 2}]", "spec.containers[0].ports[1].name", "Duplicate"),
    (f"{C}.env.0.valueFrom", "{fieldRef: {fieldPath: a}}", "spec.containers[0].env[0].valueFrom", "not empty"),
    (f"{C}.volumeMounts.0.name", "none", "spec.containers[0].volumeMounts[0].name", 'Not found: "none"'),
    (
        f"{C}.volumeMounts",
        "[{name: data, mountPath: /a}, {name: data, mountPath: /a}]",
        "spec.containers[0].volumeMounts[1].mountPath",
        "must be unique",
    ),
    (f"{C}.readinessProbe", "{periodSeconds: 1}", "spec.containers[0].readinessProbe", "must specify a handler"),
    (f"{C}.livenessProbe", "{tcpSocket: {port: 1}, successThreshold: 2}", "spec.containers[0].livenessProbe.successThreshold", "must be 1"),
    (
        f"{C}.lifecycle",
        "{preStop: {exec: {command: [a]}, httpGet: {port: 1}}}",
        "spec.containers[0].lifecycle.preStop.httpGet",
        "may not specify more than 1 handler type",
    ),
    (f"{C}.resources.requests.cpu", "1001m", "spec.containers[0].resources.requests", "less than or equal to cpu limit"),
    (f"{C}.securityContext", "{privileged: true, allowPrivilegeEscalation: false}", "spec.containers[0].securityContext", "cannot set"),
    ("spec.volumes", "[{name: data, emptyDir: {}}, {name: data, emptyDir: {}}]", "spec.volumes[1].name", "Duplicate"),
    ("spec.volumes.0.secret", "{secretName: a}", "spec.volumes[0].secret", "more than 1 volume type"),
    ("spec.initContainers.0.lifecycle", "{preStop: {exec: {command: [a]}}}", "spec.initContainers[0].lifecycle", "restartPolicy=Always"),
    ("spec.restartPolicy", "Perhaps", "spec.restartPolicy", "Unsupported value"),
    ("spec.resources", "{requests: {cpu: 500m}}", "spec.resources.requests[cpu]", "aggregate container requests of 1"),
    ("spec.resources", "{limits: {cpu: 500m}}", "spec.containers[0].resources.limits[cpu]", "pod limits of 500m"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "place", "words"), CASES)
def test_a_pod_that_an_api_server_refuses_is_told_where_and_why(
    path: str, value: Any, place: str, words: str
) -> None:
    found = dict(accepted(changed(GOOD, path, value_of(value))))
    assert words in found.get(place, ""), found


def test_linux_settings_in_a_windows_pod_are_refused() -> None:
    pod = changed(changed(GOOD, "spec.os", {"name": "windows"}), f"{C}.securityContext", {"runAsUser": 1})
    assert [path for path, _ in accepted(pod)] == ["spec.containers[0].securityContext.runAsUser"]


def test_two_containers_cannot_have_one_port_of_the_node() -> None:
    ports = [{"containerPort": 80, "hostPort": 80}]
    more = [{"name": name, "image": "i", "ports": ports} for name in ("a", "b")]
    found = accepted(changed(GOOD, "spec.containers", more))
    assert [path for path, _ in found] == ["spec.containers[1].ports[0].hostPort"]
