from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from injector.errors import TypedError
from injector.golang.times import (
    SECOND,
    DurationError,
    canonical_time,
    format_duration,
    parse_duration,
    proto_text,
    seconds_and_nanos,
    unix_seconds,
)
from tests.oracle import BATCH, Ask, thorough

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


LAYOUT = 'as "2006-01-02T15:04:05Z07:00": cannot parse'
WRITTEN = {
    "2024-02-29T23:59:59Z": "2024-02-29T23:59:59Z",
    "2024-01-01T00:30:00.999+01:00": "2023-12-31T23:30:00Z",
    "2024-01-01T1:00:00,5Z": "2024-01-01T01:00:00Z",
    "2024-01-01T00:00:00-24:60": "2024-01-02T01:00:00Z",
    "0000-01-01T00:00:00+01:00": "-0001-12-31T23:00:00Z",
    "9999-12-31T23:00:00-02:00": "10000-01-01T01:00:00Z",
    "0001-01-01T00:00:00Z": None,
    "0001-01-01T00:00:00.0000000001Z": None,
    "0001-01-01T00:00:00.1Z": "0001-01-01T00:00:00Z",
}


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("1970-01-01T00:00:01Z", 1),
        ("2024-02-29T23:59:59Z", 1_709_251_199),
        ("0001-01-01T00:00:00Z", -62_135_596_800),
        ("-0001-12-31T23:00:00Z", -62_167_222_800),
        ("10000-01-01T01:00:00Z", 253_402_304_400),
    ],
)
def test_seconds_are_counted_from_1970(written: str, seconds: int) -> None:
    assert unix_seconds(written) == seconds


@pytest.mark.parametrize(("text", "expected"), WRITTEN.items(), ids=repr)
def test_a_time_is_written_in_utc(text: str, expected: str | None) -> None:
    assert canonical_time(text) == expected


REFUSED = {
    "": f'parsing time "" {LAYOUT} "" as "2006"',
    "2024": f'parsing time "2024" {LAYOUT} "" as "-"',
    "2024-1-02": f'parsing time "2024-1-02" {LAYOUT} "1-02" as "01"',
    "2024-01-02T03:04:05": f'parsing time "2024-01-02T03:04:05" {LAYOUT} "" as "Z07:00"',
    "2024-01-02T03:04:05*01:00": f'parsing time "2024-01-02T03:04:05*01:00" {LAYOUT} "*01:00" as "Z07:00"',
    'é\\"\n': f'parsing time "\\xc3\\xa9\\\\\\"\\x0a" {LAYOUT} "\\xc3\\xa9\\\\\\"\\x0a" as "2006"',
    "2024-13-01T00:00:00Z": 'parsing time "2024-13-01T00:00:00Z": month out of range',
    "2023-02-29T00:00:00Z": 'parsing time "2023-02-29T00:00:00Z": day out of range',
    "2024-01-01T24:00:00Z": 'parsing time "2024-01-01T24:00:00Z": hour out of range',
    "2024-01-01T00:60:00Z": 'parsing time "2024-01-01T00:60:00Z": minute out of range',
    "2024-01-01T00:00:60Z": 'parsing time "2024-01-01T00:00:60Z": second out of range',
    "2024-01-01T00:00:00+25:00": 'parsing time "2024-01-01T00:00:00+25:00": time zone offset hour out of range',
    "2024-01-01T00:00:00+01:61": 'parsing time "2024-01-01T00:00:00+01:61": time zone offset minute out of range',
    "2024-01-01T00:00:00ZZ": 'parsing time "2024-01-01T00:00:00ZZ": extra text: "Z"',
}


@pytest.mark.parametrize(("text", "sentence"), REFUSED.items(), ids=repr)
def test_what_is_no_time_is_refused_in_the_words_of_go(text: str, sentence: str) -> None:
    with pytest.raises(TypedError) as caught:
        canonical_time(text)
    assert str(caught.value) == sentence


def times(seed: int) -> list[str]:
    chance = random.Random(seed)

    def number(most: int) -> str:
        return str(chance.randint(0, most)).zfill(2)

    def one() -> str:
        day = (
            f"{chance.randint(0, 9999):04d}-{number(14)}-{number(32)}T{number(25)}:{number(62)}:{number(62)}"
        )
        day = chance.choice([day, day, day, "0001-01-01T00:00:00", "2024-02-29T10:00:00"])
        fraction = chance.choice(["", "", ".5", ",25", ".000000000", ".0000000001", "."])
        return (
            day
            + fraction
            + chance.choice(["Z", "Z", "+02:00", "-07:30", "+24:00", "+25:00", "+01:61", "x", ""])
        )

    return [one() for _ in range(BATCH)]


def answer(text: str) -> dict[str, Any]:
    try:
        return {"object": canonical_time(text)}
    except TypedError as error:
        return {"error": str(error)}


@thorough(full=50, quick=4)
@given(st.integers(0, 2**48))
def test_times_are_those_of_kubernetes(ask_go: Ask, seed: int) -> None:
    texts = times(seed)
    answers = ask_go(
        [{"op": "podJSON", "object": {"metadata": {"deletionTimestamp": text}}} for text in texts]
    )
    for text, line in zip(texts, answers, strict=True):
        given = json.loads(line)
        expected = (
            {"object": given["object"]["metadata"]["deletionTimestamp"]} if "object" in given else given
        )
        assert answer(text) == expected, text
