"""Values of wrong types, beside what Go says of them.

``values_answers.json`` was written by a program around Istio's own Values message of seven minors, read by the
jsonpb of its time with unknown fields allowed. An answer holds until the minor of the next; "" is none.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from injector.errors import ConfigError, InjectionError
from injector.istio.values import value_faults
from injector.kubeyaml import load
from tests.injection.builders import a_pod, a_review, answered, legacy, overlays

ASKED = (8, 12, 14, 20, 22, 28, 31)
ANSWERS = json.loads((Path(__file__).parent / "values_answers.json").read_text())


def go_says(answers: dict[str, str], minor: int) -> str:
    return next(answers[str(each)] for each in reversed(ASKED) if each <= minor and str(each) in answers)


@pytest.mark.parametrize("case", ANSWERS, ids=[case["values"] for case in ANSWERS])
def test_the_first_fault_is_the_one_that_go_names(case):
    values = load(case["values"]) or {}
    first = {minor: next((reason for _, reason in value_faults(values, minor)), "") for minor in ASKED}
    assert first == {minor: go_says(case["answers"], minor) for minor in ASKED}


def test_every_fault_is_found_with_its_path():
    values = load("""
        global:
          proxy: {logLevel: 1, resources: {limits: {cpu: 2}}}
          imagePullSecrets: [ok, 5]
        gateways: []
        """)
    assert value_faults(values, 31) == [
        (("gateways",), "json: cannot unmarshal array into Go value of type map[string]json.RawMessage"),
        (("global", "imagePullSecrets", 1), "json: cannot unmarshal number into Go value of type string"),
        (("global", "proxy", "logLevel"), "json: cannot unmarshal number into Go value of type string"),
        (
            ("global", "proxy", "resources", "limits", "cpu"),
            "json: cannot unmarshal number into Go value of type string",
        ),
    ]


def test_values_had_no_types_before_1_8():
    assert value_faults({"global": 5}, 7) == []
    assert len(value_faults({"global": 5}, 8)) == 1


def test_what_newer_values_know_older_ones_ignore():
    assert value_faults({"global": {"nativeNftables": 5}}, 26) == []
    assert len(value_faults({"global": {"nativeNftables": 5}}, 27)) == 1


def test_of_two_spellings_the_one_of_json_counts_even_as_null():
    assert value_faults({"istio_cni": {"enabled": 5}, "istioCni": None}, 31) == []
    ((path, _),) = value_faults({"istio_cni": {"enabled": True}, "istioCni": {"enabled": 5}}, 31)
    assert path == ("istioCni", "enabled")


NOTHING = ("", "null", "# nothing\n", "---\n")


@pytest.mark.parametrize("values", NOTHING)
@pytest.mark.parametrize("release", ["1.23", "1.31", "1.32"])
def test_no_values_at_all_deny_every_pod_from_1_23_on_and_a_warning_says_so(release, values):
    injector = overlays(release, values=values)
    (warning,) = injector.warnings
    assert "denies every pod" in warning
    refused = "failed to run injection template: failed to parse values.yaml; check Istiod logs for errors"
    response = answered(injector.review(a_review(a_pod())))["response"]
    assert (response["allowed"], response["status"]["message"]) == (False, refused)
    with pytest.raises(InjectionError, match=re.escape(refused)):
        injector.inject_workload(a_pod())


@pytest.mark.parametrize("values", [*NOTHING, "{}"])
@pytest.mark.parametrize("release", ["1.2", "1.8", "1.9", "1.13", "1.14", "1.22"])
def test_before_that_they_are_as_empty_ones(release, values):
    injector = (legacy if release in ("1.2", "1.8") else overlays)(release, values=values)
    pod, _ = injector.inject_pod(a_pod(), "shop")
    assert [each["name"] for each in pod["spec"]["containers"]] == ["app", "istio-proxy"]
    assert injector.warnings == ()


def test_an_empty_mapping_of_values_and_a_null_inside_it_are_values():
    for values in ("{}", "global: null", "global: {proxy: null}"):
        overlays("1.31", values=values).inject_pod(a_pod(), "shop")


@pytest.mark.parametrize("values", ["[]", "[a]", "a", "5", "true"])
@pytest.mark.parametrize("release", ["1.7", "1.13", "1.31"])
def test_values_that_are_no_mapping_are_refused_at_load(release, values):
    with pytest.raises(ConfigError, match="values: must be a mapping, not a"):
        (legacy if release == "1.7" else overlays)(release, values=values)
