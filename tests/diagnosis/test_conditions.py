"""matchConditions: what they say of a pod, and what is not known of them here."""

from __future__ import annotations

from typing import Any

import pytest

from injector.diagnosis.arrival import Arrival
from injector.diagnosis.conditions import Answer, Condition, evaluate
from tests.diagnosis.builders import a_pod


def answer(expression: str, *, user: Any = None, **metadata: Any) -> Condition:
    arrival = Arrival(pod=a_pod(**metadata), namespace="shop", user=user)
    variables = {"object": arrival.seen, "oldObject": None, "request": arrival.request}
    (found,) = evaluate([{"name": "it", "expression": expression}], variables)
    return found


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
    ],
)
def test_a_condition_says_what_the_api_server_says(expression: str, expected: Answer) -> None:
    assert answer(expression, labels={"app": "web"}).answer == expected


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("quantity('1Gi').isGreaterThan(quantity('1Mi'))", "undeclared reference to 'quantity' at column 9"),
        ("authorizer.group('').resource('pods').check('get').allowed()", "undeclared reference to"),
        ("request.userInfo.username == 'me'", "it depends on who creates the pod"),
        ("object.spec.hostNetwork", "an API server takes only what is a boolean for sure, not dyn"),
        ("a b", "Syntax error: extraneous input 'b' expecting <EOF> at column 3"),
        ("true\n&& undefined", "undeclared reference to 'undefined' at line 2, column 4"),
    ],
)
def test_what_cannot_be_evaluated_here_is_never_guessed(expression: str, reason: str) -> None:
    found = answer(expression)
    assert found.answer == "unknown"
    assert reason in found.reason


def test_an_error_says_what_is_missing() -> None:
    assert answer("object.spec.nodeName == 'a'").reason == 'Key not found in map : "nodeName"'


def test_who_creates_the_pods_of_a_controller_is_known() -> None:
    user = {
        "username": "system:serviceaccount:kube-system:job-controller",
        "groups": ["system:authenticated"],
    }
    assert answer("'system:authenticated' in request.userInfo.groups", user=user).answer == "true"
