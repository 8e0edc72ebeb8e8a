"""Texts that are not YAML: every fault, and what is left to be looked at."""

from __future__ import annotations

import pytest

from injector.diagnosis.unreadable import MOST_LINES, MOST_PIECES, mended


def lines_of(text: str) -> list[int]:
    return [fault.line for fault in mended(text)[1]]


def test_a_text_that_can_be_read_is_left_as_it_is() -> None:
    assert mended("a: 1\n") == ("a: 1\n", ())


def test_every_piece_that_cannot_be_read_is_told_and_left_out() -> None:
    text = "a: 1\nb: [\nc: 2\nd:\n  e: 'x\n  f: 3\n"
    rest, faults = mended(text)
    assert rest == "a: 1\n\nc: 2\nd:\n\n  f: 3\n"
    assert len(faults) == 2


def test_a_comment_and_an_empty_line_begin_no_piece() -> None:
    assert mended("a:\n# one\n\n  b: 1\n  c: [\n")[0] == "a:\n# one\n\n  b: 1\n\n"


def test_a_fault_that_has_no_end_is_where_it_begins() -> None:
    assert lines_of("a: {b\nc: {d\n") == [1, 2]


@pytest.mark.parametrize(
    "text", ["\t\n", "]\n", "- a\n- [\n", "a: 1\n b: 2\n", "{", "a: |\n  x\n y: [\n", "'\n", "a: *b\n"]
)
def test_whatever_cannot_be_read_has_a_fault(text: str) -> None:
    rest, faults = mended(text)
    assert faults
    assert mended(rest) == (rest, ())


@pytest.mark.parametrize("text", ["a:\n" + "\n" * MOST_LINES + "b: [\n", "k: [\n" * (MOST_PIECES + 1)])
def test_of_a_long_text_the_first_fault_is_told(text: str) -> None:
    rest, faults = mended(text)
    assert (rest, len(faults)) == ("", 1)
