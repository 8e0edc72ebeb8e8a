from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from injector.golang.floats import json_float
from injector.kubeyaml.scalars import yaml_float


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0"),
        (-0.0, "-0"),
        (1.0, "1"),
        (1.5, "1.5"),
        (1e6, "1000000"),
        (123456789.25, "123456789.25"),
        (1e20, "100000000000000000000"),
        (1.5e20, "150000000000000000000"),
        (1e21, "1e+21"),
        (0.000001, "0.000001"),
        (0.0000001, "1e-7"),
        (-1.25e-9, "-1.25e-9"),
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
    ],
)
def test_json_turns_to_exponents_from_21_digits_on(number: float, text: str) -> None:
    assert json_float(number) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0"),
        (100000.5, "100000.5"),
        (1234567.5, "1.2345675e+06"),
        (1e20, "1e+20"),
        (0.0001, "0.0001"),
        (0.000012345, "1.2345e-05"),
        (1e100, "1e+100"),
        (float("inf"), ".inf"),
        (float("-inf"), "-.inf"),
        (float("nan"), ".nan"),
    ],
)
def test_yaml_turns_to_exponents_from_seven_digits_on(number: float, text: str) -> None:
    assert yaml_float(number) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.1, "0.1"),
        (1234567.5, "1.2345675e+06"),
        (16777217.0, "1.6777216e+07"),
        (1e300, ".inf"),
        (-1e300, "-.inf"),
        (1e-50, "0"),
        (3.4028235677973366e38, ".inf"),
        (1.00000011920928955, "1.0000001"),
        (float("nan"), ".nan"),
    ],
)
def test_a_key_goes_through_float32(number: float, text: str) -> None:
    assert yaml_float(number, bits=32) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_text_reads_back_as_the_number(number: float) -> None:
    assert float(json_float(number)) == float(yaml_float(number)) == number


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float32_reads_back_as_itself(number: float) -> None:
    text = yaml_float(number, bits=32)
    assert struct.unpack("f", struct.pack("f", float(text)))[0] == number
