"""Our answers beside those of sigs.k8s.io/yaml and encoding/json, on generated questions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from injector.errors import InjectorError, YAMLError
from injector.golang.jsontext import go_json
from injector.kubeyaml import dump, load
from tests.oracle import AskJSON, thorough

from .generators import documents, json_values, scalars, soup

BATCH = 50
"""Questions an example: a start of the oracle costs as much as many answers."""


def batches(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(strategy, min_size=BATCH, max_size=BATCH)


def typed(value: Any) -> Any:
    """Make 1, 1.0 and True differ where JSON text shows them differently."""
    if isinstance(value, dict):
        return {key: typed(child) for key, child in value.items()}
    if isinstance(value, list):
        return [typed(child) for child in value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return (type(value), value)
    return float(value)


def read(text: str, how: Callable[[str], Any]) -> Any:
    try:
        return typed(how(text))
    except YAMLError:
        return "refused"


def expect_same_reading(ask_go_json: AskJSON, texts: list[str]) -> None:
    answers = ask_go_json([{"op": "yamlToJSON", "text": text, "strict": False} for text in texts])
    for text, answer in zip(texts, answers, strict=True):
        expected = typed(answer["json"]) if "json" in answer else "refused"
        assert read(text, load) == expected, (text, answer)


def text_of(write: Callable[[Any], str], value: Any) -> str | None:
    try:
        return write(value)
    except InjectorError:
        return None


def expect_same_text(
    ask_go_json: AskJSON, operation: str, write: Callable[[Any], str], values: list[Any]
) -> None:
    answers = ask_go_json([{"op": operation, "value": value} for value in values])
    for value, answer in zip(values, answers, strict=True):
        assert text_of(write, value) == answer.get("out"), (value, answer)


@given(texts=batches(scalars))
@thorough(full=250, quick=6)
def test_scalars_are_typed_as_yaml_v2_types_them(ask_go_json: AskJSON, texts: list[str]) -> None:
    expect_same_reading(ask_go_json, texts)


@given(texts=batches(documents()))
@thorough(full=150, quick=6)
def test_documents_are_read_as_sigs_yaml_reads_them(ask_go_json: AskJSON, texts: list[str]) -> None:
    expect_same_reading(ask_go_json, texts)


@given(texts=batches(soup))
@thorough(full=100, quick=3)
def test_soup_is_refused_where_sigs_yaml_refuses_it(ask_go_json: AskJSON, texts: list[str]) -> None:
    expect_same_reading(ask_go_json, texts)


@given(values=batches(json_values))
@thorough(full=120, quick=4)
def test_yaml_is_written_byte_for_byte(ask_go_json: AskJSON, values: list[Any]) -> None:
    expect_same_text(ask_go_json, "toYAML", dump, values)


@given(values=batches(json_values))
@thorough(full=120, quick=4)
def test_json_is_written_byte_for_byte(ask_go_json: AskJSON, values: list[Any]) -> None:
    expect_same_text(ask_go_json, "goJSON", go_json, values)


@given(texts=batches(documents()))
@thorough(full=20, quick=2)
def test_refusals_are_worded_as_go_words_them(ask_go_json: AskJSON, texts: list[str]) -> None:
    """Where a text has more faults than one, the two may name different ones: a share of 98 % is asked for."""
    answers = ask_go_json([{"op": "yamlToJSON", "text": text} for text in texts])
    refused = [
        (text, answer["error"]) for text, answer in zip(texts, answers, strict=True) if "error" in answer
    ]
    different = [(text, reason) for text, reason in refused if reason_of(text) != reason]
    assert len(different) <= max(1, len(refused) // 50), different


def reason_of(text: str) -> str:
    try:
        load(text)
    except YAMLError as error:
        return error.reason
    return ""
