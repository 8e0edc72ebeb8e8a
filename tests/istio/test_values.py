"""Values of wrong types, beside what Go says of them.

``values_answers.json`` was written by a program around Istio's own Values message of seven minors, read by the
jsonpb of its time with unknown fields allowed. An answer holds until the minor of the next; "" is none.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from injector.istio.values import ValueFault, dotted, value_faults
from injector.kubeyaml import load

ASKED = (8, 12, 14, 20, 22, 28, 31)
ANSWERS = json.loads((Path(__file__).parent / "values_answers.json").read_text())


def go_says(answers: dict[str, str], minor: int) -> str:
    return next(answers[str(each)] for each in reversed(ASKED) if each <= minor and str(each) in answers)


@pytest.mark.parametrize("minor", ASKED)
@pytest.mark.parametrize("case", ANSWERS, ids=[case["values"] for case in ANSWERS])
def test_the_first_fault_is_the_one_that_go_names(case, minor):
    faults = value_faults(load(case["values"]) or {}, minor)
    assert (faults[0].reason if faults else "") == go_says(case["answers"], minor)


def test_every_fault_is_found_with_its_path():
    values = load("""
        global:
          proxy: {logLevel: 1, resources: {limits: {cpu: 2}}}
          imagePullSecrets: [ok, 5]
        gateways: []
        """)
    assert value_faults(values, 31) == [
        ValueFault(
            path=("gateways",),
            reason="json: cannot unmarshal array into Go value of type map[string]json.RawMessage",
        ),
        ValueFault(
            path=("global", "imagePullSecrets", 1),
            reason="json: cannot unmarshal number into Go value of type string",
        ),
        ValueFault(
            path=("global", "proxy", "logLevel"),
            reason="json: cannot unmarshal number into Go value of type string",
        ),
        ValueFault(
            path=("global", "proxy", "resources", "limits", "cpu"),
            reason="json: cannot unmarshal number into Go value of type string",
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
    (fault,) = value_faults({"istio_cni": {"enabled": True}, "istioCni": {"enabled": 5}}, 31)
    assert fault.path == ("istioCni", "enabled")


def test_a_path_is_written_with_dots_and_indexes():
    assert dotted(("global", "imagePullSecrets", 0)) == "global.imagePullSecrets[0]"
    assert dotted((0, "a")) == "[0].a"
    assert dotted(()) == ""
