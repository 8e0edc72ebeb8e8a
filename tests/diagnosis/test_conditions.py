"""matchConditions: what they say of a pod, and what is not known of them here."""

from __future__ import annotations

from typing import Any

import pytest

from injector.diagnosis.arrival import Arrival
from injector.diagnosis.conditions import Answer, evaluate
from tests.diagnosis.builders import a_pod


def evaluated(expression: str, *, user: Any = None, **metadata: Any) -> tuple[Answer, str]:
    arrival = Arrival(pod=a_pod(**metadata), namespace="shop", user=user)
    variables = {"object": arrival.seen, "oldObject": None, "request": arrival.request}
    return evaluate(expression, variables)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("object.metadata.?labels['app'].orValue('') == 'web'", "true"),
        ("object.metadata.?annotations[?'a'].hasValue()", "false"),
        ("has(object.spec.hostNetwork)", "false"),
        ("object.spec.hostNetwork || true", "true"),
        ("object.spec.hostNetwork && true", "error"),
        ("object.metadata.labels['none'] == ''", "error"),
        ("object.metadata.labels.all(k, k.matches('^[a-z.]+$'))", "true"),
        ("object.metadata.name.upperAscii() == 'WEB' && '%s'.format(['a']) == 'a'", "true"),
        ("object.spec.containers.exists_one(c, c.image == 'web')", "true"),
        ("request.operation == 'CREATE' && request.namespace == 'shop' && oldObject == null", "true"),
        ("object.spec.terminationGracePeriodSeconds / 7 == 4", "true"),
        ("object.spec.terminationGracePeriodSeconds == 30.0", "true"),
        ("object.spec.containers[1].name == ''", "error"),
        ("object.metadata.labels.map(k, size(k)) == [3]", "true"),
        ("request.dryRun", "false"),
        ("!request.dryRun", "true"),
    ],
)
def test_a_condition_says_what_the_api_server_says(expression: str, expected: Answer) -> None:
    assert evaluated(expression, labels={"app": "web"})[0] == expected


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        (
            "authorizer.group('').resource('pods').check('get').allowed()",
            "authorizer is Kubernetes' addition",
        ),
        ("false && quantity('1') == quantity('1')", "quantity is Kubernetes' addition"),
        ("[1, 2, 1].indexOf(1) == 0", "found no matching overload for 'indexOf'"),
        ("cel.bind(x, 1, x == 1)", "undeclared reference to 'x'"),
        ("object.metadata.labels.all(k, v, v != '')", "undeclared reference to 'k'"),
        ("variables.it == 1", "undeclared reference to 'variables.it'"),
        ("namespaceObject.metadata.name == ''", "undeclared reference to 'namespaceObject.metadata.name'"),
        ("1 < 1.5", "found no matching overload"),
        ("request.options.fieldManager == 'me'", "it depends on who creates the pod"),
        ("request.uid != ''", "it depends on the request's uid"),
        ("request.userInfo.username == 'me'", "it depends on who creates the pod"),
        ("object.spec.hostNetwork", "an API server takes only what is a boolean for sure, not dyn"),
        ("a b", "Syntax error: extraneous input 'b' expecting <EOF> at column 3"),
        ("true\n&& undefined", "undeclared reference to 'undefined' at line 2, column 4"),
    ],
)
def test_what_cannot_be_evaluated_here_is_never_guessed(expression: str, reason: str) -> None:
    answer, why = evaluated(expression)
    assert answer == "unknown"
    assert reason in why


@pytest.mark.parametrize(
    "expression",
    [
        "quantity('1Gi').isGreaterThan(quantity('1Mi'))",
        "isQuantity('1Gi')",
        "url('https://a.b/c').getHost() == 'a.b'",
        "isURL('https://a')",
        "ip('1.2.3.4').family() == 4",
        "isIP('1.2.3.4')",
        "cidr('10.0.0.0/8').containsIP('10.1.1.1')",
        "isCIDR('10.0.0.0/8')",
        "'abc 12'.find('[0-9]+') == '12'",
        "'abc 12'.findAll('[0-9]+').size() == 1",
        "[1, 2].isSorted()",
        "[1, 2].sum() == 3",
        "[1, 2].min() == 1",
        "[1, 2].max() == 2",
        "semver('1.2.3').major() == 1",
        "isSemver('1.2.3')",
        "format.dns1123Label().validate('a').hasValue()",
        "sets.contains([1], [1])",
        "jsonpatch.escapeKey('a') == 'a'",
        "math.greatest(1, 2) == 2",
        "[1, 2].slice(0, 1) == [1]",
        "[[1]].flatten() == [1]",
        "[2, 1].sort() == [1, 2]",
        "[1, 1].distinct() == [1]",
        "lists.range(2) == [0, 1]",
        "base64.encode(b'a') == 'YQ=='",
        "authorizer.requestResource.check('create').allowed()",
        "object.spec.containers.exists(c, quantity(c.resources.limits.cpu).isGreaterThan(quantity('1')))",
    ],
)
def test_what_kubernetes_adds_to_the_language_is_named(expression: str) -> None:
    answer, reason = evaluated(expression)
    assert answer == "unknown"
    assert "is Kubernetes' addition to CEL, and nothing here evaluates it" in reason


def test_an_error_says_what_is_missing() -> None:
    assert evaluated("object.spec.nodeName == 'a'") == ("error", 'Key not found in map : "nodeName"')


def test_who_creates_the_pods_of_a_controller_is_known() -> None:
    user = {
        "username": "system:serviceaccount:kube-system:job-controller",
        "groups": ["system:authenticated"],
    }
    assert evaluated("'system:authenticated' in request.userInfo.groups", user=user) == ("true", "")
