"""Fixtures and marks for the tests of every room, and where the reference data is."""

from __future__ import annotations

import gc
import os
import re
import time
from collections import Counter
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Final

import pytest
from hypothesis import settings

from tests.oracle import Ask, AskJSON, reading_json, start_oracle

ROOT = Path(__file__).parent.parent

PATIENCE = 120.0
"""Seconds after which a wait for a condition has failed. None takes more than a few on an idle machine; on a
busy one it may take many times as long, and a wait that is cut short tells nothing."""

# The suite draws the same examples in every run, however busy the machine is; ask for new ones with
# `pytest --hypothesis-profile=search`.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("search", deadline=None, max_examples=1000)
settings.load_profile("same")

DOORS: Final[Mapping[str, frozenset[str]]] = {
    "go": frozenset({"ask_go", "apiserver_client"}),
    "load": frozenset({"apiserver_client"}),
    "conformance": frozenset({"shared"}),
    "socket": frozenset({"start", "launch", "api", "client", "run", "unused_tcp_port"}),
}
"""The marks of a test by the fixtures that it uses."""

LEFT_OUT: Final = frozenset({"slow", "load", "e2e", "soak", *DOORS})
"""The marks of what `scripts/check` leaves to `scripts/test`; all others get the mark ``check``."""
OTHERS: Final = ("tests/e2e/", "tests/k8s/", "tests/scripts/")
"""Folders that `scripts/check` leaves out as well: they do not test `injector` itself."""

RECORDED: Final = re.compile("conformance|golden|rendered_corpus")
"""Parts of the paths of tests that read recorded answers when they are collected."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test its marks; refuse a soak that does not say which code it is about."""
    for item in items:
        needed = set(getattr(item, "fixturenames", ()))
        for mark, fixtures in DOORS.items():
            if needed & fixtures:
                item.add_marker(mark)
        if RECORDED.search(item.nodeid.partition("::")[0]):
            item.add_marker("conformance")
        marks = {mark.name for mark in item.iter_markers()}
        if marks & {"soak", "control"} and "about" not in marks:
            # Otherwise nobody would know when its figures are stale.
            raise pytest.UsageError(f"{item.nodeid} needs the marker `about` with what it speaks of")
        if not marks & LEFT_OUT and not item.nodeid.startswith(OTHERS):
            item.add_marker("check")


def pytest_collection_finish() -> None:
    """Exclude the collected tests from garbage collection: searching them takes it a second."""
    gc.freeze()


SLOW_SECONDS: Final = 0.5
SPENT: Final = "CPU seconds"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Measure a test's CPU time, which a busy machine does not change, without its fixtures."""
    begin = time.process_time()
    try:
        yield
    finally:
        item.user_properties.append((SPENT, time.process_time() - begin))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Where slow tests are left out, name the five slowest tests without the mark."""
    if config.getoption("markexpr") != "check":
        return
    spent = Counter(
        {
            report.nodeid: seconds
            for report in terminalreporter.getreports("passed")
            for name, seconds in report.user_properties
            if name == SPENT and seconds > SLOW_SECONDS
        }
    )
    if spent:
        slowest = ", ".join(f"{name} ({seconds:.1f} s)" for name, seconds in spent.most_common(5))
        terminalreporter.write_line(f"slow without the marker: {slowest}")


def shared_folder() -> Path | None:
    """Return the folder of reference data, or None on a machine that does not have it."""
    folder = Path(os.environ.get("SHARED_DIR", ROOT.parent / "shared"))
    return folder if (folder / "conformance").is_dir() else None


def conformance_folder() -> Path | None:
    """Return the folder of Istio's answers: $CONFORMANCE_DIR, else in the shared folder."""
    if named := os.environ.get("CONFORMANCE_DIR"):
        return Path(named)
    shared = shared_folder()
    return shared / "conformance" if shared else None


def minors_folder() -> Path | None:
    """Return the folder of Istio's answers for further minors: webhook cases alone, at each minor's last tag."""
    shared = shared_folder()
    return shared / "conformance-minors" if shared and (shared / "conformance-minors").is_dir() else None


@pytest.fixture(scope="session")
def shared() -> Path:
    """The reference data; tests that need it skip where it is missing."""
    folder = shared_folder()
    if folder is None:
        pytest.skip(
            "REFERENCE DATA MISSING: no ../shared (set SHARED_DIR); comparisons with real Go and Istio are skipped"
        )
    return folder


@pytest.fixture(scope="session")
def ask_go(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Answers of Go's and Kubernetes' libraries to a batch of questions, as lines of JSON."""
    return start_oracle(shared, tmp_path_factory.mktemp("oracle"))


@pytest.fixture(scope="session")
def ask_go_json(ask_go: Ask) -> AskJSON:
    """The same answers as objects."""
    return reading_json(ask_go)
