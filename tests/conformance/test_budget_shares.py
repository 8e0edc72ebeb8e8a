"""The default limits are far from what real pods use: every reference case needs less than a twentieth."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import cache

import pytest

from injector.budget import DEFAULT_LIMITS, ReviewLimits
from injector.errors import BadReview
from injector.injection.injector import Injector
from tests.conformance.cases import Setup, load
from tests.conformance.judge import injector_for
from tests.conftest import conformance_folder

RELEASES = ("1.8", "1.18", "1.31")
"""With those of most containers, templates and operations among all."""

A_TWENTIETH = ReviewLimits(**{name: (limit - 1) // 20 for name, limit in asdict(DEFAULT_LIMITS).items()})


@cache
def tight(setup: Setup) -> Injector:
    return Injector(replace(injector_for(setup).snapshot, limits=A_TWENTIETH))


@pytest.mark.parametrize("release", RELEASES)
def test_no_reference_case_uses_a_twentieth_of_any_limit(release: str) -> None:
    folder = conformance_folder()
    if folder is None:
        pytest.skip("REFERENCE DATA MISSING: no ../shared (set SHARED_DIR)")
    exceeding = []
    for case in load(folder, release):
        if case.door != "webhook":
            continue
        try:
            answer = tight(case.setup).answer(case.body, case.path)
        except BadReview:
            continue
        if answer.reason == "limit":
            exceeding.append((case.name, answer.message))
    assert exceeding == []
