"""Times: what Kubernetes writes for them, and how Go says what is wrong."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from injector.errors import TypedError
from injector.golang.timestamps import canonical_time
from tests.oracle import BATCH, Ask, thorough

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
