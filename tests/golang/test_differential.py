"""Texts, numbers and values as Go prints them, asked of Go itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from injector.golang.fmt import sprint, sprint_as_string
from injector.golang.strconv import format_float, json_float, quote
from injector.gotemplate.sprig.arithmetic import duration_round
from tests.oracle import BATCH, Ask, thorough

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
floats = st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | texts | floats.map(lambda number: number + 0.5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
durations = st.lists(
    st.tuples(
        st.sampled_from(["", "1", "0", "12", "1.5", ".25", "9223372036854775807", "00000000000000000000007"]),
        st.sampled_from(["ns", "us", "µs", "μs", "ms", "s", "m", "h", "", "d", "é"]),
    ).map("".join),
    max_size=3,
).map("".join)


def asked(ask_go: Ask, template: str, batch: Sequence[Any]) -> list[str]:
    """Return what a template prints of each value."""
    questions = [{"op": "template", "template": template, "data": {"x": value}} for value in batch]
    return [json.loads(line)["out"] for line in ask_go(questions)]


@thorough(full=400, quick=4)
@given(st.lists(texts, min_size=BATCH, max_size=BATCH))
def test_texts_are_quoted_as_go_quotes_them(ask_go: Ask, batch: list[str]) -> None:
    assert [quote(text) for text in batch] == asked(ask_go, '{{ printf "%q" .x }}', batch)


@thorough(full=400, quick=4)
@given(st.lists(floats, min_size=BATCH, max_size=BATCH))
def test_floats_are_written_as_go_writes_them(ask_go: Ask, batch: list[float]) -> None:
    assert [format_float(number) for number in batch] == asked(ask_go, '{{ printf "%g" .x }}', batch)
    answers = ask_go([{"op": "goJSON", "value": number} for number in batch])
    assert [json_float(number) for number in batch] == [json.loads(line)["out"] for line in answers]


@thorough(full=400, quick=4)
@given(st.lists(values, min_size=BATCH, max_size=BATCH))
def test_values_are_printed_as_go_prints_them(ask_go: Ask, batch: list[Any]) -> None:
    assert [sprint(value) for value in batch] == asked(ask_go, '{{ printf "%v" .x }}', batch)
    assert [sprint_as_string(value) for value in batch] == asked(ask_go, '{{ printf "%s" .x }}', batch)


@thorough(full=400, quick=4)
@given(st.lists(durations, min_size=BATCH, max_size=BATCH))
def test_durations_are_read_as_go_reads_them(ask_go: Ask, batch: list[str]) -> None:
    assert [duration_round(text) for text in batch] == asked(ask_go, "{{ durationRound .x }}", batch)
