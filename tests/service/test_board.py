"""What workers say of themselves: sums, and the gauges that are none."""

from __future__ import annotations

import re
import time

import pytest

from injector.service import board
from injector.service.board import GREATEST, LEAST, SLOT_BYTES, Board, Seat, combined, counts
from injector.service.health import Readiness
from injector.service.metrics import Metrics
from tests.conftest import ROOT

SUMS = {
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_virtual_memory_bytes",
    "sidecar_injector_body_buffered_bytes",
    "sidecar_injector_cache_bytes",
    "sidecar_injector_cache_entries",
    "sidecar_injector_connections",
    "sidecar_injector_in_flight_bytes",
    "sidecar_injector_in_flight_limit_bytes",
    "sidecar_injector_log_pending_bytes",
    "sidecar_injector_reviews_waiting",
    "sidecar_injector_workers",
}
"""Gauges that make sense added up: bytes and numbers of things."""


def test_of_every_gauge_it_is_known_how_workers_make_one() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text()
    gauges = {
        name for name in re.findall(r"^\| `(\w+)` \| gauge", page, re.MULTILINE) if name[-5:] != "_info"
    }
    assert gauges == SUMS | GREATEST | LEAST - {"python_info"}
    assert not LEAST & GREATEST


def test_pages_are_added_up_by_name_and_labels() -> None:
    def page(count: float, lag: float, ready: float, outcome: str) -> list[list[object]]:
        return [
            ["reviews", "R", "counter", [["reviews_total", {"outcome": outcome}, count]]],
            [
                "seconds",
                "S",
                "histogram",
                [["seconds_bucket", {"le": "+Inf"}, count], ["seconds_sum", {}, 0.5]],
            ],
            [
                "sidecar_injector_loop_lag_seconds",
                "L",
                "gauge",
                [["sidecar_injector_loop_lag_seconds", {}, lag]],
            ],
            ["sidecar_injector_ready", "Y", "gauge", [["sidecar_injector_ready", {}, ready]]],
        ]

    assert combined([page(2, 0.1, 1, "a"), page(3, 0.4, 0, "a"), page(5, 0.2, 1, "b")]) == [
        [
            "reviews",
            "R",
            "counter",
            [["reviews_total", {"outcome": "a"}, 5], ["reviews_total", {"outcome": "b"}, 5]],
        ],
        ["seconds", "S", "histogram", [["seconds_bucket", {"le": "+Inf"}, 10], ["seconds_sum", {}, 1.5]]],
        ["sidecar_injector_loop_lag_seconds", "L", "gauge", [["sidecar_injector_loop_lag_seconds", {}, 0.4]]],
        ["sidecar_injector_ready", "Y", "gauge", [["sidecar_injector_ready", {}, 0]]],
    ]
    assert [row[0] for row in counts(page(1, 1, 1, "a"))] == ["reviews", "seconds"]  # type: ignore[arg-type]


def test_a_slot_that_is_being_written_shows_what_it_held() -> None:
    board = Board(1)
    assert board.read(1) is None
    board.write(1, {"at": 1})
    assert board.read(1) == {"at": 1}
    board._memory[SLOT_BYTES + 10] ^= 1  # torn
    assert board.read(1) == {"at": 1}
    board.clear(1)
    assert board.read(1) is None


def test_rows_that_do_not_fit_are_left_out() -> None:
    board = Board(1)
    assert board.write(1, {"at": 1, "rows": ["x"]})
    assert not board.write(1, {"at": 2, "rows": ["x" * SLOT_BYTES]})
    assert board.read(1) == {"at": 2, "rows": []}


def test_every_other_worker_has_to_serve_unless_it_is_being_replaced() -> None:
    board, now = Board(5), time.monotonic()
    board.write(0, {"rows": [], "replaced": [2]})
    board.write(3, {"at": now, "missing": ["certificate"], "rows": []})
    board.write(4, {"at": now - 60, "missing": [], "rows": []})
    assert [*board.faults(1)] == [
        "worker 3 is not ready: certificate",
        "worker 4 has said nothing for 60 s",
        "worker 5 is starting",
    ]
    assert next(board.faults(3)) == "worker 1 is starting"


def test_infinity_survives_the_board() -> None:
    board = Board(1)
    name = "sidecar_injector_nodes_staleness_seconds"
    board.write(1, {"at": 0, "missing": [], "rows": [[name, "", "gauge", [[name, {}, float("inf")]]]]})
    (family,) = board.collect()
    assert family.samples[0].value == float("inf")


def test_a_worker_whose_metrics_have_no_room_is_heard_all_the_same_and_says_so_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(board, "SLOT_BYTES", 4096)
    shared = Board(2)
    seat = Seat(worker=1, board=shared, parent=-1, replaces=False, _told=True)
    begin = time.monotonic()
    for _ in range(2):
        seat.tell(Metrics(), Readiness())
    told = shared.read(1)
    assert told is not None
    assert told["at"] >= begin
    assert (told["missing"], told["rows"]) == ([], [])
    assert shared.read(2) is None
    assert [record.message for record in caplog.records] == [
        "the metrics of a worker are too large to be shown"
    ]
