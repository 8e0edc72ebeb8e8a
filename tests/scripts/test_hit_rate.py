"""How many reviews are met with what is known: counted, not timed, on those of the load test.

Where skeletons are counted no pod has a replica, since then nothing is rendered.
"""

from __future__ import annotations

import sys
from itertools import islice

from injector.injection.injector import Injector
from tests.conftest import ROOT

sys.path.append(str(ROOT / "scripts"))

from benchlib import configurations, reviews


def answered(injector: Injector, case: str, count: int, *, start: int = 0) -> tuple[int, int]:
    """Answer reviews of a case; return hits and misses of these."""
    skeletons = injector.snapshot.skeletons
    hits, misses = skeletons.hits, skeletons.misses
    for _, body in islice(reviews.load([case], None)[case].bodies(start), count):
        assert injector.answer(body).outcome == "injected"
    return skeletons.hits - hits, skeletons.misses - misses


def test_ten_thousand_pods_of_fifty_workloads_parse_a_hundred_texts_at_most() -> None:
    hits, misses = answered(configurations.named("built-in").load(), "mixed-unseen", 10_000)
    assert hits + misses == 10_000
    assert hits >= 0.99 * 10_000


def test_of_ten_thousand_pods_of_fifty_workloads_a_hundred_are_rendered() -> None:
    injector = configurations.named("built-in").load()
    answered(injector, "mixed", 10_000)
    replicas = injector.snapshot.replicas
    assert (replicas.hits, replicas.misses, len(replicas.answers)) == (9_900, 50, 50)


def test_ten_conditions_on_annotations_make_a_skeleton_for_each_form_and_no_more() -> None:
    injector = configurations.named("branches").load()
    _, misses = answered(injector, "branches64-alone", 64 * 10)
    assert 64 <= misses <= 2 * 64
    assert answered(injector, "branches64-alone", 64 * 10) == (64 * 10, 0)


def test_more_forms_than_the_cache_holds_take_no_more_of_it_and_leave_the_usual_ones_in() -> None:
    """A thousand forms in turn mostly miss; a form that half of the pods have hits again at once."""
    injector = configurations.named("branches").load()
    skeletons = injector.snapshot.skeletons
    for round_ in range(4):
        answered(injector, "branches1024-alone", 1024, start=round_ << 20)
        answered(injector, "branches1-alone", 1024, start=round_ << 20)
    assert len(skeletons.skeletons) <= 512
    hits, misses = answered(injector, "branches1-alone", 1024)
    assert (hits, misses) == (1024, 0)
