from __future__ import annotations

import ast
from dataclasses import fields

import pytest

from injector.istio.facts import (
    LAST_TAGS,
    RELEASED,
    Source,
    Span,
    facts_of,
    form,
    since,
    source_in,
    varies,
)
from injector.istio.releases import (
    FACTS,
    NEWEST,
    NEWEST_RELEASE,
    OLDEST,
    RELEASES,
    Behaviour,
    behaviour_of,
)
from tests.conftest import ROOT

NAMES = {fact.name for fact in FACTS}


@pytest.mark.parametrize("release", RELEASES)
def test_every_release_has_a_behaviour(release: str) -> None:
    assert behaviour_of(release).release == release


@pytest.mark.parametrize("spelling", ["1.4", "1.4.10", "v1.4.0", "1.4.0-rc.1", "1.4.10+build"])
def test_a_patch_release_is_its_minor(spelling: str) -> None:
    assert behaviour_of(spelling).release == "1.4"


@pytest.mark.parametrize(
    "release", ["", "2.0", "1", "1.33", "latest", "1.x", pytest.param(f"1.{'9' * 5000}", id="1.999…")]
)
def test_an_unknown_release_names_the_first_and_the_last(release: str) -> None:
    with pytest.raises(ValueError, match=r"is not known: give one of 1\.0 to 1\.32"):
        behaviour_of(release)


def test_every_field_of_a_behaviour_is_a_fact() -> None:
    assert {each.name for each in fields(Behaviour)} == NAMES | {"release", "minor"}


@pytest.mark.slow
def test_every_fact_is_read_somewhere() -> None:
    """A fact that no code asks for does nothing, and nobody would see that it is wrong."""
    read = {
        node.attr
        for path in (ROOT / "injector").rglob("*.py")
        if path.name != "releases.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
    }
    assert sorted(NAMES - read) == []


def test_no_two_forms_of_a_fact_overlap() -> None:
    for minor in range(NEWEST + 1):
        names = [fact.name for fact in FACTS if fact.span.covers(minor)]
        assert sorted(names) == sorted(set(names)), minor


def test_the_newest_release_differs_from_the_one_before_by_its_facts_alone() -> None:
    new = {fact.name for fact in FACTS if fact.span.since == NEWEST}
    last, before = behaviour_of(RELEASES[-1]), behaviour_of(RELEASES[-2])
    assert {name for name in NAMES if getattr(last, name) != getattr(before, name)} == new


def test_every_minor_has_its_tag() -> None:
    assert len(LAST_TAGS) == NEWEST - OLDEST + 1
    released = LAST_TAGS[: RELEASED + 1]
    assert [tag.split(".")[1] for tag in released] == [str(minor) for minor in range(OLDEST, RELEASED + 1)]


def test_what_is_not_released_is_not_what_holds_by_itself() -> None:
    assert f"1.{RELEASED}" == NEWEST_RELEASE


def test_a_span_includes_its_ends() -> None:
    span = Span(since=3, until=5)
    assert [minor for minor in range(8) if span.covers(minor)] == [3, 4, 5]


def test_a_field_that_varies_tells_its_forms() -> None:
    source = source_in("a.go")("x")
    begins = since(5, "it is so", source)
    changes = varies("", "how", form("one", 1, 2, source), form("two", 3, NEWEST, source))
    assert (begins.default, changes.default) == (False, "")
    assert source == Source(files="a.go", pattern="x")
    told = [(fact.name, fact.span.since, fact.span.until, fact.value) for fact in facts_of(Behaviour)]
    assert ("cron_job_version", 6, 21, "batch/v1beta1") in told
    assert ("label_decides", 12, NEWEST, True) in told
