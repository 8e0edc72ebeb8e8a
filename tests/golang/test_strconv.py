from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from injector.golang.strconv import (
    format_float,
    int32,
    int_fault,
    json_float,
    parse_bool,
    parse_int,
    to_int,
    uint_fault,
)
from injector.kubeyaml.scalars import yaml_float


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", True), ("T", True), ("True", True), ("0", False), ("f", False), ("FALSE", False)]
    + [(text, None) for text in ("", "yes", "tRUE", " true", "2")],
)
def test_a_bool_is_read_as_strconv_reads_it(text, value):
    assert parse_bool(text) is value


@pytest.mark.parametrize(
    ("text", "value"),
    [("15020", 15020), ("+5", 5), ("-1", -1), ("007", 7), ("9223372036854775807", 2**63 - 1)]
    + [(text, None) for text in ("", " 5", "1_000", "0x10", "1.0", "٣", "9223372036854775808")],
)
def test_an_integer_is_read_as_strconv_reads_it(text, value):
    assert parse_int(text) == value


def test_a_number_is_cut_to_32_bits_with_its_sign():
    assert int32(15020) == 15020
    assert int32(2**32 - 1) == -1
    assert int32(2**31) == -(2**31)


@pytest.mark.parametrize(
    ("text", "bits", "fault"),
    [
        ("65535", 16, ""),
        ("65536", 16, "value out of range"),
        ("65536,80", 16, "value out of range"),
        ("65535,80", 16, "invalid syntax"),
        ("00065535", 16, ""),
        ("", 16, "invalid syntax"),
        ("+1", 32, "invalid syntax"),
        ("8a", 32, "invalid syntax"),
        ("٣", 32, "invalid syntax"),
        ("4294967296 ", 32, "value out of range"),
        ("18446744073709551616x", 64, "value out of range"),
    ],
)
def test_of_two_faults_of_a_number_the_one_that_is_met_first_is_told(text, bits, fault):
    assert uint_fault(text, bits) == fault


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("-9223372036854775808", ""),
        ("9223372036854775808", "value out of range"),
        ("9223372036854775808x", "invalid syntax"),
        ("18446744073709551616x", "value out of range"),
        ("-", "invalid syntax"),
        ("--1", "invalid syntax"),
    ],
)
def test_a_signed_number_is_read_without_its_sign_first(text, fault):
    assert int_fault(text) == fault


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
