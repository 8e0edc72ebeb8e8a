"""Go's number formats where no verb of printf leads to them, or only some numbers do."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from injector.golang.floats import format_float


@pytest.mark.parametrize(
    ("number", "verb", "precision", "expected"),
    [
        (1.0, "f", -1, "1"),
        (0.0001, "f", -1, "0.0001"),
        (1.5e300, "f", -1, "15" + "0" * 299),
        (123.456, "e", -1, "1.23456e+02"),
        (0.0, "e", -1, "0e+00"),
        (123.456, "E", -1, "1.23456E+02"),
        (-0.0, "g", -1, "-0"),
        (1e6, "g", -1, "1e+06"),
        (999999.0, "g", -1, "999999"),
        (1234567.5, "g", -1, "1.2345675e+06"),
        (1e-5, "G", -1, "1E-05"),
        (100.0, "g", 3, "100"),
        (100.0, "g", 2, "1e+02"),
        (100.0, "g", 0, "1e+02"),
        (0.5, "g", 5, "0.5"),
        (1.0, "b", -1, "4503599627370496p-52"),
        (5e-324, "b", -1, "1p-1074"),
        (0.0, "b", -1, "0p-1074"),
        (1.0, "x", -1, "0x1p+00"),
        (0.0, "x", 2, "0x0.00p+00"),
        (1.5, "X", -1, "0X1.8P+00"),
        (1.96875, "x", 1, "0x1.0p+01"),
        (1.03125, "x", 1, "0x1.0p+00"),
        (5e-324, "x", -1, "0x1p-1074"),
        (1.5, "x", 20, "0x1.80000000000000000000p+00"),
        (math.inf, "g", -1, "+Inf"),
        (-math.inf, "f", 2, "-Inf"),
        (math.nan, "e", 3, "NaN"),
    ],
)
def test_a_float_is_written_as_strconv_writes_it(number, verb, precision, expected):
    assert format_float(number, verb, precision) == expected


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_hexadecimal_form_is_exact(number):
    assert float.fromhex(format_float(number, "x")) == number
    mantissa, _, exponent = format_float(number, "b").partition("p")
    assert math.ldexp(int(mantissa), int(exponent)) == number
