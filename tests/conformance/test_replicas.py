"""The pods of Istio's cases as replicas: whoever comes later gets what he would have got alone."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from injector.errors import BadReview
from injector.injection.injector import Injector
from injector.json_types import JSONObject
from tests.conformance.cases import Case
from tests.conformance.judge import injector_for
from tests.conformance.test_conformance import MISSING, RELEASES, injectable
from tests.conftest import conformance_folder

pytestmark = pytest.mark.skipif(conformance_folder() is None, reason=MISSING)

# Every other release: what makes two pods replicas is the same in all of them.
WITH_OVERLAYS = [release for release in RELEASES if int(release.partition(".")[2]) >= 9][::-2]
OWNER = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5d4f", "uid": "1", "controller": True}


def replica(pod: JSONObject, letters: str) -> JSONObject:
    """Return the pod as an API server would send it for the replica with these five letters.

    Controllers have marked it as they do the pods of Jobs and StatefulSets, and it has an image of its own.
    """
    pod = copy.deepcopy(pod)
    metadata = pod.setdefault("metadata", {})
    metadata.setdefault("generateName", "web-5d4f-")
    metadata.setdefault("ownerReferences", [OWNER])
    metadata |= {"name": f"{metadata['generateName']}{letters}", "managedFields": [{"manager": letters}]}
    metadata["labels"] = (metadata.get("labels") or {}) | {"controller-uid": letters}
    metadata["annotations"] = (metadata.get("annotations") or {}) | {
        "kubectl.kubernetes.io/restartedAt": letters
    }
    spec: dict[str, Any] = pod.setdefault("spec", {})
    spec["hostname"] = letters
    volume = {"name": f"kube-api-access-{letters}", "projected": {"sources": [], "defaultMode": 420}}
    spec["volumes"] = [*(spec.get("volumes") or []), volume]
    for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
        if isinstance(container, dict):
            mount = {"name": volume["name"], "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
            container["volumeMounts"] = [*(container.get("volumeMounts") or []), mount]
            if container.get("image") not in (None, "", "auto"):
                container["image"] += f"-{letters}"
    return pod


def answer(injector: Injector, case: Case, letters: str) -> bytes | str:
    review = json.loads(case.body)
    review["request"] |= {"object": replica(case.object, letters), "uid": letters}
    try:
        return injector.review(json.dumps(review).encode(), case.path)
    except BadReview as refusal:
        return refusal.message


@pytest.mark.parametrize("release", WITH_OVERLAYS or ["none"])
def test_a_replica_gets_what_it_would_have_got_alone(release: str) -> None:
    asked = hits = 0
    for case in injectable(release):
        shared, alone = injector_for(case.setup, "scalar"), injector_for(case.setup, "scalar")
        for _ in range(2):
            answer(shared, case, "aaaaa")
        assert answer(shared, case, "bbbbb") == answer(alone, case, "bbbbb"), case.name
        assert alone.snapshot.replicas.hits == 0
        asked, hits = asked + 1, hits + shared.snapshot.replicas.hits
    assert hits > asked / 2, f"of {asked} replicas only {hits} were known"
