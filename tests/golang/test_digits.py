from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from injector.golang.digits import to_int


@pytest.mark.slow
@given(st.integers(-(10**39), 10**39))
def test_an_integer_of_up_to_40_digits_is_read(number: int) -> None:
    assert to_int(str(number)) == number
    assert to_int(f"{'-' if number < 0 else '+'}000{abs(number)}") == number


@pytest.mark.parametrize("digits", [41, 5000, 1_000_000])
def test_one_of_more_digits_fits_no_integer_of_go(digits: int) -> None:
    assert to_int("9" * digits) >= 2**64
    assert to_int("-" + "9" * digits) < -(2**63)
    assert to_int("0" * digits + "7") == 7


def test_zero_is_read_however_it_is_written() -> None:
    assert [to_int(text) for text in ("0", "-0", "+0", "000")] == [0, 0, 0, 0]
