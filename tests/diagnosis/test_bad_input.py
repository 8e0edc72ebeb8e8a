"""Whatever is wrong with a document, explaining it ends in an answer and never in a trace."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from injector import Injector
from injector.cli.explained import Explained, document, table
from injector.diagnosis.gates import PodSurroundings, walk
from injector.diagnosis.items import Material, misread, unknown_pods
from injector.diagnosis.running import is_running, look_at
from tests.diagnosis.builders import CONFIG, a_namespace, a_pod, a_registration, a_workload, an_entry, an_item
from tests.oracle import thorough

LEGACY = "policy: enabled\ntemplate: |\n  containers:\n  - name: istio-proxy\n    image: p\n"
SNAPSHOTS = (
    Injector.load(CONFIG, release="1.31").snapshot,
    Injector.load(LEGACY, release="1.4").snapshot,
)
LABELS: dict[str, Any] = {"labels": {"app": "web"}, "annotations": {"a": "b"}}
FLEET = {
    "apiVersion": "games.test/v1",
    "kind": "Fleet",
    "metadata": {"name": "x"},
    "spec": {"pod": {"metadata": LABELS, "spec": {"containers": [{"name": "a", "image": "b"}]}}},
}
OWNER = {"kind": "ReplicaSet", "name": "web-1", "controller": True}
STATUS = {"sidecar.istio.io/status": '{"containers": ["web"]}'}
WORKLOADS = (
    a_workload(**LABELS),
    a_workload("CronJob", "batch/v1", **LABELS),
    a_workload("CloneSet", "apps.kruise.io/v1alpha1", **LABELS),
    a_pod(uid="1", generateName="web-", ownerReferences=[OWNER], annotations=STATUS),
    FLEET,
)
REGISTRATION = a_registration(
    an_entry(
        namespaceSelector={"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]},
        objectSelector={"matchLabels": {"app": "web"}},
        matchConditions=[{"name": "a", "expression": "object.metadata.labels.app == 'web'"}],
    )
).value
ODD = st.sampled_from((None, "x", 5, True, [], {}, [None], ["a"], {"a": "b"}, [{"a": 1}], 1.5, ""))


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in inside:
        yield from paths(inner, (*path, key))


@st.composite
def broken(draw: st.DrawFn, values: tuple[Any, ...]) -> Any:
    """Return one of the values with something else at up to two of its places."""
    value = deepcopy(draw(st.sampled_from(values)))
    for _ in range(draw(st.integers(0, 2))):
        if not (places := list(paths(value))):
            break
        *way, last = draw(st.sampled_from(places))
        within = value
        for step in way:
            within = within[step]
        if draw(st.booleans()):
            within[last] = deepcopy(draw(ODD))
        else:
            del within[last]
    return value


@pytest.mark.slow
@given(
    workload=broken(WORKLOADS),
    registration=broken((REGISTRATION,)),
    namespace=broken((a_namespace(a="b").value,)),
    release=st.sampled_from(SNAPSHOTS),
)
@thorough(full=20_000, quick=400)
def test_a_broken_document_is_explained(
    workload: Any, registration: Any, namespace: Any, release: Any
) -> None:
    material = Material()
    material.add(map(an_item, (registration, namespace, workload)), pod_template_path="spec.pod")
    assert all(isinstance(unknown_pods(item), str) for item in material.others)
    around = PodSurroundings(
        snapshot=release, registration=material.registration or None, namespaces=material.namespaces
    )
    explained = [
        Explained(
            walk=walk(item, place, "shop", around),
            findings=tuple(misread(item, place.spec[:-1])),
            pods=(look_at(item, release, material.registration),) if is_running(item) else (),
        )
        for item, place in material.workloads
    ]
    if explained:
        assert list(table(explained, diff=True))
        assert document(explained, release="", policy="", remarks=(), diff=True)["workloads"]


@pytest.mark.parametrize("module", ["serve", "inject", "explain", "lint"])
def test_cel_is_not_imported_before_a_condition_is_evaluated(module: str) -> None:
    code = f"import sys, injector.cli.{module}; print('cel_expr_python' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
