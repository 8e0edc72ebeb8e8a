"""Whether kube-apiserver calls an entry, and whose an entry is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from injector.diagnosis.arrival import Arrival
from injector.diagnosis.items import Item
from injector.diagnosis.registration import Entry, Ours, entries, owned
from tests.diagnosis.builders import OURS, a_namespace, a_pod, a_registration, an_entry
from tests.oracle import BATCH, AskJSON, thorough


def asked(
    *given: dict[str, Any], namespace: Item | None = None, ours: Ours | None = None, **metadata: Any
) -> list[Entry]:
    arrival = Arrival(pod=a_pod(**metadata), namespace="shop")
    return entries([a_registration(*given)], arrival, namespace, ours or Ours())


def outcome(entry: dict[str, Any], *, namespace: Item | None = None, **metadata: Any) -> str:
    (found,) = asked(entry, namespace=namespace, **metadata)
    return found.outcome


def wants(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


CREATE = an_entry()["rules"][0]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (CREATE, "called"),
        (CREATE | {"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"]}, "called"),
        (CREATE | {"resources": ["*"]}, "called"),
        (CREATE | {"resources": ["*/*"]}, "called"),
        (CREATE | {"resources": ["pods/*"]}, "called"),
        (CREATE | {"scope": "Namespaced"}, "called"),
        (CREATE | {"scope": "Cluster"}, "skipped"),
        (CREATE | {"operations": ["UPDATE"]}, "skipped"),
        (CREATE | {"apiGroups": ["apps"]}, "skipped"),
        (CREATE | {"apiVersions": ["v1beta1"]}, "skipped"),
        (CREATE | {"resources": ["pods/ephemeralcontainers"]}, "skipped"),
        (CREATE | {"resources": ["deployments"]}, "skipped"),
    ],
)
def test_a_rule_is_matched_as_the_api_server_matches_it(rule: dict[str, Any], expected: str) -> None:
    assert outcome(an_entry(rules=[rule])) == expected


def test_a_namespace_has_the_label_with_its_name_always() -> None:
    away = an_entry(namespaceSelector=wants("kubernetes.io/metadata.name", "NotIn", "shop"))
    assert outcome(away) == "skipped"
    assert outcome(an_entry(namespaceSelector=wants("kubernetes.io/metadata.name", "In", "shop"))) == "called"


def test_a_namespace_that_is_not_known_leaves_its_labels_open() -> None:
    entry = an_entry(namespaceSelector=wants("istio-injection", "In", "enabled"))
    assert outcome(entry) == "unknown"
    assert outcome(entry, namespace=a_namespace()) == "skipped"
    assert outcome(entry, namespace=a_namespace(**{"istio-injection": "enabled"})) == "called"


def test_a_selector_that_says_no_counts_before_what_is_not_known() -> None:
    entry = an_entry(
        namespaceSelector=wants("istio-injection", "Exists"), objectSelector=wants("app", "In", "other")
    )
    assert outcome(entry, labels={"app": "web"}) == "skipped"


@pytest.mark.parametrize("selector", [None, {}])
def test_no_selector_is_one_that_matches_all(selector: Any) -> None:
    assert outcome(an_entry(namespaceSelector=selector, objectSelector=selector)) == "called"


def test_a_selector_that_is_not_valid_matches_nothing_and_says_so() -> None:
    (entry,) = asked(an_entry(objectSelector=wants("a", "Is", "b")))
    assert entry.outcome == "skipped"
    assert '"Is" is not a valid label selector operator' in entry.obstacles[0].message


def conditions(*expressions: str, policy: str = "Fail") -> dict[str, Any]:
    listed = [{"name": f"c{number}", "expression": text} for number, text in enumerate(expressions)]
    return an_entry(matchConditions=listed, failurePolicy=policy)


FAILING = "object.spec.nodeName == 'a'"
UNKNOWN = "isQuantity('1')"


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (conditions("true", "true"), "called"),
        (conditions("true", "false"), "skipped"),
        (conditions(FAILING), "rejected"),
        (conditions(FAILING, policy="Ignore"), "skipped"),
        (conditions(FAILING, "false"), "skipped"),
        (conditions(UNKNOWN), "unknown"),
        (conditions(UNKNOWN, "false"), "skipped"),
        (conditions(UNKNOWN, FAILING), "unknown"),
    ],
)
def test_conditions_come_together_as_the_api_server_has_it(entry: dict[str, Any], expected: str) -> None:
    assert outcome(entry) == expected


@pytest.mark.parametrize(
    ("selector", "advice"),
    [
        (wants("mesh", "In", "on"), "kubectl label namespace shop --overwrite mesh=on"),
        (wants("mesh", "Exists"), "kubectl label namespace shop --overwrite mesh=true"),
        (wants("off", "DoesNotExist"), "kubectl label namespace shop off-"),
        (wants("off", "NotIn", "yes"), "kubectl label namespace shop off-"),
    ],
)
def test_a_namespace_is_told_the_command_that_lets_it_in(selector: dict[str, Any], advice: str) -> None:
    (entry,) = asked(an_entry(namespaceSelector=selector), namespace=a_namespace(off="yes"))
    assert [each.advice for each in entry.obstacles] == [advice]


@pytest.mark.parametrize(
    ("selector", "advice"),
    [
        (wants("inject", "In", "true"), 'label the pod template, not its owner: inject: "true"'),
        (
            wants("off", "DoesNotExist"),
            "remove the label off from the pod template (metadata.labels of the pod)",
        ),
    ],
)
def test_a_pod_is_told_which_label_of_its_template_to_change(selector: dict[str, Any], advice: str) -> None:
    (entry,) = asked(an_entry(objectSelector=selector), labels={"off": "yes"})
    assert [each.advice for each in entry.obstacles] == [advice]


# ---- whose they are


def service(name: str, path: str = "/inject") -> dict[str, Any]:
    return {"clientConfig": {"service": {"name": name, "path": path}}}


ISTIOD = an_entry(name=f"namespace.{OURS}", **service("istiod"))
KYVERNO = an_entry(name="mutate.kyverno.svc", **service("kyverno", "/mutate"))


@pytest.mark.parametrize(
    ("given", "ours", "roles"),
    [
        ([an_entry(), ISTIOD, KYVERNO], Ours(), ["ours", "rival", "other"]),
        ([ISTIOD, KYVERNO], Ours(), ["ours", "other"]),
        (
            [an_entry(name="own.test", clientConfig={"url": "https://x.test:8443/inject/net/n"})],
            Ours(),
            ["ours"],
        ),
        ([KYVERNO], Ours(), ["other"]),
        ([an_entry(), KYVERNO], Ours(name="mutate.kyverno.svc"), ["rival", "ours"]),
        ([an_entry(), ISTIOD], Ours(name=f"*.{OURS}"), ["ours", "ours"]),
    ],
)
def test_an_entry_is_ours_by_name_or_path(given: list[dict[str, Any]], ours: Ours, roles: list[str]) -> None:
    assert [each.role for each in asked(*given, ours=ours)] == roles
    listed = [entry["name"] for _, entry in owned([a_registration(*given)], ours)]
    assert listed == [entry["name"] for entry, role in zip(given, roles, strict=True) if role == "ours"]


# ---- beside Go's selectors

KEYS, VALUES = st.sampled_from(("a", "b", "c.d/e")), st.sampled_from(("", "x", "y"))
LABELS = st.dictionaries(KEYS, VALUES, max_size=3)
EXPRESSIONS = st.one_of(
    st.builds(
        lambda key, operator, values: {"key": key, "operator": operator, "values": values},
        KEYS,
        st.sampled_from(("In", "NotIn")),
        st.lists(VALUES, min_size=1, max_size=2),
    ),
    st.builds(
        lambda key, operator: {"key": key, "operator": operator},
        KEYS,
        st.sampled_from(("Exists", "DoesNotExist")),
    ),
)
SELECTORS = st.fixed_dictionaries(
    {
        "matchLabels": st.dictionaries(KEYS, VALUES, max_size=2),
        "matchExpressions": st.lists(EXPRESSIONS, max_size=3),
    }
)
CASES = st.lists(st.tuples(SELECTORS, LABELS, SELECTORS, LABELS), min_size=BATCH // 4, max_size=BATCH)


@pytest.mark.go
@given(cases=CASES)
@thorough(full=100, quick=3)
def test_an_entry_is_called_where_both_of_go_s_selectors_match(ask_go_json: AskJSON, cases: Any) -> None:
    questions = [
        {"op": "selector", "selector": selector, "labels": labels}
        for namespaces, of_namespace, objects, of_pod in cases
        for selector, labels in ((namespaces, of_namespace), (objects, of_pod))
    ]
    answers = [each["matches"] for each in ask_go_json(questions)]
    for case, by_namespace, by_pod in zip(cases, answers[::2], answers[1::2], strict=True):
        namespaces, of_namespace, objects, of_pod = case
        entry = an_entry(namespaceSelector=namespaces, objectSelector=objects)
        namespace = a_namespace(**of_namespace)
        expected = "called" if by_namespace and by_pod else "skipped"
        assert outcome(entry, namespace=namespace, labels=of_pod) == expected, case
