"""What a soak measured, and whether it speaks of the code of today."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests import figures
from tests.conftest import ROOT, pytest_collection_modifyitems
from tests.figures import commit, keep

sys.path.append(str(ROOT / "scripts"))

import soak_stale
import soak_table


class Repository:
    """A repository of two files: one that the figures speak of and one beside it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.git("init", "-q")
        self.change("product/code.py")
        self.change("beside.py")

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "commit.gpgsign=false")
        command = ["git", "-C", self.root, *identity, *arguments]
        return subprocess.check_output(command, text=True).strip()

    def write(self, name: str) -> None:
        path = self.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(path.read_text() + "x" if path.exists() else "x")

    def change(self, name: str) -> None:
        self.write(name)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", f"Change {name}")

    def staleness(self, measured: str) -> str:
        return soak_stale.staleness(self.root, {"commit": measured, "about": ["product", "tests/test_x.py"]})


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def test_figures_are_stale_once_what_they_speak_of_has_changed(repository: Repository) -> None:
    measured = commit(repository.root)
    assert measured == repository.git("rev-parse", "HEAD")
    assert repository.staleness(measured) == ""
    repository.change("beside.py")
    assert repository.staleness(measured) == ""
    repository.change("product/code.py")
    last = repository.git("rev-parse", "--short", "HEAD")
    assert repository.staleness(measured) == f"1 newer commit, the last {last} Change product/code.py"
    repository.change("product/code.py")
    assert repository.staleness(measured).startswith("2 newer commits, the last ")


def test_figures_of_what_was_not_committed_are_stale(repository: Repository) -> None:
    repository.write("product/code.py")
    measured = commit(repository.root)
    assert measured == repository.git("rev-parse", "HEAD") + "-dirty"
    assert repository.staleness(measured) == "what was measured was not committed"


def test_the_figures_themselves_are_no_change(repository: Repository) -> None:
    repository.change("docs/soak.json")
    repository.write("docs/soak.json")
    assert commit(repository.root) == repository.git("rev-parse", "HEAD")


def test_figures_of_a_commit_that_nobody_has_are_stale(repository: Repository) -> None:
    assert repository.staleness("0" * 40) == f"commit {'0' * 40} is not in the history"


@pytest.mark.parametrize(
    "entry", [{}, {"commit": ""}, {"commit": "0" * 40}, {"commit": "0" * 40, "about": []}]
)
def test_figures_that_do_not_say_what_they_speak_of_are_stale(
    repository: Repository, entry: dict[str, str]
) -> None:
    assert soak_stale.staleness(repository.root, entry) == "it is not known what was measured"


def test_outside_of_git_no_commit_is_known(tmp_path: Path) -> None:
    assert commit(tmp_path) == ""


def test_stale_figures_are_named_and_fail(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(soak_stale, "ROOT", repository.root)
    path = repository.root / "docs" / "soak.json"
    path.parent.mkdir()
    keep(path, "test_new", {"commit": commit(repository.root), "about": ["product"]})
    assert soak_stale.main() == 0
    keep(path, "test_old", {"figures": {}})
    assert soak_stale.main() == 1
    assert capsys.readouterr().out == "test_old: it is not known what was measured\n"


def test_a_line_of_the_table_has_its_commit() -> None:
    entry = {"passed": True, "at": "2026-01-01 00:00", "seconds": 5, "figures": {"failed": 0}}
    shown = soak_table.row("test_a_thing", {**entry, "commit": "0123456789abcdef"})
    assert shown == "| a thing | failed: 0 | 5 s | 2026-01-01 00:00 | 012345678 |"
    dirty = soak_table.row("test_a_thing", {**entry, "commit": "0123456789abcdef-dirty"})
    assert dirty.endswith("| 012345678, with changes |")
    assert soak_table.row("test_a_thing", entry).endswith("| not known |")


@pytest.mark.about("injector/service")
def test_a_test_speaks_of_its_marker_and_of_itself(request: pytest.FixtureRequest) -> None:
    assert figures.paths_of(request.node) == ["injector/service", "tests/scripts/test_soak.py"]


def test_a_soak_that_does_not_say_what_it_speaks_of_is_refused(request: pytest.FixtureRequest) -> None:
    silent, speaking = (
        request.node,
        pytest.Function.from_parent(request.node.parent, name="test_outside_of_git_no_commit_is_known"),
    )
    silent.add_marker(pytest.mark.control)
    speaking.add_marker(pytest.mark.soak)
    speaking.add_marker(pytest.mark.about("injector"))
    with pytest.raises(pytest.UsageError, match="test_a_soak_that_does_not_say"):
        pytest_collection_modifyitems([silent, speaking])
    pytest_collection_modifyitems([speaking])


def test_the_kept_figures_are_those_of_tests_that_exist() -> None:
    names = json.loads((ROOT / "docs" / "soak.json").read_text())
    sources = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name in names if f"def {name}(" not in sources] == []
