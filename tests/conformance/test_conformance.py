"""Every reference case of Istio, asked of our injector in the modes that it has."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from injector.budget import Budget
from injector.errors import InjectionError, InjectorError
from injector.injection.admission import decode
from injector.injection.snapshot import UntrustedValues
from injector.injection.steps.pods import name_of
from injector.json_types import JSONObject
from injector.patch import apply
from tests.conformance.cases import Case, load, releases
from tests.conformance.exceptions import DEVIATIONS, expected_to_differ
from tests.conformance.judge import Verdict, injector_for, judge, patch_of, unequal
from tests.conftest import ROOT, conformance_folder, minors_folder

FOLDER = conformance_folder()
MODES: tuple[UntrustedValues, ...] = ("text", "scalar")
RELEASES = releases(FOLDER) if FOLDER else ()
MISSING = "REFERENCE DATA MISSING: set CONFORMANCE_DIR or SHARED_DIR; no answer of Istio is compared"

pytestmark = pytest.mark.skipif(FOLDER is None, reason=MISSING)
each_release = pytest.mark.parametrize("release", RELEASES or ("none",))


def cases_of(release: str) -> tuple[Case, ...]:
    assert FOLDER is not None
    return load(FOLDER, release)


def told(verdicts: list[Verdict], mode: str) -> str:
    """Say which cases differ, and where: what a person needs to start with."""
    lines = [f"{len(verdicts)} cases differ (python -m tests.conformance RELEASE -u {mode} shows more)"]
    for verdict in verdicts[:15]:
        lines.append(f"  {verdict.case.release} {verdict.case.name}")
        lines += [f"      {difference[:300]}" for difference in verdict.differences[:3]]
    return "\n".join(lines)


@each_release
@pytest.mark.timeout(600)
def test_every_case_gets_istios_answer_but_for_the_listed_ones(release: str) -> None:
    for mode in MODES:
        verdicts = [judge(case, mode) for case in cases_of(release)]
        differing = [v for v in verdicts if not v.passed and not expected_to_differ(v.case, mode)]
        assert not differing, told(differing, mode)
        agreeing = [v.case.name for v in verdicts if v.passed and expected_to_differ(v.case, mode)]
        assert not agreeing, f"no longer different, so take the line away: {agreeing}"


def test_every_deviation_has_its_reason_in_compatibility() -> None:
    text = (ROOT / "COMPATIBILITY.md").read_text(encoding="utf-8")
    assert [each.anchor for each in DEVIATIONS if each.anchor not in text] == []


def test_every_deviation_covers_a_case() -> None:
    further = minors_folder()
    cases = [case for release in RELEASES for case in cases_of(release)]
    cases += [case for release in releases(further) for case in load(further, release)] if further else []
    unused = [
        each for each in DEVIATIONS if not any(each.covers(case, mode) for case in cases for mode in MODES)
    ]
    assert unused == []


def injectable(release: str) -> list[Case]:
    """Return webhook cases that end in a pod: those of the setups that most of them have."""
    chosen = [case for case in cases_of(release) if case.door == "webhook" and case.operations]
    usual = {setup for setup, _ in Counter(case.setup for case in chosen).most_common(6)}
    return [case for case in chosen if case.setup in usual and isinstance(case.object, dict)]


def inventory(pod: JSONObject) -> dict[str, list[str]]:
    """Return the names of everything that an injection adds, by the list that it is in, sorted.

    Up to 1.16 Istio appends ISTIO_KUBE_APP_PROBERS to a proxy that has it: equal entries count once.
    """
    spec = pod["spec"]
    lists = ("initContainers", "containers", "volumes", "imagePullSecrets")
    names = {key: sorted(name_of(item) for item in spec.get(key) or ()) for key in lists}
    for key in lists[:2]:
        for container in spec.get(key) or ():
            for inner in ("env", "volumeMounts", "ports"):
                items = (container or {}).get(inner) or ()
                names[f"{key}/{name_of(container)}/{inner}"] = sorted({json.dumps(item) for item in items})
    return names


def grown(once: dict[str, list[str]], twice: dict[str, list[str]]) -> list[str]:
    """Return what is longer after the second injection."""
    return [key for key, names in twice.items() if len(names) > len(once.get(key, []))]


@each_release
@pytest.mark.timeout(600)
def test_injecting_an_injected_pod_adds_nothing_twice(release: str) -> None:
    """What Istio does to an injected pod is in its cases; this holds where it was not asked.

    The second time its templates may see, and print into the proxy's environment, what the first added.
    """
    growing = []
    for case in injectable(release):
        injector = injector_for(case.setup, "scalar")
        namespace = decode(case.body, injector.snapshot.behaviour, Budget()).namespace
        try:
            once, decision = injector.inject_pod(case.object, namespace)
            twice, _ = injector.inject_pod(once, namespace)
            thrice, _ = injector.inject_pod(twice, namespace)
        except InjectorError:
            continue
        found = grown(inventory(twice), inventory(thrice))
        found += [key for key in grown(inventory(once), inventory(twice)) if "/" not in key]
        if decision.inject and found:
            growing.append(f"{case.name}: {found}")
    assert not growing, "\n".join(growing[:20])


@each_release
@pytest.mark.timeout(600)
def test_nothing_that_was_received_is_changed_and_every_patch_applies(release: str) -> None:
    for case in injectable(release):
        injector = injector_for(case.setup, "scalar")
        namespace = decode(case.body, injector.snapshot.behaviour, Budget()).namespace
        before = json.dumps(case.object)
        try:
            injected, _ = injector.inject_pod(case.object, namespace)
        except InjectionError:
            continue
        assert json.dumps(case.object) == before, case.name
        operations = patch_of(injector.review(case.body, "/inject"))
        assert operations is not None, case.name
        assert not list(unequal(injected, apply(case.object, operations))), case.name


def test_the_reference_folder_is_read_from_where_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CONFORMANCE_DIR", str(tmp_path))
    assert conformance_folder() == tmp_path
