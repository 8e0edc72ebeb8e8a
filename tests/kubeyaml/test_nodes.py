"""Where libyaml 0.2.5 reads otherwise than yaml.v2, what is said of faults, and where values stand.

Every expectation of what is read is an answer of Go's.
"""

from __future__ import annotations

from typing import Any

import pytest
from yaml.error import YAMLError as LibYAMLError

from injector.errors import YAMLError
from injector.kubeyaml import Positions, line_of, load
from injector.kubeyaml.nodes import at, translate


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[a:,b]", ["a:", "b"]),
        ("{a:}", {"a:": None}),
        ("{a: b:,\n c:}", {"a": "b:", "c:": None}),
        ("[http://x:80]", ["http://x:80"]),
        ("a?b", "a?b"),
        ("[?a]", [{"a": None}]),
        ("{? a : b}", {"a": "b"}),
        ("! 12", "12"),
        ('! "12"', "12"),
        ("- !\n  12", ["12"]),
        ("&a ! 12", "12"),
        ("!!f,loat 1", "1"),
        ("![ {x: 1}", {"x": 1}),
        ("a: x\n\ufeffb: y", {"a": "x", "\ufeffb": True}),
        ("a: x\ufeffy", {"a": "x\ufeffy"}),
        ('a: "\\\\/"', {"a": "\\/"}),
        ("a: \\/", {"a": "\\/"}),
    ],
)
def test_what_libyaml_would_read_differently(text: str, value: Any) -> None:
    assert load(text) == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[a?b]", "yaml: did not find expected ',' or ']'"),
        ("- x\n- [a,\n  b?c]", "yaml: line 2: did not find expected ',' or ']'"),
        ("- x\n- {a?b: 1}", "yaml: line 1: did not find expected ',' or '}'"),
        ('"\\/"', "yaml: found unknown escape character"),
        ('a: "b\n  c\\/"', "yaml: line 2: found unknown escape character"),
        ("%YAML 1.2\n---\na", "yaml: found incompatible YAML document"),
    ],
)
def test_what_libyaml_would_let_pass(text: str, reason: str) -> None:
    with pytest.raises(YAMLError) as caught:
        load(text)
    assert caught.value.reason == reason


def test_repairs_end_where_too_much_is_read_again() -> None:
    assert load("[" + "a:," * 200 + "]") == ["a:"] * 200
    before = "x, " * 1000
    assert load(f"[{before}" + "a:," * 7 + "]")[-7:] == ["a:"] * 7
    with pytest.raises(YAMLError, match="found unexpected ':'"):
        load(f"[{before}" + "a:," * 9 + "]")
    with pytest.raises(YAMLError, match="found unexpected ':'"):
        load(f"['{'x' * 250_000}', " + "a:," * 9 + "]")


def test_a_text_that_uses_every_private_character_is_read_without_stand_ins() -> None:
    text = "".join(map(chr, range(0xE000, 0xF900)))
    assert load(f"a: {text}?") == {"a": f"{text}?"}
    with pytest.raises(YAMLError, match="found unexpected ':'"):
        load(f"[a:,{text}]")


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


TEXT = """\
global:
  proxy: &proxy
    logLevel: 1
  secrets:
  - a
  - b: {c: 5,
        d: 6}
again: *proxy
twice: 1
twice: 2
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((), 1),
        (("global", "proxy", "logLevel"), 3),
        (("global", "secrets", 0), 5),
        (("global", "secrets", 1, "b", "d"), 7),
        (("again", "logLevel"), 3),
        (("twice",), 10),
        (("global", "secrets", 7), 4),
        (("global", "proxy", "nope", "deeper"), 2),
        (("twice", "deeper"), 10),
    ],
)
def test_the_line_of_a_path_is_that_of_its_last_step_that_is_there(path, line):
    assert line_of(TEXT, path) == line


def test_text_without_a_document_has_no_line():
    assert line_of("", ("a",)) == 0
    assert line_of("[", ("a",)) == 0


def test_json_has_lines_as_well():
    assert line_of('{\n "global": {\n  "proxy": 5\n }\n}', ("global", "proxy")) == 3


@pytest.mark.parametrize(
    ("path", "position"),
    [
        ((), (1, 1)),
        (("global", "proxy", "logLevel"), (3, 5)),
        (("global", "secrets", 1), (6, 5)),
        (("global", "secrets", 1, "b", "d"), (7, 9)),
        (("again", "nope"), (8, 1)),
    ],
)
def test_positions_have_the_column_too(path, position):
    assert Positions(TEXT).at(path) == position


def test_text_that_cannot_be_read_has_no_positions():
    assert Positions("[").at(("a",)) == (0, 0)
