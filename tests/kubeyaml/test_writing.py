from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from injector.errors import YAMLError
from injector.golang.strconv import json_float
from injector.kubeyaml import dump, load
from injector.kubeyaml.natural_order import natural_order

from .generators import json_values

LONG = "line that is definitely longer than eighty characters because it has very many words in it, really"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null\n"),
        (True, "true\n"),
        (3, "3\n"),
        ("x", "x\n"),
        ({}, "{}\n"),
        ([], "[]\n"),
        ({"b": 1, "a": {}}, "a: {}\nb: 1\n"),
        ({"x": [{"a": [1, [2, 3]], "b": 1}, {"c": None}], "y": {}}, 'x:\n- a:\n  - 1\n  - - 2\n    - 3\n  b: 1\n- c: null\n"y": {}\n'),
        ([[[]], [{}]], "- - []\n- - {}\n"),
        ([[1, [2]], {"a": {"b": [1]}}], "- - 1\n  - - 2\n- a:\n    b:\n    - 1\n"),
        ({"a": "b\nc\n"}, "a: |\n  b\n  c\n"),
        ({"a": "b\n\n c"}, "a: |-\n  b\n\n   c\n"),
        ({"a": " b\nc"}, "a: |2-\n   b\n  c\n"),
        ({"a": "b\n\n"}, "a: |+\n  b\n\n"),
        ({"a": "\n"}, "a: |2+\n\n"),
        ({"a": "b \n"}, 'a: "b \\n"\n'),
        ({"a": "\tb\n"}, 'a: "\\tb\\n"\n'),
        (["a\nb"], "- |-\n  a\n  b\n"),
        ({"a\nb": 1}, "? |-\n  a\n  b\n: 1\n"),
        ({"k" * 128: 1}, "k" * 128 + ": 1\n"),
        ({"k" * 129: [1]}, "? " + "k" * 129 + "\n: - 1\n"),
        ({"é" * 64: 1}, "é" * 64 + ": 1\n"),
        ({"é" * 65: {"a": 1}}, "? " + "é" * 65 + "\n: a: 1\n"),
        ({"yes": 1, "1": 2, "": 3}, '"": 3\n"1": 2\n"yes": 1\n'),
        ({"a": 1e6, "b": 1.5, "c": 1e20, "d": 1e21, "e": -0.0, "f": 1e-5, "g": 2**64}, "a: 1000000\nb: 1.5\nc: 1e+20\nd: 1e+21\ne: 0\nf: 1e-05\ng: 1.8446744073709552e+19\n"),
        ({"a": "\u2028x"}, "a: '\u2028  x'\n"),
        ({"a": "x\u2028y'z"}, "a: 'x\u2028  y''z'\n"),
        ({"a": "b\u0085c"}, "a: b c\n"),
        ({"a": "b \u0085 \u0085 c"}, "a: |-\n  b\n  c\n"),
        ({"a": "\ufeffb c"}, 'a: "\\uFEFF\\x62\\x20\\x63"\n'),
        ({"a": '\x01\x1b\x85\xa0\u2029😀"\\'}, 'a: "\\x01\\e \xa0\\P\\U0001F600\\"\\\\"\n'),
        ({"a": "b\udcc3c"}, "a: b\ufffdc\n"),
        ((1, 2), "- 1\n- 2\n"),
    ],
)  # fmt: skip
def test_values_are_written_as_sigs_yaml_writes_them(value: Any, text: str) -> None:
    assert dump(value) == text


def test_long_scalars_are_folded_at_the_width() -> None:
    assert dump({"k": LONG}) == f"k: {LONG[:78]}\n  {LONG[79:]}\n"
    assert dump({"k": LONG}, width=-1) == f"k: {LONG}\n"
    assert dump({"k": "a b c d"}, width=3) == "k: a\n  b c\n  d\n"


def test_quoted_scalars_are_folded_where_a_space_is_alone() -> None:
    words = " ".join(["word"] * 30) + "  two: spaces"
    assert dump({"k": words}) == f"k: '{words[:79]}\n  {words[80:]}'\n"
    tabbed = "\t" + words
    assert "\n" in dump({"k": tabbed}).rstrip()
    assert load(dump({"k": tabbed})) == {"k": tabbed}


def test_keys_are_never_folded() -> None:
    key = "word " * 20 + "end"
    assert dump({key: 1}) == f"{key}: 1\n"


@pytest.mark.parametrize("text", ["a\x7f", "\x80", "\x9f", "\ufffe", "\uffff"])
def test_what_yaml_v2_cannot_read_back_from_json_is_refused(text: str) -> None:
    with pytest.raises(YAMLError, match="yaml: control characters are not allowed"):
        dump({"a": text})


@pytest.mark.parametrize("key", ["a\x85b", "k" * 1023, "<" * 300])
def test_keys_that_yaml_v2_cannot_read_back_from_json_are_refused(key: str) -> None:
    with pytest.raises(YAMLError, match="yaml: did not find expected ',' or '}'"):
        dump({key: 1})


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan")])
def test_numbers_that_json_cannot_say_are_refused(number: float) -> None:
    with pytest.raises(YAMLError, match="error marshaling into JSON: json: unsupported value"):
        dump([number])


@pytest.mark.slow
@given(json_values)
@example(2.0**64)
@example(-(2.0**63))
def test_the_text_reads_back_as_the_value(value: Any) -> None:
    try:
        text = dump(value)
    except YAMLError:
        return
    if "\x85" not in json.dumps(value, ensure_ascii=False) and "<<" not in text:  # Go writes << plain
        assert load(text) == json.loads(json.dumps(value), parse_float=_as_shown)


def _as_shown(text: str) -> float:
    """Return the number that Go's JSON text shows: beyond 2^53 its digits end in noughts.

    Beyond 64 bits it stays a float.
    """
    number = float(text)
    shown = number if abs(number) < 2**53 else json.loads(json_float(number))
    return shown if isinstance(shown, float) or -(2**63) <= shown < 2**64 else number


def test_the_recorded_answers_of_go_agree_line_by_line(shared: Path) -> None:
    recorded = (shared / "go-outputs" / "out_toyaml_sprig.txt").read_text()
    strings = re.findall(r'^("(?:[^"\\]|\\.)*") => ("k: .*")$', recorded, re.MULTILINE)
    assert len(strings) > 75
    for string, expected in strings:
        value = _go_unquoted(string)
        assert dump({"k": value}) == _go_unquoted(expected), string


def test_the_recorded_map_of_go_has_the_same_order(shared: Path) -> None:
    recorded = (shared / "go-outputs" / "out_toyaml_sprig.txt").read_text()
    block = recorded.partition("--map\n")[2].partition("{}\n")[0]
    assert dump(load(block)) == block


def _go_unquoted(text: str) -> str:
    """Read a Go string literal, whose escapes are JSON's and ``\\x``."""
    result: str = json.loads(re.sub(r"\\(?:x(..)|(.))", lambda m: f"\\u00{m[1]}" if m[1] else m[0], text))
    return result


@pytest.mark.parametrize(
    "keys",
    [
        ["a", "a2", "a10"],
        ["", "_", "1", "2", "10", "A", "a"],
        ["b-c", "b.c", "bc"],
        ["a1", "a01", "a001"],
        ["a10b", "a10c", "a11"],
        ["x100", "x101", "x1000"],
        ["a", "ab"],
        ["z", "ä", "ж"],
        ["a-b", "ab"],
        ["1.9", "1.10"],
        ["a\u0661", "a\u0662"],
        ["1", "99999999999999999999"],
    ],
)
def test_keys_come_in_the_order_of_yaml_v2(keys: list[str]) -> None:
    """Each list is in the order in which Go wrote these keys."""
    assert natural_order(reversed(keys)) == keys


@given(st.lists(st.text(alphabet="ab01-.é", max_size=5), unique=True))
def test_the_order_does_not_depend_on_the_given_one(keys: list[str]) -> None:
    assert natural_order(keys) == natural_order(reversed(keys))
