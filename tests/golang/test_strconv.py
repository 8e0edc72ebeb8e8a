from __future__ import annotations

import pytest

from injector.golang.strconv import int32, int_fault, parse_bool, parse_int, uint_fault


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
