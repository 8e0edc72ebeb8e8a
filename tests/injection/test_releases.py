from __future__ import annotations

import pytest

from injector.injection.releases import FACTS, NEWEST, RELEASES, ROWS, Span, behaviour_of


@pytest.mark.parametrize("release", RELEASES)
def test_every_release_has_a_behaviour(release: str) -> None:
    assert behaviour_of(release).release == release


@pytest.mark.parametrize("spelling", ["1.4", "1.4.10", "v1.4.0", "1.4.0-rc.1", "1.4.10+build"])
def test_a_patch_release_is_its_minor(spelling: str) -> None:
    assert behaviour_of(spelling).release == "1.4"


@pytest.mark.parametrize("release", ["", "2.0", "1", "1.32", "latest", "1.x"])
def test_an_unknown_release_names_the_first_and_the_last(release: str) -> None:
    with pytest.raises(ValueError, match=r"is not known: give one of 1\.0 to 1\.31"):
        behaviour_of(release)


def test_every_row_is_a_fact_of_behaviour() -> None:
    assert {row.name for row in ROWS} <= FACTS


def test_no_two_rows_of_a_fact_overlap() -> None:
    for minor in range(NEWEST + 1):
        names = [row.name for row in ROWS if row.span.covers(minor)]
        assert sorted(names) == sorted(set(names)), minor


def test_the_newest_release_differs_from_the_one_before_by_its_rows_alone() -> None:
    new = {row.name for row in ROWS if row.span.since == NEWEST}
    last, before = behaviour_of(RELEASES[-1]), behaviour_of(RELEASES[-2])
    assert {name for name in FACTS if getattr(last, name) != getattr(before, name)} == new


def test_a_span_includes_its_ends() -> None:
    span = Span(since=3, until=5)
    assert [minor for minor in range(8) if span.covers(minor)] == [3, 4, 5]
