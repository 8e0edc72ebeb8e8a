from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from injector.errors import YAMLError
from injector.kubeyaml import Document, documents

LINES = [
    "a: 1\n",
    "---\n",
    "--- # c\n",
    "\n",
    "\r\n",
    " ---\n",
    "b\n",
    "---\t\n",
    "# c\n",
    "---\r\n",
    "----x: 1\n",
]


def texts(text: str) -> list[str]:
    return [document.text for document in documents(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("a: 1\n", ["a: 1\n"]),
        ("a: 1\n---\nb: 2", ["a: 1\n", "b: 2"]),
        ("---\na: 1\n--- # next\nb: 2\n", ["---\na: 1\n", "b: 2\n"]),
        ("a\n---\n---\nb\n", ["a\n", "---\nb\n"]),
        ("---\n---\n", ["---\n"]),
        ("a\n---\n", ["a\n"]),
        ("a: |\n  ---\n", ["a: |\n  ---\n"]),
        ("a\r\n---\r\nb\r\n", ["a\r\n", "b\r\n"]),
    ],
)
def test_documents_end_at_separator_lines(text: str, expected: list[str]) -> None:
    assert texts(text) == expected


def test_a_separator_with_anything_but_a_comment_is_refused() -> None:
    found = documents("a: 1\n---\nb: 1\n--- x\n", source="app.yaml")
    assert next(found).text == "a: 1\n"
    with pytest.raises(YAMLError) as caught:
        next(found)
    assert str(caught.value) == "app.yaml:4: invalid Yaml document separator: x"


def test_a_document_knows_its_line_separator_and_value() -> None:
    first, second = documents("a: 1\n--- # 2\nb: [1, 2]\n", source="app.yaml")
    assert first == Document(text="a: 1\n", line=1, separator="--- # 2\n", source="app.yaml")
    assert (second.line, second.separator, second.value) == (3, "", {"b": [1, 2]})
    assert second.value is second.value


def test_a_fault_in_a_document_names_the_line_of_the_file() -> None:
    _, second = documents("a: 1\n---\nb: 1\nc: [\n", source="app.yaml")
    with pytest.raises(YAMLError) as caught:
        _ = second.value
    assert (caught.value.line, caught.value.reason) == (5, "yaml: line 2: did not find expected node content")


def test_a_fault_without_a_place_keeps_none() -> None:
    _, second = documents("a: 1\n---\nb: .inf\n")
    with pytest.raises(YAMLError) as caught:
        _ = second.value
    assert caught.value.line == 0


@given(st.lists(st.sampled_from(LINES), max_size=8).map("".join))
def test_texts_and_separators_are_the_file(text: str) -> None:
    try:
        parts = list(documents(text))
    except YAMLError:
        return
    assert "".join(part.text + part.separator for part in parts) == text
    assert all(text.split("\n")[part.line - 1 :] for part in parts)
