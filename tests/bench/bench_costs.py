"""What small things cost that every review or every start pays for.

    .venv/bin/pytest tests/bench/bench_costs.py -n0 --benchmark-enable

No part of the suite: pytest collects the file only when it is named. What each may cost is said beside it.
"""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from injector.patch import kinds_data
from injector.service.logs import Log
from injector.service.metrics import Metrics
from injector.service.trial import LastPods

pytestmark = pytest.mark.benchmark(timer=time.thread_time, min_time=0.001, max_time=0.5, warmup=True)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    descriptor = os.open(tmp_path / "log", os.O_CREAT | os.O_WRONLY)
    log = Log(descriptor=descriptor)
    yield log
    log.close()
    os.close(descriptor)


def test_counting_a_review(benchmark: BenchmarkFixture) -> None:
    """A few microseconds, of a review's two hundred."""
    metrics = Metrics()
    benchmark(lambda: metrics.reviewed("injected", "policy", 0.0003))


def test_the_line_of_a_review(benchmark: BenchmarkFixture, log: Log) -> None:
    """A few microseconds."""
    fields = {"message": "review answered", "outcome": "injected", "uid": "x" * 36, "ms": 0.1}
    benchmark(lambda: log.review(fields))


def test_remembering_a_pod(benchmark: BenchmarkFixture) -> None:
    """A clock and a look-up."""
    last = LastPods()
    benchmark(lambda: last.see(b"review", "/inject", "shop"))


def test_loading_the_types(benchmark: BenchmarkFixture) -> None:
    """Milliseconds of a start."""
    benchmark(lambda: importlib.reload(kinds_data))
