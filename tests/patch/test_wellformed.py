"""What certainly fits its Go type never is an error there, and the pods of an API server fit."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from injector.errors import TypedError
from injector.patch import POD, GoType, go_type, normalise
from injector.patch.json_patch import same
from injector.patch.wellformed import fits, is_canonical, is_plain

PLAIN: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "web",
        "labels": {"app": "web"},
        "creationTimestamp": "2026-01-02T03:04:05Z",
        "ownerReferences": [{"apiVersion": "v1", "kind": "X", "name": "x", "uid": "u", "controller": True}],
    },
    "spec": {
        "containers": [
            {
                "name": "web",
                "image": "web:1",
                "ports": [{"containerPort": 80, "protocol": "TCP"}],
                "env": [{"name": "A", "value": "b"}],
                "resources": {"limits": {"cpu": "100m", "memory": "1Gi"}},
                "livenessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 10},
            }
        ],
        "terminationGracePeriodSeconds": 30,
        "tolerations": [{"key": "k", "tolerationSeconds": 300}],
        "volumes": [{"name": "v", "emptyDir": {}}],
    },
    "status": {},
}


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        children = list(value.items())
    if isinstance(value, list):
        children = list(enumerate(value))
    return [path, *(place for key, item in children for place in places(item, (*path, key)))]


PLACES = places(PLAIN)[1:]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(
        ["1", "100m", "1e3", "1.5", "x", "", "2026-02-31T00:00:00Z", "2026-02-03T04:05:06Z", "80\n"]
    )
    | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["name", "Name", "x"]), inner, max_size=2)
    ),
    max_leaves=4,
)


CANONICAL: dict[str, Any] = normalise(PLAIN, POD)


def changed(place: tuple[Any, ...], value: Any, pod: dict[str, Any] = PLAIN) -> dict[str, Any]:
    pod = deepcopy(pod)
    target: Any = pod
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = value
    return pod


@given(place=st.sampled_from(PLACES), value=VALUES)
def test_what_fits_is_read_without_an_error_and_without_a_loss(place: tuple[Any, ...], value: Any) -> None:
    pod = changed(place, value)
    if fits(pod, POD):
        kept = normalise(pod, POD, keep_unknown=True)
        assert kept == normalise(pod, POD), "it has no field that the type does not know"


@given(
    place=st.sampled_from(PLACES),
    value=VALUES,
    pod_type=st.sampled_from([POD, go_type("Pod", 33), go_type("Pod", 10)]),
)
def test_what_is_canonical_is_written_as_it_is_read(
    place: tuple[Any, ...], value: Any, pod_type: GoType
) -> None:
    pod = changed(place, value)
    if is_canonical(pod, pod_type):
        assert same(normalise(pod, pod_type), pod)


def test_what_an_api_server_writes_is_canonical() -> None:
    assert is_canonical(CANONICAL, POD)


@given(place=st.sampled_from(places(CANONICAL)[1:]), value=VALUES)
def test_what_is_plain_fits_and_is_canonical(place: tuple[Any, ...], value: Any) -> None:
    pod = changed(place, value, CANONICAL)
    if is_plain(pod, POD):
        assert fits(pod, POD)
        assert is_canonical(pod, POD)


def test_what_an_api_server_writes_is_plain_where_its_quantities_are() -> None:
    assert is_plain(CANONICAL, POD)
    place = ("spec", "containers", 0, "resources", "limits", "memory")
    plain = {text: is_plain(changed(place, text, CANONICAL), POD) for text in ("1500m", "1500Mi", "1e3", "0")}
    assert plain == {"1500m": True, "1500Mi": False, "1e3": False, "0": True}


@pytest.mark.parametrize("unit", ["", *"mkMGTPEnu", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"])
def test_a_plain_quantity_is_written_as_it_is_read(unit: str) -> None:
    quantities = go_type("core/v1.ResourceList")
    for number in (*range(1200), *range(9_000, 10_100, 50), 100_000, 123_456, 999_000, 999_999, 1_000_000):
        quantity = {"cpu": f"{number}{unit}"}
        if is_plain(quantity, quantities):
            assert fits(quantity, quantities)
            assert is_canonical(quantity, quantities)


def test_what_is_canonical_depends_on_the_version() -> None:
    old = go_type("Pod", 33)
    metadata = CANONICAL["metadata"] | {"creationTimestamp": None}
    assert is_canonical(CANONICAL | {"metadata": metadata}, old)
    assert not is_canonical(CANONICAL | {"metadata": metadata}, POD)
    assert not is_canonical({"metadata": {}, "spec": {"containers": []}, "status": {}}, old)
    newer = CANONICAL | {"metadata": metadata, "spec": CANONICAL["spec"] | {"hostnameOverride": "a"}}
    assert not is_canonical(newer, old), "it has a field that came later"


def test_a_pointer_to_a_time_is_left_out_and_never_null() -> None:
    status = {"startTime": None}
    assert not is_canonical(CANONICAL | {"status": status}, POD)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("spec", "containers", 0, "resources", "limits", "cpu"), "1000m"),
        (("spec", "containers", 0, "resources", "limits", "cpu"), "much"),
        (("spec", "containers", 0, "ports", 0, "hostPort"), 0),
        (("spec", "containers", 0, "image"), ""),
        (("spec", "containers", 0, "env"), []),
        (("spec", "hostNetwork"), False),
        (("spec", "nodeSelector"), {}),
        (("spec", "priority"), None),
        (("metadata", "creationTimestamp"), "0001-01-01T00:00:00Z"),
        (("metadata", "creationTimestamp"), "2026-01-02T03:04:05+01:00"),
        (("status",), None),
        (("brandNew",), 1),
    ],
)
def test_what_go_writes_otherwise_is_not_canonical(place: tuple[Any, ...], value: Any) -> None:
    pod = changed(place, value, CANONICAL)
    assert not is_canonical(pod, POD)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("spec", "hostNetwork"), True),
        (("spec", "priority"), 0),
        (("spec", "terminationGracePeriodSeconds"), 0),
        (("spec", "containers", 0, "securityContext"), {"runAsUser": 0, "privileged": False}),
        (("spec", "volumes", 0, "emptyDir"), {"sizeLimit": "1Gi"}),
    ],
)
def test_behind_a_pointer_zero_counts(place: tuple[Any, ...], value: Any) -> None:
    assert is_canonical(changed(place, value, CANONICAL), POD)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("spec", "containers", 0, "ports", 0, "containerPort"), 80.0),
        (("spec", "containers", 0, "ports", 0, "containerPort"), "80"),
        (("spec", "containers", 0, "ports", 0, "containerPort"), True),
        (("spec", "containers", 0, "ports", 0, "containerPort"), 2**31),
        (("spec", "terminationGracePeriodSeconds"), 1.5),
        (("metadata", "labels", "app"), 1),
        (("spec", "containers"), {}),
        (("metadata", "creationTimestamp"), "2026-13-01T00:00:00Z"),
    ],
)
def test_what_go_refuses_does_not_fit(place: tuple[Any, ...], value: Any) -> None:
    pod = changed(place, value)
    assert not fits(pod, POD)
    with pytest.raises(TypedError):
        normalise(pod, POD)


def test_other_spellings_and_unknown_fields_are_left_to_those_who_look_closer() -> None:
    assert fits(PLAIN, POD)
    assert not fits({**PLAIN, "Spec": {}}, POD)
    assert not fits({**PLAIN, "brandNew": 1}, POD)


def test_null_is_every_type_s_zero_value() -> None:
    for place in PLACES:
        if not any(isinstance(key, int) for key in place[-1:]):
            assert fits(changed(place, None), POD), place
