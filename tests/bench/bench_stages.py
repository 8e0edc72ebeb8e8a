"""A benchmark of each stage of a review, on the same reviews as scripts/bench.py.

    .venv/bin/pytest tests/bench/bench_stages.py -n0 --benchmark-enable [-k small] [--benchmark-save=before]
    .venv/bin/pytest-benchmark compare

No part of the suite: pytest collects the file only when it is named. Times are CPU time of this thread. The
stages are those of `scripts/profile`, each alone and on its own input, so that their sum is less than a review.
"""

from __future__ import annotations

import gc
import itertools
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from tests.conftest import ROOT

sys.path.append(str(ROOT / "scripts"))

from benchlib import configurations, reviews

from injector.budget import Budget
from injector.injection.admission import decode, encode_operations, encode_patch, in_base64
from injector.injection.inject import inject, read_pod, request_for
from injector.injection.policy import decide
from injector.injection.render import InjectionRequest, template_data
from injector.injection.snapshot import Snapshot
from injector.patch import POD, diff, normalise, strategic_merge
from injector.rendering import Rendering
from injector.service.process import YOUNG_OBJECTS

Work = Callable[[], object]

pytestmark = pytest.mark.benchmark(
    timer=time.thread_time, min_time=0.001, max_time=0.5, warmup=True, warmup_iterations=100
)


@dataclass(frozen=True, kw_only=True)
class Way:
    """One review, and what each stage of it is given."""

    body: bytes
    review: Any
    pod: Any
    request: InjectionRequest
    rendering: Rendering
    overlay: Any
    injected: Any
    snapshot: Snapshot


@pytest.fixture(scope="module", autouse=True)
def collector() -> Iterator[None]:
    """Collect cycles as the service does, and go back to the default afterwards."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, *before[1:])
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    return configurations.named("istio").load().snapshot


@pytest.fixture(scope="module", params=["small", "typical", "env2000"])
def way(request: pytest.FixtureRequest, snapshot: Snapshot) -> Way:
    review = reviews.load([request.param], configurations.reviews_folder())[request.param]
    _, body = next(review.bodies())
    budget = Budget()
    read = decode(body, snapshot.behaviour, budget)
    pod = read_pod(read.object, snapshot.behaviour, budget)
    asked = request_for(pod, read.namespace, read.namespace, "/inject", snapshot, budget)
    rendering = rendered(asked, snapshot)
    for _ in range(3):  # a text gets its skeleton when it is met again
        overlay = snapshot.skeletons.filled(rendering).value
    return Way(
        body=body,
        review=read,
        pod=pod,
        request=asked,
        rendering=rendering,
        overlay=getattr(overlay, "value", overlay),
        injected=inject(asked, snapshot).pod,
        snapshot=snapshot,
    )


def rendered(asked: InjectionRequest, snapshot: Snapshot) -> Rendering:
    template = snapshot.templates[snapshot.config.default_templates[0]]
    data = template_data(asked, snapshot, asked.pod)
    return template.for_pods(usual=data.usual).render(data.fields)


def stages(way: Way) -> dict[str, Work]:
    """Return what each stage does."""
    snapshot, behaviour = way.snapshot, way.snapshot.behaviour
    template = snapshot.templates[snapshot.config.default_templates[0]]
    data = template_data(way.request, snapshot, way.pod)
    compiled = template.for_pods(usual=data.usual)
    operations = diff(way.review.object, way.injected)
    namespace = way.review.namespace
    return {
        "decode": lambda: decode(way.body, behaviour, Budget()),
        "read_pod": lambda: read_pod(way.review.object, behaviour, Budget()),
        "decide": partial(decide, way.pod, namespace, snapshot.config, behaviour),
        "template_data": partial(template_data, way.request, snapshot, way.pod),
        "render": partial(compiled.render, data.fields),
        "skeleton_fill": partial(snapshot.skeletons.filled, way.rendering),
        "merge": partial(strategic_merge, way.pod, way.overlay),
        "typing": partial(normalise, way.injected, POD),
        "inject": lambda: inject(msgspec.structs.replace(way.request, budget=Budget()), snapshot),
        "diff": partial(diff, way.review.object, way.injected),
        "encode": lambda: encode_patch(way.review, in_base64(encode_operations(operations)), behaviour),
    }


STAGES = (
    "decode",
    "read_pod",
    "decide",
    "template_data",
    "render",
    "skeleton_fill",
    "merge",
    "typing",
    "inject",
    "diff",
    "encode",
)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage(benchmark: BenchmarkFixture, way: Way, stage: str) -> None:
    benchmark(stages(way)[stage])


@pytest.mark.parametrize("case", ["small", "typical", "containers16", "env2000", "mixed"])
def test_a_review(benchmark: BenchmarkFixture, case: str) -> None:
    """The whole of `Injector.answer`, each time of another pod."""
    injector = configurations.named("istio").load()
    bodies = reviews.load([case], configurations.reviews_folder())[case].bodies()
    sent = itertools.cycle([body for _, body in itertools.islice(bodies, 200)])
    benchmark(lambda: injector.answer(next(sent)))
