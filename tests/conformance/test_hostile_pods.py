"""No value of a pod changes the shape of what Istio's templates make of it, in the default mode.

$DIFFERENTIAL=full asks every template of the reference data, with every string at every place: minutes.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from injector.errors import InjectorError
from injector.injection.injector import Injector
from injector.injection.owner import Workload
from injector.injection.render import InjectionRequest, template_data
from injector.json_types import JSON
from tests.conformance.cases import Setup, load, releases
from tests.conformance.hostile import (
    BASES,
    CORPUS,
    HARMLESS,
    Base,
    Pod,
    Sink,
    changed_shape,
    gives_up,
    sinks,
)
from tests.conformance.judge import injector_for
from tests.conftest import conformance_folder
from tests.oracle import IS_FULL

FOLDER = conformance_folder()
RELEASES = releases(FOLDER) if FOLDER else ()
MISSING = "REFERENCE DATA MISSING: set CONFORMANCE_DIR or SHARED_DIR; no template of Istio is attacked"

pytestmark = [
    pytest.mark.skipif(FOLDER is None, reason=MISSING),
    pytest.mark.timeout(3600 if IS_FULL else 120),
]

SAMPLE = 250
"""Cases of one release in the short form."""

FULL_SETUPS = 3
"""Configurations of a release that the full form asks; the first one with every string at every place."""

SPOT = 10
"""Strings that are tried at a place of which every string is tried in another configuration or pod."""

DUE = 100_000
"""Cases of all releases that the full form has at the least."""

asked: Counter[str] = Counter()


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One template, one pod, one place in it."""

    injector: Injector
    template: str
    base: Base
    sink: Sink

    def pod(self, value: str) -> tuple[Pod, dict[str, str]]:
        """Return the pod with the value in its place, and what it belongs to."""
        pod = self.base.pod()
        workload = {"name": "web", "namespace": "shop", "kind": "Deployment", "apiVersion": "apps/v1"}
        self.sink.change(workload if self.sink.workload else pod, value)
        return pod, workload

    def overlay(self, value: str) -> JSON:
        """Return what the template makes of the pod, whatever annotations are valid."""
        pod, workload = self.pod(value)
        snapshot = self.injector.snapshot
        request = InjectionRequest(
            pod=pod,
            namespace=pod["metadata"]["namespace"],
            workload=Workload(metadata=workload, kind=workload["kind"], api_version=workload["apiVersion"]),
        )
        data = template_data(request, snapshot, pod)
        template = snapshot.templates[self.template].for_pods(usual=data.usual)
        rendering = template.render(data.fields)
        return snapshot.skeletons.filled(rendering, snapshot.untrusted_values).value

    def injected(self, value: str) -> JSON:
        """Return the pod as the webhook leaves it."""
        return self.injector.inject_pod(self.pod(value)[0], "shop")[0]


def setups(folder: Path, release: str) -> list[Setup]:
    """Return a setup for each set of configuration, values, mesh and environment; the fullest templates first."""
    found: dict[tuple[object, ...], Setup] = {}
    for case in load(folder, release):
        setup = case.setup
        found.setdefault((setup.config, setup.values, setup.mesh, setup.env), setup)
    sizes = {
        setup: (folder / release / "configs" / f"{setup.config}.yaml").stat().st_size
        for setup in found.values()
    }
    chosen = sorted(found.values(), key=lambda setup: -sizes[setup])
    return chosen[:FULL_SETUPS] if IS_FULL else chosen[:1]


def questions(release: str) -> Iterator[Question]:
    """Yield what can be asked of a release's templates; those that istiod runs elsewhere fail on any pod."""
    assert FOLDER is not None
    for setup in setups(FOLDER, release):
        injector = injector_for(setup, "scalar")
        for name, text in injector.snapshot.config.templates.items():
            for base in BASES:
                yield from (
                    Question(injector=injector, template=name, base=base, sink=sink) for sink in sinks(text)
                )


def answer(ask: Any, value: str) -> Any:
    try:
        return ask(value)
    except InjectorError as error:
        return error


def attacked(question: Question, values: list[str]) -> Iterator[str]:
    """Yield what went wrong at one place, a line each."""
    for door, ask in (("overlay", question.overlay), ("pod", question.injected)):
        words = {"": answer(ask, HARMLESS), "*": answer(ask, f"{HARMLESS}*")}
        if isinstance(words[""], InjectorError):
            continue  # the release asks the value to be a number, or JSON; or the template is no pod's
        for value in values if door == "overlay" else values[::SPOT]:
            if question.sink.structured and gives_up(value):
                continue
            before = words["*" if "*" in value else ""]  # templates look for it: it takes another branch
            if isinstance(before, InjectorError):
                continue
            after = answer(ask, value)
            asked[door] += 1
            if isinstance(after, InjectorError):
                asked["denied"] += 1
                found = "" if question.sink.structured or door == "pod" else f"refused: {after}"
            else:
                found = changed_shape(before, after)
            if found:
                yield f"{question.template} {question.base.name} {question.sink.name} {value!r} {door}: {found}"


def sample(release: str) -> Iterator[tuple[Question, list[str]]]:
    """Yield what is asked of a release, always the same.

    The full form asks every place of every template; of its first configuration and pod with every string.
    """
    chance = random.Random(f"hostile {release}")
    every = list(questions(release))
    if not IS_FULL:
        for question in chance.choices(every, k=SAMPLE // SPOT):
            yield question, chance.sample(CORPUS, k=SPOT)
        return
    first = every[0]
    for question in every:
        whole = question.injector is first.injector and question.base is first.base
        yield question, list(CORPUS) if whole else chance.sample(CORPUS, k=SPOT)


@pytest.mark.parametrize("release", RELEASES or ("none",))
def test_no_value_changes_the_shape_of_an_overlay(release: str) -> None:
    wrong = [line for question, values in sample(release) for line in attacked(question, values)]
    print(f"{release}: {dict(asked)} asked so far")  # noqa: T201 - for a run with -s
    assert not wrong, f"{len(wrong)} differ\n" + "\n".join(wrong[:20])


@pytest.mark.skipif("1.10" not in RELEASES, reason=MISSING)
def test_text_mode_lets_values_out_so_the_question_is_a_real_one() -> None:
    question = next(q for q in questions("1.10") if q.sink.name == "annotation sidecar.istio.io/proxyImage")
    snapshot = replace(question.injector.snapshot, untrusted_values="text")
    as_istio = replace(question, injector=Injector(snapshot))
    before = question.overlay(HARMLESS)
    shapes = [answer(as_istio.overlay, value) for value in CORPUS]
    assert as_istio.overlay(HARMLESS) == before
    assert sum(isinstance(each, InjectorError) for each in shapes) > 3
    assert any(changed_shape(before, each) for each in shapes if not isinstance(each, InjectorError))


@pytest.mark.skipif(not IS_FULL, reason="the short form asks less")
def test_the_full_form_has_as_many_cases_as_it_should() -> None:
    assert asked["overlay"] >= DUE
