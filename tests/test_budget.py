from __future__ import annotations

from typing import get_args

import pytest

from injector.budget import DEFAULT_LIMITS, LIMIT_NAMES, Budget, LimitName, ReviewLimits
from injector.errors import ConfigError, DeadlineError, InjectionError, LimitError
from tests.conftest import ROOT

LIMITS = ReviewLimits(entries=10)


def test_a_limit_may_be_met_and_not_passed() -> None:
    budget = Budget(LIMITS)
    budget.charge("entries", 4, "{} entries")
    budget.charge("entries", 6, "{} entries")
    with pytest.raises(LimitError, match=r"^11 entries; at most 10$") as refusal:
        budget.charge("entries", 1, "{} entries")
    assert refusal.value.name == "entries"
    assert isinstance(refusal.value, InjectionError)


def test_what_counts_by_itself_is_not_added_up() -> None:
    budget = Budget(LIMITS)
    for amount in (10, 3, 10):
        budget.hold("entries", amount, "{} entries")
    assert budget.spent == {"entries": 10}
    with pytest.raises(LimitError, match=r"^1,234 entries; at most 10$"):
        budget.hold("entries", 1234, "{} entries")


def test_a_sentence_may_leave_the_sum_out() -> None:
    with pytest.raises(LimitError, match=r"^too many entries; at most 10$"):
        Budget(LIMITS).charge("entries", 11, "too many entries")


def test_the_deadline_is_asked_with_each_charge() -> None:
    answers = iter([False, False, True])
    budget = Budget(LIMITS, lambda: next(answers))
    budget.charge("entries", 1, "{}")
    budget.hold("nodes", 1, "{}")
    with pytest.raises(DeadlineError, match="the review's deadline has passed"):
        budget.check_deadline()
    Budget(LIMITS).check_deadline()


def test_a_limit_comes_before_the_deadline_so_that_its_outcome_does_not_depend_on_time() -> None:
    with pytest.raises(LimitError):
        Budget(LIMITS, lambda: True).charge("entries", 11, "{}")


@pytest.mark.parametrize("name", LIMIT_NAMES)
def test_a_limit_that_nothing_can_meet_is_a_fault(name: str) -> None:
    with pytest.raises(ConfigError, match=f"^limits.{name}: limit {name} must be at least 1$"):
        ReviewLimits(**{name: 0})


def test_every_limit_has_its_name() -> None:
    assert get_args(LimitName) == LIMIT_NAMES, "LimitName holds the names of the fields of ReviewLimits"


@pytest.mark.parametrize("name", LIMIT_NAMES)
def test_every_limit_is_on_the_page_of_differences_with_its_default(name: str) -> None:
    page = (ROOT / "COMPATIBILITY.md").read_text()
    row = f"| `{name}` | {getattr(DEFAULT_LIMITS, name):,} |"
    assert row in page, 'give it a row under "What one review may use" of COMPATIBILITY.md'
