from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from injector.golang.duration import (
    SECOND,
    DurationError,
    format_duration,
    parse_duration,
    proto_text,
    seconds_and_nanos,
)

# text, nanoseconds, what time.Duration prints, what protobuf's JSON prints
TABLE = [
    ("0", 0, "0s", "0s"),
    ("-0", 0, "0s", "0s"),
    ("0s", 0, "0s", "0s"),
    ("45s", 45 * SECOND, "45s", "45s"),
    ("1m", 60 * SECOND, "1m0s", "60s"),
    ("1.5s", 1_500_000_000, "1.5s", "1.500s"),
    ("100ms", 100_000_000, "100ms", "0.100s"),
    ("1h2m3.004s", 3_723_004_000_000, "1h2m3.004s", "3723.004s"),
    ("-1.5h", -5_400 * SECOND, "-1h30m0s", "-5400s"),
    ("+5s", 5 * SECOND, "5s", "5s"),
    ("1us", 1_000, "1µs", "0.000001s"),
    ("1µs", 1_000, "1µs", "0.000001s"),
    ("1μs", 1_000, "1µs", "0.000001s"),
    ("7ns", 7, "7ns", "0.000000007s"),
    ("-7ns", -7, "-7ns", "-0.000000007s"),
    (".5s", 500_000_000, "500ms", "0.500s"),
    ("5.s", 5 * SECOND, "5s", "5s"),
    ("9223372036854775807ns", (1 << 63) - 1, "2562047h47m16.854775807s", "9223372036.854775807s"),
    ("-9223372036854775808ns", -(1 << 63), "-2562047h47m16.854775808s", "-9223372036.854775808s"),
]

FAULTS = [
    ("", 'time: invalid duration ""'),
    ("-", 'time: invalid duration "-"'),
    ("banana", 'time: invalid duration "banana"'),
    ("1", 'time: missing unit in duration "1"'),
    ("1.5", 'time: missing unit in duration "1.5"'),
    (".s", 'time: invalid duration ".s"'),
    ("1d", 'time: unknown unit "d" in duration "1d"'),
    ("1s2", 'time: missing unit in duration "1s2"'),
    ('1"', 'time: unknown unit "\\"" in duration "1\\""'),
    ("1é", 'time: unknown unit "\\xc3\\xa9" in duration "1\\xc3\\xa9"'),
    ("9223372036854775808ns", 'time: invalid duration "9223372036854775808ns"'),
    ("9999999999999999999s", 'time: invalid duration "9999999999999999999s"'),
    ("5000000h", 'time: invalid duration "5000000h"'),
]


@pytest.mark.parametrize(("text", "nanoseconds", "go", "proto"), TABLE)
def test_a_duration_reads_and_prints_as_in_go(text, nanoseconds, go, proto):
    assert parse_duration(text) == nanoseconds
    assert format_duration(nanoseconds) == go
    assert proto_text(nanoseconds) == proto


@pytest.mark.parametrize(("text", "sentence"), FAULTS)
def test_a_text_that_is_no_duration_gets_gos_sentence(text, sentence):
    with pytest.raises(DurationError) as caught:
        parse_duration(text)
    assert str(caught.value) == sentence


@given(st.integers(-(1 << 63), (1 << 63) - 1))
def test_what_is_printed_reads_back(nanoseconds):
    assert parse_duration(format_duration(nanoseconds)) == nanoseconds
    assert parse_duration(proto_text(nanoseconds)) == nanoseconds


@given(st.integers(-(1 << 63), (1 << 63) - 1))
def test_protobufs_two_fields_are_of_one_sign_and_make_the_duration(nanoseconds):
    seconds, nanos = seconds_and_nanos(nanoseconds)
    assert seconds * SECOND + nanos == nanoseconds
    assert seconds * nanos >= 0
