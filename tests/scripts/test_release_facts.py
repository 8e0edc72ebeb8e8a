"""No fact of a release is without its source, and what a clone of Istio does not show is named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from injector.istio.facts import NEWEST, Fact, Source, Span
from tests.conftest import ROOT

sys.path.append(str(ROOT / "scripts"))

import release_facts

TAGS = tuple(f"1.{minor}.9" for minor in range(NEWEST + 1))


def test_no_fact_is_without_a_source() -> None:
    facts = [fact for _, facts in release_facts.groups() for fact in facts]
    assert [fact.name for fact in facts if fact.span.source is None or not fact.meaning] == []


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A repository in which a.go says `new` from the tag of 1.5 on."""

    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.com")
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True)

    git("init", "-q")
    for minor, tag in enumerate(TAGS):
        (tmp_path / "a.go").write_text("new" if minor >= 5 else "old")
        git("add", ".")
        git("commit", "-q", "--allow-empty", "-m", tag)
        git("tag", tag)
    return tmp_path


@pytest.mark.parametrize(
    ("span", "fault"),
    [
        (Span(since=5, source=Source(files="a.go", pattern="new")), ""),
        (Span(until=4, source=Source(files="a.go", pattern="new", absent=True)), ""),
        (Span(since=7, source=Source(files="a.go", pattern="new", exact=False)), ""),
        (Span(since=7, source=Source(files="a.go", pattern="new")), "from 1.7 here, 1.5, 1.6, 1.7"),
        (Span(source=Source(files="b.go", pattern="new")), "all here, none by 'new' in b.go"),
        (Span(), "no source"),
    ],
)
def test_a_fact_is_held_against_istios_source(
    span: Span, fault: str, clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fact = Fact(name="it", meaning="is", span=span)
    monkeypatch.setattr(release_facts, "groups", lambda: (("All", (fact,)),))
    monkeypatch.setattr(release_facts, "LAST_TAGS", TAGS)
    lines = list(release_facts.differing(clone))
    assert lines == [] if not fault else lines[0].startswith(f"it: {fault}")


def test_a_clone_without_the_tags_is_told_and_not_taken_for_one_that_shows_nothing(
    clone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(release_facts, "LAST_TAGS", (*TAGS, "1.99.0"))
    monkeypatch.setattr(sys, "argv", ["release_facts", str(clone)])
    with pytest.raises(SystemExit) as stopped:
        release_facts.main()
    said = capsys.readouterr().err.splitlines()[-1]
    assert (stopped.value.code, said.partition("error: ")[2]) == (
        2,
        f"{clone} is not a clone of Istio with its tags: it has no 1.99.0",
    )
