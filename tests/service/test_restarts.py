"""Replicas that are replaced under dense load: the drain loses no review, and what it owes to one header.

Dense means that every caller of a pool of 25 sends as soon as it has its answer, so that each connection to a
replica that leaves has a review on it. An open loop of 600 a second keeps one or two connections busy, and a
close that no review meets loses none, whatever the drain does.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.service.processes import Launch, Pressure, Process, load

pytestmark = pytest.mark.about("injector/service")

CALLERS = 25


class Rollout:
    """Three replicas behind endpoints that an API server dials, each replaced in turn."""

    def __init__(self, launch: Launch, client: Path, **options: Any) -> None:
        self.launch = lambda: launch(log_reviews=False, **options)
        self.client = client
        self.replicas: list[Process] = [self.launch() for _ in range(3)]
        self.first = self.replicas[0]
        self.endpoints = self.first.folder / "endpoints"
        self.slowest_exit = 0.0
        self.announce()

    def announce(self) -> None:
        """Let the API server dial the replicas that are left."""
        new = self.endpoints.with_suffix(".new")
        new.write_text("".join(f"127.0.0.1:{replica.ports[0]}\n" for replica in self.replicas))
        new.replace(self.endpoints)

    def press(self, seconds: float) -> Pressure:
        """Load them in rounds of ``seconds``, longer than a drain: a new round dials only who is left."""
        options = {"rate": 0, "connections": CALLERS, "endpoints": self.endpoints}
        return Pressure(lambda: load(self.client, self.first, seconds, **options))

    def replace(self, lag: float) -> None:
        """Replace the oldest; for ``lag`` seconds after it was told to stop it is still dialled."""
        self.replicas.append(self.launch())
        self.announce()
        old = self.replicas.pop(0)
        begin = time.monotonic()
        old.popen.terminate()
        time.sleep(lag)
        self.announce()
        assert old.end() == 0
        self.slowest_exit = max(self.slowest_exit, time.monotonic() - begin)


@pytest.mark.parametrize(
    ("count", "lags", "drain"),
    [
        pytest.param(1, (0.7,), {"minimum": 2.5, "quiet": 1.0, "maximum": 20, "in_flight": 5}, id="1"),
        pytest.param(
            50,
            (0.0, 0.5, 1.0, 2.0, 3.0),
            {"minimum": 3.5, "quiet": 1.0, "maximum": 20, "in_flight": 5},
            id="50",
            marks=[pytest.mark.soak, pytest.mark.timeout(1800)],
        ),
    ],
)
def test_rolling_restarts_under_load_lose_nothing(
    launch: Launch,
    apiserver_client: Path,
    figures: dict[str, Any],
    count: int,
    lags: tuple[float, ...],
    drain: dict[str, float],
) -> None:
    rollout = Rollout(launch, apiserver_client, drain=drain)
    pressure = rollout.press(5 if count == 1 else 30)
    for number in range(count):
        rollout.replace(lags[number % len(lags)])
    outcome = pressure.end()
    figures |= {
        "restarts": count,
        "reviews": outcome["ok"],
        "failed": outcome["failed"],
        "endpoint lag": f"0 to {max(lags):g} s",
        "longest drain s": rollout.slowest_exit,
        "reviews/s": outcome["perSecond"],
        "p99 ms": outcome["p99"],
    }
    assert outcome["failed"] == 0, outcome
    assert outcome["ok"] > (50_000 if count > 1 else 100)


@pytest.mark.control
def test_the_control_that_does_not_announce_its_end_loses_reviews(
    launch: Launch, apiserver_client: Path, figures: dict[str, Any]
) -> None:
    """The same drain without `Connection: close`: the pool goes on using what is about to be closed."""
    drain = {"minimum": 0.5, "quiet": 0.3, "maximum": 1.0, "in_flight": 2}
    rollout = Rollout(launch, apiserver_client, drain=drain, mutations=["unannounced"])
    pressure = rollout.press(4)
    restarts = 0
    # The close and a review must cross on the wire: nearly always with so many busy connections, not always.
    while not pressure.failed and restarts < 20:
        rollout.replace(0.0)
        restarts += 1
    outcome = pressure.end()
    figures |= {"restarts": restarts, "failed": outcome["failed"], "of": outcome["ok"] + outcome["failed"]}
    assert outcome["failed"] > 0, outcome
