"""Label selectors: what they match, and apimachinery's sentences for those that cannot be used."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from injector.errors import TypedError
from injector.injection.selector import Selector, SelectorError
from tests.oracle import BATCH, Ask, expect_agreement, thorough

NAME = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
DOMAIN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
MADE_OF = "consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"


def expressions(*conditions: tuple[str, str, list[str]]) -> dict[str, Any]:
    return {
        "matchExpressions": [{"key": key, "operator": op, "values": values} for key, op, values in conditions]
    }


MATCHES = {
    "an empty selector matches everything": ({}, {"a": "b"}, True),
    "labels have to be there": ({"matchLabels": {"a": "b", "c": "d"}}, {"a": "b"}, False),
    "labels that are there": ({"matchLabels": {"a": "b"}}, {"a": "b", "c": "d"}, True),
    "an empty value": ({"matchLabels": {"a": ""}}, {}, False),
    "in": (expressions(("a", "In", ["x", "y"])), {"a": "y"}, True),
    "not in, and not there": (expressions(("a", "NotIn", ["x"])), {}, True),
    "not in, but there": (expressions(("a", "NotIn", ["x"])), {"a": "x"}, False),
    "exists": (expressions(("a", "Exists", [])), {"a": ""}, True),
    "does not exist": (expressions(("a", "DoesNotExist", [])), {"a": ""}, False),
    "all have to hold": (expressions(("a", "Exists", []), ("b", "Exists", [])), {"a": ""}, False),
    "keys in any case": ({"MatchLabels": {"a": "b"}}, {"a": "c"}, False),
}


@pytest.mark.parametrize("case", MATCHES.values(), ids=MATCHES)
def test_a_selector_matches_labels(case: tuple[Any, dict[str, str], bool]) -> None:
    selector, labels, expected = case
    assert Selector.parse(selector).matches(labels) is expected


REFUSED = {
    "an operator": (expressions(("a", "in", [])), '"in" is not a valid label selector operator'),
    "no values": (
        expressions(("a", "In", [])),
        "values: Invalid value: null: for 'in', 'notin' operators, values set can't be empty",
    ),
    "values without use": (
        expressions(("a", "Exists", ["<"])),
        (
            '[values: Invalid value: ["\\u003c"]: values set must be empty for exists and does not exist, '
            'values[0][a]: Invalid value: "<": a valid label must be an empty string or '
            f"{MADE_OF} (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '({NAME})?')]"
        ),
    ),
    "a key with two slashes": (
        expressions(("a/b/c", "Exists", [])),
        (
            f"key: Invalid value: \"a/b/c\": a qualified name must {MADE_OF} (e.g. 'MyName',  or 'my.name',  or '123-abc', "
            f"regex used for validation is '{NAME}') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        ),
    ),
    "no prefix": (
        expressions(("/a", "Exists", [])),
        'key: Invalid value: "/a": prefix part must be non-empty',
    ),
    "a bad prefix": (
        expressions(("A/b", "Exists", [])),
        (
            'key: Invalid value: "A/b": prefix part a lowercase RFC 1123 subdomain must consist of lower case alphanumeric '
            "characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
            f"for validation is '{DOMAIN}')"
        ),
    ),
    "too long": (
        {"matchLabels": {"a": "v" * 64}},
        f'values[0][a]: Invalid value: "{"v" * 64}": must be no more than 63 characters',
    ),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_a_selector_that_cannot_be_used_says_why(case: tuple[Any, str]) -> None:
    selector, sentence = case
    with pytest.raises(SelectorError) as caught:
        Selector.parse(selector)
    assert str(caught.value) == sentence


def test_a_selector_of_empty_parts_has_no_conditions() -> None:
    assert Selector.parse({}).requirements == ()
    assert Selector.parse({"matchLabels": {}, "matchExpressions": []}).requirements == ()


def test_a_value_of_the_wrong_type_is_no_selector() -> None:
    with pytest.raises(TypedError, match=r"into Go struct field LabelSelector\.matchLabels of type string"):
        Selector.parse({"matchLabels": {"a": 1}})


def selectors(seed: int) -> list[tuple[Any, dict[str, str]]]:
    chance = random.Random(seed)
    keys = [
        "a",
        "b",
        "app",
        "x.io/y",
        "X.io/y",
        "/y",
        "a/",
        "a/b/c",
        "",
        "-a",
        "a" * 64,
        "é",
        "a" * 254 + "/b",
    ]
    values = ["", "x", "y", "z", "-", "x y", "v" * 64, "é", "a/b"]

    def key() -> str:
        return chance.choice(keys[:4] if chance.random() < 0.93 else keys)

    def value() -> str:
        return chance.choice(values[:4] if chance.random() < 0.93 else values)

    def condition() -> dict[str, Any]:
        operators = [
            "In",
            "NotIn",
            "Exists",
            "DoesNotExist",
            *(["in", 'Gt"'] if chance.random() < 0.05 else []),
        ]
        made: dict[str, Any] = {"key": key(), "operator": chance.choice(operators)}
        some = made["operator"] in ("In", "NotIn") if chance.random() < 0.9 else chance.random() < 0.5
        return made | ({"values": [value() for _ in range(chance.randint(1, 3))]} if some else {})

    def selector() -> Any:
        made: dict[str, Any] = {}
        if chance.random() < 0.6:
            made["matchLabels"] = {key(): value() for _ in range(chance.randint(0, 2))}
        if chance.random() < 0.6:
            made["matchExpressions"] = [condition() for _ in range(chance.randint(0, 2))]
        return made

    return [
        (selector(), {chance.choice(keys[:4]): chance.choice(values[:4]) for _ in range(3)})
        for _ in range(BATCH)
    ]


def answer(question: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"matches": Selector.parse(question["selector"]).matches(question["labels"])}
    except SelectorError as error:
        return {"error": str(error)}


@thorough(full=60, quick=5)
@given(st.integers(0, 2**48))
def test_selectors_match_as_in_kubernetes(ask_go: Ask, seed: int) -> None:
    questions = [
        {"op": "selector", "selector": selector, "labels": labels} for selector, labels in selectors(seed)
    ]
    expect_agreement(ask_go, questions, answer)


def test_the_table_is_what_kubernetes_says(ask_go: Ask) -> None:
    cases = [(case[0], case[1]) for case in MATCHES.values()] + [(case[0], {}) for case in REFUSED.values()]
    questions = [{"op": "selector", "selector": selector, "labels": labels} for selector, labels in cases]
    expect_agreement(ask_go, questions, answer)
