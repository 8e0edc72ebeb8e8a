"""What a hostile review may cost: denied with a sentence or answered, never a crash, and within bounds.

The short form counts; the long one (`scripts/soak -k most_expensive`) lets hypothesis look for the most expensive pods.
"""

from __future__ import annotations

import gc
import json
import random
import time
import tracemalloc
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings, target
from hypothesis import strategies as st

from injector import Injector
from injector.errors import BadReview
from injector.injection.caches import CACHE_BYTES, SMALLEST
from injector.injection.inject import Answer
from injector.templates import built_in
from tests.conftest import conformance_folder
from tests.hostile.corpus import Attack, a_pod, attacks, review
from tests.hostile.tenant import NAMES, PIECES, fuzzed, of_a_new_shape

pytestmark = [
    pytest.mark.slow,
    pytest.mark.about(
        "injector/injection", "injector/istio", "injector/gotemplate", "injector/kubeyaml", "injector/patch"
    ),
]

REFERENCE_SECONDS: Final = 0.001
"""CPU of a small review on the machine that the limits were made for; others are measured by it."""

MOST_SECONDS: Final = 0.25
"""CPU of the most expensive review of 3 MiB, on that machine."""

FINDING_SECONDS: Final = 0.05
FINDING_BYTES: Final = 16 << 20
"""What a pod of less than 256 KiB must not cost."""

FUZZED: Final = 400


MEMO_BYTES: Final = 6 << 20
"""The memos of the process, five mebibytes at most, and two doorkeepers of half a mebibyte."""


def an_injector(cache_bytes: int = CACHE_BYTES) -> Injector:
    """Return an injector with Istio's own configuration, or the built-in one where that is missing."""
    folder = conformance_folder()
    if folder is None or not (istio := folder / "1.31").is_dir():
        template = built_in()
        return Injector.load(template.config, template.values, cache_bytes=cache_bytes)
    return Injector.load(
        (istio / "configs/default.yaml").read_text(),
        (istio / "values/default.json").read_text(),
        (istio / "mesh/default.yaml").read_text(),
        release="1.31",
        cache_bytes=cache_bytes,
    )


@pytest.fixture(scope="module")
def injector() -> Injector:
    return an_injector()


def answered(injector: Injector, body: bytes) -> Answer | BadReview:
    """Return what a review is answered with; any other exception is the fault that is looked for."""
    try:
        return injector.answer(body)
    except BadReview as error:
        return error


def seconds(injector: Injector, body: bytes) -> float:
    """Return the CPU time of one answer."""
    begin = time.thread_time()
    answered(injector, body)
    return time.thread_time() - begin


def scale(injector: Injector) -> float:
    """Return how much slower this machine is than the one that the limits were made for."""
    bodies = [review(a_pod(number), number) for number in range(40)]
    for body in bodies:
        answered(injector, body)
    return min(seconds(injector, body) for body in bodies) / REFERENCE_SECONDS


@pytest.mark.parametrize("attack", attacks(), ids=lambda attack: attack.name)
def test_an_attack_is_answered_with_one_sentence(injector: Injector, attack: Attack) -> None:
    first, again = (answered(injector, attack.body(7)) for _ in range(2))
    if isinstance(first, BadReview):
        assert isinstance(again, BadReview)
        assert first.message
        return
    assert isinstance(again, Answer)
    assert (first.outcome, first.message, first.body) == (again.outcome, again.message, again.body)
    assert first.outcome in ("injected", "denied", "skipped")
    assert first.message


def test_fuzzed_pods_are_answered_the_same_warm_and_cold(injector: Injector) -> None:
    draw = random.Random(1)
    bodies = [fuzzed(draw, number) for number in range(FUZZED)]
    warm = [answered(injector, body) for body in bodies + bodies][FUZZED:]
    cold = an_injector()
    for body, before in zip(bodies, warm, strict=True):
        after = answered(cold, body)
        assert isinstance(before, Answer) == isinstance(after, Answer)
        if isinstance(before, Answer) and isinstance(after, Answer):
            assert before.body == after.body


def test_no_review_leaves_anything_to_the_collector(injector: Injector) -> None:
    """It comes after 20,000 objects, and a hundred pods in cycles of a few objects each are 100 MiB."""
    draw = random.Random(2)
    bodies = [attack.body(1) for attack in attacks()] + [fuzzed(draw, number) for number in range(100)]
    for body in bodies:
        answered(injector, body)  # what is made once
    gc.collect()
    gc.disable()
    try:
        left = [body[:300] for body in bodies if answered(injector, body) and gc.collect()]
    finally:
        gc.enable()
    assert left == []


def of_a_new_config(number: int) -> bytes:
    config = {"proxyMetadata": {f"K{number}": "x" * 2000}}
    return review(a_pod(number, {"proxy.istio.io/config": json.dumps(config)}), number)


def test_what_the_caches_put_out_is_gone_without_the_collector() -> None:
    """A skeleton is a thousand objects: of cycles among them a tenant made 40 MiB a second."""
    injector, draw = an_injector(cache_bytes=SMALLEST), random.Random(3)

    def answer(numbers: Iterable[int]) -> None:
        for number in numbers:
            answered(injector, of_a_new_shape(draw, number))
            answered(injector, of_a_new_config(number))

    answer(range(20))  # what is made once
    gc.collect()
    gc.disable()
    try:
        answer(range(20, 170))
        left = gc.collect()
    finally:
        gc.enable()
    snapshot = injector.snapshot
    assert snapshot.skeletons.skeletons.evictions
    assert snapshot.proxy_configs.memo.evictions
    assert left == 0


def test_attacks_leave_nothing_behind_but_what_the_caches_may_hold() -> None:
    """Their bodies are 66 MiB: what is still there afterwards is what the smallest caches and the memos keep."""
    injector = an_injector(cache_bytes=SMALLEST)
    tracemalloc.start()
    try:
        for attack in attacks():
            answered(injector, attack.body(1000))
        gc.collect()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < SMALLEST + MEMO_BYTES


# ---- the long form: hypothesis, guided by cost

pieces = st.sampled_from(PIECES)
texts = st.lists(pieces, min_size=1, max_size=12).map("".join)
repeated = st.tuples(texts, st.sampled_from(["", ",", "\n", '","', "}, {"]), st.integers(1, 2000)).map(
    lambda drawn: drawn[1].join([drawn[0]] * drawn[2])[:60_000]
)
annotations = st.dictionaries(st.sampled_from(NAMES), texts | repeated, max_size=4)
counts = st.integers(0, 400)


@st.composite
def pods(draw: st.DrawFn) -> dict[str, Any]:
    containers = [{"name": f"c{index}-{draw(texts)}"[:200]} for index in range(draw(st.integers(1, 3)))]
    containers += [{"name": f"n{index}", "image": "i"} for index in range(draw(counts))]
    own = {
        "name": "istio-proxy",
        "env": [{"name": f"E{index}", "value": "v"} for index in range(draw(counts))],
    }
    volumes = [{"name": f"v{index}", "emptyDir": {}} for index in range(draw(counts))]
    return a_pod(
        draw(st.integers(0, 10**6)),
        draw(annotations),
        draw(st.dictionaries(texts, texts, max_size=3)),
        containers=[*containers, own] if draw(st.booleans()) else containers,
        volumes=volumes,
    )


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_the_most_expensive_pods_stay_within_their_bounds(
    injector: Injector, figures: dict[str, Any], tmp_path: Path
) -> None:
    factor = scale(injector)
    most_expensive: list[tuple[float, int, bytes]] = []

    @settings(max_examples=20_000, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(pods())
    def look(pod: dict[str, Any]) -> None:
        body = review(pod, 1)
        cost = min(seconds(injector, body) for _ in range(2)) / factor
        target(cost, label="CPU")
        most_expensive.append((cost, len(body), body))
        most_expensive.sort(reverse=True)
        del most_expensive[20:]

    look()
    attacked = {
        attack.name: min(seconds(injector, attack.body(number)) for number in (7, 8)) / factor
        for attack in attacks()
    }
    peaks = [_peak(injector, body) for _, _, body in most_expensive[:5]]
    (tmp_path / "most_expensive.json").write_text(
        json.dumps([body.decode() for _, _, body in most_expensive])
    )
    name, worst = max(attacked.items(), key=lambda item: item[1])
    figures |= {
        "pods tried": 20_000,
        "this machine, by the reference": round(factor, 2),
        "the most expensive pod found, CPU ms": 1000 * most_expensive[0][0],
        "its peak, MiB": max(peaks) / (1 << 20),
        "the most expensive attack": name,
        "its CPU ms": 1000 * worst,
    }
    assert most_expensive[0][0] <= FINDING_SECONDS, most_expensive[0]
    assert max(peaks) <= FINDING_BYTES
    assert worst <= MOST_SECONDS, attacked


def _peak(injector: Injector, body: bytes) -> int:
    tracemalloc.start()
    try:
        answered(injector, body)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
