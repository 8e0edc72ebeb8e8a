"""Quantities: Kubernetes' canonical text for them, what it refuses, thousandths."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from injector.errors import TypedError
from injector.patch import canonical_quantity, milli_value, quantity_fault
from injector.patch.quantity import compare, whole_value
from tests.oracle import BATCH, Ask, thorough

SHAPE = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
SUFFIX = "unable to parse quantity's suffix"
NUMBER = "unable to parse numeric part of quantity"

CANONICAL = {
    "0": "0", "00": "0", "-0": "0", "0Mi": "0", "": None, "2000m": "2", "100m": "100m", "1.5": "1500m", "0.5": "500m",
    "1024Mi": "1Gi", "1.5Gi": "1536Mi", "1Gi": "1Gi", "1000Mi": "1000Mi", "1023": "1023", "1024": "1024",
    "0.5Ki": "512", "0.1Ki": "102400m", "1000": "1k", "1000000": "1M", "1000k": "1M", "1e3": "1e3", "12e2": "1200",
    "1E3": "1E3", "100E": "100E", "1000E": "1", "+5": "+5", "05": "05", "1.500": "1.500", "-1.5": "-1500m", " 1 ": "1",
    "0.1m": "100u", "0.0000000001": "1n", "1.0000000001": "1000000001n", "9Ei": "9223372036854775807", "10Ei": "9223372036854775807",
    "-9Ei": "-9223372036854775807", "123456789012345678901234567890": "123456789012345678901234567890",
    "1e-12": "1e-9", "1e2147483647": "10e2147483646", "1.1111111111111111111e-1000000": "1e-9", ".": "0", "m": "0", "1.": "1.",
    "1.1111111111111111111Ki": "1137777777778n",
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), CANONICAL.items(), ids=repr)
def test_a_quantity_is_written_canonically(text: str, expected: str | None) -> None:
    if expected is None:
        assert quantity_fault(text) == SHAPE
    else:
        assert canonical_quantity(text) == expected


REFUSED = {"x": SHAPE, "1 Mi": SHAPE, "1..5": SHAPE, "--1": SUFFIX, "1mi": SUFFIX, "1K": SUFFIX, "1e": SUFFIX, "Ei": NUMBER,
           "1e2147483648": SUFFIX, "e-12": NUMBER, "٣": SHAPE}  # fmt: skip


@pytest.mark.parametrize(("text", "sentence"), REFUSED.items(), ids=repr)
def test_what_is_no_quantity_is_refused_in_the_words_of_kubernetes(text: str, sentence: str) -> None:
    with pytest.raises(TypedError) as caught:
        canonical_quantity(text)
    assert str(caught.value) == sentence
    assert quantity_fault(text) == sentence


def test_blanks_around_a_quantity_are_a_fault_though_json_forgives_them() -> None:
    assert quantity_fault(" 1") == SHAPE
    assert quantity_fault("1") == ""
    assert quantity_fault("0") == ""
    assert canonical_quantity("\u30001") == "1"
    with pytest.raises(TypedError):
        canonical_quantity("1\x1c")


@pytest.mark.parametrize(
    ("text", "milli"),
    [("2", 2000), ("100m", 100), ("0.1m", 1), ("-1.5", -1500), ("1Gi", 2**30 * 1000), ("1e999999999", 2**63 - 1),
     ("0e999999999", 0), ("1500u", 2), ("1e18", 2**63 - 1)],
)  # fmt: skip
def test_thousandths_are_rounded_up(text: str, milli: int) -> None:
    assert milli_value(text) == milli


@pytest.mark.parametrize(
    ("text", "whole"),
    [("2", 2), ("100m", 1), ("-1.5", -2), ("1.5Gi", 3 * 2**29), ("1e999999999", 2**63 - 1), ("1n", 1), ("9E", 9 * 10**18)],
)  # fmt: skip
def test_whole_units_are_rounded_up(text: str, whole: int) -> None:
    assert whole_value(text) == whole


@pytest.mark.parametrize(
    ("first", "second", "order"),
    [
        ("1", "1000m", 0), ("1Ki", "1024", 0), ("0", "0Gi", 0), ("-0", "0", 0), ("5", "45", -1), ("1Gi", "1G", 1),
        ("-1", "-2", 1), ("-1", "1", -1), ("0", "-1n", 1), ("1n", "0", 1), ("1e2000000000", "1e1999999999", 1),
        ("0.1n", "1n", 0),
    ],
)  # fmt: skip
def test_quantities_are_compared_by_what_they_are(first: str, second: str, order: int) -> None:
    assert (compare(first, second), compare(second, first)) == (order, -order)


def quantities(seed: int) -> list[str]:
    chance = random.Random(seed)
    suffixes = ["", *"numkMGTPE", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "e3", "E3", "e-3", "e+2", "e1", "e", "K", "mi",
                "e10", "e-12", "E20", "e100"]  # fmt: skip

    def one() -> str:
        if chance.random() < 0.1:
            return "".join(chance.choice("0123.+-eEmMGiKk ") for _ in range(chance.randint(0, 6)))
        text = chance.choice(["", "-", "+", "", "", ""]) + "0" * chance.choice([0, 0, 0, 1, 2])
        text += "".join(
            chance.choice("0123456789000") for _ in range(chance.choice([0, 1, 1, 2, 3, 5, 7, 15, 19, 22]))
        )
        if chance.random() < 0.4:
            text += "." + "".join(
                chance.choice("01234567895000") for _ in range(chance.choice([0, 1, 2, 3, 8, 14]))
            )
        return text + chance.choice(suffixes)

    return [one() for _ in range(BATCH)]


def answer(text: str) -> dict[str, Any]:
    try:
        return {"object": {"cpu": canonical_quantity(text)}}
    except TypedError as error:
        return {"error": str(error)}


@thorough(full=100, quick=8)
@given(st.integers(0, 2**48))
def test_quantities_are_those_of_kubernetes(ask_go: Ask, seed: int) -> None:
    texts = quantities(seed)
    answers = ask_go([{"op": "podJSON", "object": {"spec": {"overhead": {"cpu": text}}}} for text in texts])
    for text, line in zip(texts, answers, strict=True):
        given = json.loads(line)
        expected = {"object": given["object"]["spec"]["overhead"]} if "object" in given else given
        assert answer(text) == expected, text


def test_a_quantity_of_more_than_a_thousand_characters_is_refused() -> None:
    assert canonical_quantity("9" * 1000) == "9" * 1000
    fault = "a quantity of 5,000 characters is longer than 1,000"
    assert quantity_fault("9" * 5000) == fault
    with pytest.raises(TypedError, match=f"^{fault}$"):
        canonical_quantity("9" * 5000)
    with pytest.raises(TypedError, match=f"^{fault}$"):
        milli_value("9" * 5000)
