"""The built-in configuration beside Istio 1.31's own: what its webhook answered, with the built-in template.

Only what the two spell in other ways is made equal before pods are compared: the order of variables and volumes, and
blanks in JSON. The values are those of the case; what they can switch on and the built-in template does not know is
left out, and so are texts of annotations that break out of their quotes in Istio's template.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from injector.injection.injector import Injector
from injector.injection.loading import Sources, Surroundings, load_snapshot
from injector.patch import apply
from injector.templates import built_in
from tests.conformance.cases import Case, Setup
from tests.conformance.cases import load as cases
from tests.conformance.judge import mesh_of, unequal
from tests.injection.builders import answered

VALUES = ("default", "gen-cni")
ODD = ("yamlish", "userVolume", "gateway", "grpc-", "templates")
PORTS = "ISTIO_META_POD_PORTS"
STATUS = "sidecar.istio.io/status"


def chosen(case: Case) -> bool:
    return (
        case.door == "webhook"
        and case.setup.config == "default"
        and case.setup.values in VALUES
        and isinstance(case.patched, dict)
        and case.operations != 0
        and not any(word in case.name for word in ODD)
    )


def injector_of(setup: Setup) -> Injector:
    sources = Sources(
        config=built_in().config, values=setup.text("values", setup.values, ".json"), mesh=mesh_of(setup)
    )
    around = Surroundings(
        release="1.31",
        revision=setup.revision,
        env=dict(setup.env),
        nodes=dict(setup.nodes),
        namespaces={
            name: {"metadata": {"name": name, "annotations": annotations}}
            for name, annotations in json.loads(setup.namespaces).items()
        },
    )
    return Injector(load_snapshot(sources, around))


def usual(pod: Any) -> Any:
    """Return a pod without what the two templates may spell in other ways; a denial as it is."""
    if "spec" not in pod:
        return pod
    pod = json.loads(json.dumps(pod))
    pod["metadata"].get("annotations", {}).pop(STATUS, None)
    spec = pod["spec"]
    for container in (*spec["containers"], *spec.get("initContainers", ())):
        for each in container.get("env", ()):
            if each["name"] == PORTS:
                each["value"] = json.loads(each["value"])
        for field in ("env", "volumeMounts"):
            container.get(field, []).sort(key=lambda each: (each["name"], json.dumps(each)))
    spec.get("volumes", []).sort(key=lambda each: (each["name"], json.dumps(each)))
    return pod


def test_it_makes_of_a_pod_what_istio_1_31_makes_of_it(shared: Path) -> None:
    injectors: dict[Setup, Injector] = {}
    found = [case for case in cases(shared / "conformance", "1.31") if chosen(case)]
    differing = {}
    for case in found:
        if case.setup not in injectors:
            injectors[case.setup] = injector_of(case.setup)
        response = answered(injectors[case.setup].review(case.body, case.path))["response"]
        ours = apply(case.object, response["patch"]) if "patch" in response else response
        if differences := [*unequal(usual(case.patched), usual(ours))]:
            differing[case.name] = differences
    assert differing == {}
    assert len(found) > 150
