from __future__ import annotations

import pytest

from injector.golang.strconv import int32, parse_bool, parse_int


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
