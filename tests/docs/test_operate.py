"""docs/operate.md says what the code does: its tables, its defaults, its limits."""

from __future__ import annotations

import re
from typing import Final

import pytest

from injector.registration.self_signed import Policy
from injector.service.answering import LARGE_BODY
from injector.service.beside import (
    CHILD_SECONDS,
    COSTLY_SECONDS,
    EXPENSIVE_SECONDS,
    LONGEST_SECONDS,
    SPENT_SECONDS,
)
from injector.service.board import OTHERS
from injector.service.memory import MIB, PLANNED, WORKING_BYTES, fitting_workers
from injector.service.metrics import REFUSALS
from injector.service.options import Drain, Limits
from injector.service.workers import HANGING_SECONDS
from tests.conftest import ROOT

TEXT: Final = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")
PAGE: Final = " ".join(TEXT.split())


def rows_after(head: str) -> set[str]:
    """Return the code words of the first column of the table that begins with this line."""
    _, _, rest = TEXT.partition(f"\n{head}\n")
    table, _, _ = rest.partition("\n\n")
    return {word for line in table.splitlines()[1:] for word in re.findall(r"`(\w+)`", line.split("|")[1])}


def test_every_reason_for_no_review_has_its_row() -> None:
    assert rows_after("| `reason` | HTTP | means |") == set(REFUSALS)


def test_every_condition_of_readiness_has_its_row() -> None:
    service = (ROOT / "injector" / "service").glob("*.py")
    required = [re.findall(r'require\("(\w+)"', path.read_text(encoding="utf-8")) for path in service]
    assert rows_after("| condition | holds when |") == {
        OTHERS,
        *(name for names in required for name in names),
    }


def test_as_much_memory_for_a_worker_makes_auto_begin_it() -> None:
    (said,) = re.findall(r"`auto` starts one for each (\d+) MiB", PAGE)
    each = int(said) * MIB
    assert [fitting_workers(8, count * each) for count in (1, 2, 3)] == [1, 2, 3]
    assert fitting_workers(8, 2 * each - MIB) == 1


@pytest.mark.parametrize(
    "sentence",
    [
        f"in flight = {PLANNED:.0%} of the limit".replace("%", " %"),
        f"{WORKING_BYTES // MIB} MiB to work with",
        f"A replica keeps {Limits().connections:,} connections",
        f"reviews of more than {LARGE_BODY >> 10} KiB",
        f"more than {EXPENSIVE_SECONDS * 1000:g} ms of CPU",
        f"Costly is more than {COSTLY_SECONDS * 1000:g} ms",
        f"a CA lives for {Policy(names=()).ca_life.days} days",
        f"a certificate for {Policy(names=()).leaf_life.days} (",
        f"more than {Limits().body_bytes // MIB} MiB,",
    ],
)
def test_a_figure_of_the_page_is_the_codes(sentence: str) -> None:
    assert sentence in PAGE


def test_what_the_page_spells_out_is_the_codes() -> None:
    assert (CHILD_SECONDS, SPENT_SECONDS, LONGEST_SECONDS, HANGING_SECONDS) == (5, 0.2, 600, 30)
    assert (Drain().minimum, Drain().maximum) == (10, 60)
    assert Limits().json_values == 1_000_000
    for sentence in (
        "it lives for five seconds",
        "more than a fifth of a second",
        "up to ten minutes",
        "reports nothing for 30 seconds",
        "A drain takes ten to sixty seconds",
        "more than a million JSON values",
    ):
        assert sentence in PAGE
