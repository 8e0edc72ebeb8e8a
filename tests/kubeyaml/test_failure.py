from __future__ import annotations

import pytest
from yaml.error import YAMLError as LibYAMLError

from injector.errors import YAMLError
from injector.kubeyaml import load
from injector.kubeyaml.dialect import at, translate


def test_a_fault_without_a_place_has_a_sentence_only() -> None:
    assert at("reason", source="x").args == YAMLError("yaml: reason", source="x").args
    assert (
        translate(LibYAMLError("no memory"), source="x").args == YAMLError("yaml: no memory", source="x").args
    )


@pytest.mark.parametrize(
    ("text", "reason", "place"),
    [
        ("a: b: c", "yaml: mapping values are not allowed in this context", (1, 5)),
        ("x: 1\na: b: c", "yaml: line 2: mapping values are not allowed in this context", (2, 5)),
        ("{a: 1\nb", "yaml: line 2: did not find expected ',' or '}'", (3, 1)),
        ("x: 1\n- b\n", "yaml: line 1: did not find expected key", (2, 1)),
        ("x: 1\n\n- b\n", "yaml: line 2: did not find expected key", (3, 1)),
    ],
)
def test_scanner_faults_count_lines_from_one_and_parser_faults_from_nought(
    text: str, reason: str, place: tuple[int, int]
) -> None:
    """So does yaml.v2; the place that we add counts from one always."""
    with pytest.raises(YAMLError) as caught:
        load(text)
    assert (caught.value.reason, (caught.value.line, caught.value.column)) == (reason, place)
