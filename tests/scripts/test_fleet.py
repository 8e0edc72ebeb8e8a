"""The scale-out curve, and another injector beside ours."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PATIENCE, ROOT

sys.path.append(str(ROOT / "scripts"))

from benchlib import fleet
from benchlib.load import unchunked

STAND_IN = Path(__file__).parent / "chunked_injector.py"


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "scripts/bench.py", "--duration", "0.3", "--rounds", "1", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE, cwd=ROOT)


def test_an_answer_in_chunks_is_read_to_its_end() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    whole = head + b"4\r\nab\r\n\r\n1f;x=y\r\n" + b"c" * 31 + b"\r\n0\r\n\r\n"
    assert unchunked(whole) == head + b"ab\r\n" + b"c" * 31
    for length in range(len(head), len(whole)):
        assert unchunked(whole[:length]) is None
    assert unchunked(head + b"1\r\na\r\n0\r\nTrailer: x\r\n\r\n") == head + b"a"


def test_another_injector_is_measured_in_the_same_rounds() -> None:
    command = f"{sys.executable} {STAND_IN}"
    cases = ("--cases", "small@log-shipper", "--go", command, "--floor", "--json", "-")
    found = bench(*cases)
    assert found.returncode == 0, found.stderr
    case: dict[str, Any] = json.loads(found.stdout)["cases"]["small@log-shipper"]
    assert (case["failed"], case["faults"]) == (0, {})
    assert case["go_cpu_us"] > 0
    assert case["go_ratio"] > 0


def test_an_injector_that_does_not_start_ends_the_run_with_what_it_said(tmp_path: Path) -> None:
    command = f"{sys.executable} {STAND_IN} --unknown"
    found = bench("--cases", "small@log-shipper", "--go", command)
    assert found.returncode == 1
    assert "go did not start:" in found.stderr
    assert "unrecognized arguments: --unknown" in found.stderr


def test_the_steps_double_up_to_the_most() -> None:
    assert [fleet.steps(most) for most in (1, 2, 3, 8)] == [[1], [1, 2], [1, 2, 3], [1, 2, 4, 8]]


def test_as_many_clients_send_as_cores_are_left_for_them() -> None:
    assert [fleet.clients_for(count, 16) for count in (1, 4, 8, 12, 16)] == [1, 4, 8, 4, 1]


def a_point(processes: int, per_second: float, cpu_us: float, busy: float) -> dict[str, Any]:
    others = {"client_busy": 0.5, "busiest": 1.1, "mib": 70.0, "failed": 0, "faults": {}}
    return {
        "processes": processes,
        "reviews_per_second": per_second,
        "cpu_us": cpu_us,
        "busy": busy,
        **others,
    }


def test_the_curve_says_what_limits_it() -> None:
    points = [a_point(1, 1000, 1000, 0.99), a_point(2, 1500, 1100, 0.6)]
    lines = fleet.table("replicas", "small", points).splitlines()
    assert lines[0] == "Scale-out of `small`:"
    assert lines[4:6] == [
        "| 1 | 1,000 | 1.00 | 1,000 | 1.00 | 99% | 50% | 1.10 | 70 |",
        "| 2 | 1,500 | 1.50 | 1,100 | 1.82 | 60% | 50% | 1.10 | 70 |",
    ]
    assert [line.partition(":")[0] for line in lines[7:]] == ["2"]


@pytest.mark.parametrize("kind", ["replicas", "workers"])
def test_fleets_answer_and_are_measured(kind: str, tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    found = bench(f"--{kind}", "2", "--cases", "small@log-shipper", "--json", str(figures))
    assert found.returncode == 0, found.stderr
    points = json.loads(figures.read_text())[kind]
    assert [point["processes"] for point in points] == [1, 2]
    for point in points:
        assert (point["failed"], point["faults"]) == (0, {})
        assert min(point[name] for name in ("reviews_per_second", "cpu_us", "busy", "mib")) > 0
        assert 1 <= point["busiest"] <= 2
    assert f"| {kind} |" in found.stdout
