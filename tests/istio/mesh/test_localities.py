from __future__ import annotations

from typing import Any

import pytest

from injector.istio.mesh.mesh_validation import locality_faults, zone_aware_faults
from injector.kubeyaml import load

DIFFERENT = "locality lb failover settings must specify different regions"
WILDCARD = "locality lb failover region should not contain '*' wildcard"
ONLY_REGION = "locality lb failover only specify region"


def faults(text: str, minor: int = 31) -> list[str]:
    settings: Any = load(text)
    return locality_faults(settings, minor)


@pytest.mark.parametrize(
    ("text", "minor", "sentences"),
    [
        ("{}", 31, []),
        ("{distribute: [{from: a, to: {b: 40, c: 60}}]}", 1, []),
        ("{distribute: [{from: a, to: {b: 40, c: 61}}]}", 31, ["total locality weight 101 != 100"]),
        ("{distribute: [{from: a}]}", 31, ["total locality weight 0 != 100"]),
        ("{distribute: [null]}", 31, ["total locality weight 0 != 100"]),
        ("{distribute: [{from: a, to: {b: 0}}]}", 4, ["locality weight must not be in range [1, 100]"]),
        ("{distribute: [{from: a, to: {b: 0}}]}", 5, ["locality weight must be in range [1, 100]"]),
        ("{distribute: [{from: a, to: {b: 101}}]}", 11, ["total locality weight 101 != 100"]),
        ("{distribute: [{from: a, to: {b: 101}}]}", 12, ["locality weight must be in range [1, 100]"]),
        ("{distribute: [{from: a, to: {b: 101, c: 4294967295}}]}", 11, []),
        (
            "{distribute: [{from: a, to: {b: 100}}], failover: [{from: a, to: b}]}",
            31,
            ["can not simultaneously specify 'distribute' and 'failover'"],
        ),
        ("{failover: [{from: a, to: a}, {from: b, to: '*'}]}", 13, [DIFFERENT]),
        ("{failover: [{from: a, to: a}, {from: b, to: '*'}]}", 14, [DIFFERENT, WILDCARD]),
        ("{failover: [{from: a/b, to: c}]}", 12, []),
        ("{failover: [{from: a/b, to: c}]}", 13, [ONLY_REGION]),
        ("{failover: [{from: '*', to: c}]}", 12, []),
        ("{failover: [{from: '*', to: c}]}", 13, [WILDCARD]),
        ("{failover: [{from: a, to: b}], failoverPriority: [topology.istio.io/subzone]}", 19, []),
        (
            "{failover: [{from: a, to: b}], failoverPriority: [x, topology.istio.io/subzone]}",
            20,
            [
                (
                    "can not simultaneously set 'failover' and topology label 'topology.istio.io/subzone'"
                    " in 'failover_priority'"
                )
            ],
        ),
        ("{failoverPriority: [topology.istio.io/subzone]}", 31, []),
    ],
)
def test_a_faulty_setting_gets_istios_sentences(text, minor, sentences):
    assert faults(text, minor) == sentences


def overlap(locality: str) -> list[str]:
    return [f"locality {locality} overlap with previous specified ones"]


@pytest.mark.parametrize(
    ("sources", "sentences"),
    [
        (["a", "b", "c/d", "e/f/g"], []),
        (["a", "a"], overlap("a")),
        (["a/b", "a"], overlap("a")),
        (["a", "a/b"], overlap("a/b")),
        (["a/*", "a/b"], overlap("a/b")),
        (["a/b", "a/b"], overlap("a/b")),
        (["a/b", "a/c", "a/b/c"], overlap("a/b/c")),
        (["a/b/c", "a/b/d"], []),
        (["a/b/*", "a/b/c"], overlap("a/b/c")),
        (["a/b/c", "a/b/c"], overlap("a/b/c")),
        (["a/b/c", "a/b"], overlap("a/b")),
        (["a/b", "a/*"], []),
        (["a/b/c", "a/b/*"], []),
        (["*", "a"], overlap("a")),
        (["a", "*"], []),
        (["*/a"], ["locality */a wildcard '*' number can not exceed 1 and must be in the end"]),
        (["a/**"], ["locality a/** wildcard '*' number can not exceed 1 and must be in the end"]),
        (["a//b"], ["locality a//b must not contain empty region/zone/subzone info"]),
        ([""], ["locality  must not contain empty region/zone/subzone info"]),
    ],
)
def test_localities_have_to_be_apart(sources, sentences):
    distribute = [{"from": source, "to": {"x": 100}} for source in sources]
    assert locality_faults({"distribute": distribute}, 31) == sentences


def test_what_is_distributed_to_has_to_be_apart_as_well():
    found = faults("{distribute: [{from: a, to: {b: 50, b/c: 50}}, {from: a, to: {d: 100}}]}")
    assert found == [*overlap("b/c"), *overlap("a")]


def test_zone_aware_settings_take_no_topology_and_only_regions():
    settings: Any = load(
        "{failoverPriority: [topology.kubernetes.io/zone, x], failover: [{from: a/b, to: a/b}, {from: '*', to: c}]}"
    )
    assert zone_aware_faults(settings) == [
        (
            "'failover_priority' for zone aware lb must not use topology label 'topology.kubernetes.io/zone'; "
            "region- and zone-level routing are handled automatically"
        ),
        "zone aware lb failover settings must specify different regions",
        "zone aware lb failover only specifies region; zone and subzone failover are handled automatically",
        "zone aware lb failover region should not contain '*' wildcard",
    ]
    assert zone_aware_faults({}) == []
