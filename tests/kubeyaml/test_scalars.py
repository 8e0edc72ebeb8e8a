from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from injector.errors import YAMLError
from injector.kubeyaml import load
from injector.kubeyaml.scalars import (
    ScalarError,
    is_timestamp,
    plain,
    resolve,
    resolve_tagged,
    stays_plain,
    yaml_float,
)

TAG = "tag:yaml.org,2002:"


@pytest.mark.parametrize("word", ["y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE"])
def test_yaml_11_words_are_true(word: str) -> None:
    assert plain(word) is True


@pytest.mark.parametrize("word", ["n", "N", "no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE"])
def test_yaml_11_words_are_false(word: str) -> None:
    assert plain(word) is False


@pytest.mark.parametrize("word", ["", "~", "null", "Null", "NULL"])
def test_words_for_nothing_are_null(word: str) -> None:
    assert plain(word) is None


@pytest.mark.parametrize(
    "text",
    [
        "tRUE",
        "yeS",
        "nULL",
        "1:30",
        "12:30:45",
        "2001-01-01",
        "2001-12-14t21:59:43.10-05:00",
        "=",
        "<<",
        "0b",
        "0xZ",
        "1e400",
        ".",
        "..",
        "._1",
        ".1__0",
        "+",
        "-",
        "0b-",
        "- 1",
        "1-",
        "1_e",
        "९",
        "0x_",
        "-0b-1",
        "1e",
        "0b102",
    ],
)
def test_texts_that_look_like_something_stay_strings(text: str) -> None:
    assert plain(text) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("-0", 0),
        ("+5", 5),
        ("017", 15),
        ("-017", -15),
        ("0o17", 15),
        ("0O17", 15),
        ("0x1F", 31),
        ("-0X1f", -31),
        ("0b11", 3),
        ("-0b11", -3),
        ("+0b11", 3),
        ("0b-1", -1),
        ("0b+1", 1),
        ("1_000", 1000),
        ("0_1", 1),
        ("9223372036854775807", 2**63 - 1),
        ("18446744073709551615", 2**64 - 1),
        ("-9223372036854775808", -(2**63)),
        ("0x" + "0" * 100 + "1", 1),
    ],
)
def test_integers_of_every_notation(text: str, value: int) -> None:
    assert (type(plain(text)), plain(text)) == (int, value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.5", 1.5),
        ("1.", 1.0),
        (".5", 0.5),
        ("-.5", -0.5),
        (".1_0", 0.1),
        ("08", 8.0),
        ("09.5", 9.5),
        ("1e3", 1000.0),
        ("1E+3", 1000.0),
        ("685_230.15", 685230.15),
        ("18446744073709551616", 2.0**64),
        ("-9223372036854775809", -(2.0**63)),
        ("+18446744073709551615", 2.0**64),
        ("0" * 70 + "9", 9.0),
        ("1e-400", 0.0),
    ],
)
def test_floats_of_every_notation(text: str, value: float) -> None:
    assert (type(plain(text)), plain(text)) == (float, value)


@pytest.mark.parametrize("text", [".inf", "+.Inf", ".INF"])
def test_infinity_is_read_by_each_of_its_names(text: str) -> None:
    assert plain(text) == math.inf
    assert plain("-" + text.lstrip("+")) == -math.inf


def test_a_long_text_is_not_kept() -> None:
    text = "1" + "0" * 60
    assert plain(text) == plain(text) == resolve(text) == 1e60


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2001-01-01", True),
        ("2001-1-2", True),
        ("0000-02-29", True),
        ("2001-02-29", False),
        ("2001-13-01", False),
        ("2001-00-01", False),
        ("2001-01-01 1:2:3", True),
        ("2001-01-01 1:2:3Z", False),
        ("2001-01-01T1:2:3Z", True),
        ("2001-01-01t1:2:3.5+01:30", True),
        ("2001-01-01T1:2:3", False),
        ("2001-01-01 24:00:00", False),
        ("2001-01-01 23:60:00", False),
        ("2001-01-01 23:59:60", False),
        ("2001-01-01T1:2:3+25:00", False),
        ("2001-01-01T1:2:3+24:60", True),
        ("201-01-01", False),
        ("20010-01-01", False),
        ("x", False),
        ("", False),
    ],
)
def test_dates_are_told_as_gos_time_parse_tells_them(text: str, *, expected: bool) -> None:
    assert is_timestamp(text) is expected
    assert not expected or not stays_plain(text)


@pytest.mark.parametrize(
    ("tag", "text", "value"),
    [
        ("str", "5", "5"),
        ("int", "0x1f", 31),
        ("int", "5", 5),
        ("bool", "yes", True),
        ("float", "5", 5.0),
        ("float", "1.5", 1.5),
        ("null", "~", None),
        ("timestamp", "2001-01-01", "2001-01-01"),
        ("binary", "aG\nk=", "hi"),
        ("set", "5", "5"),
    ],
)
def test_an_explicit_tag_decides(tag: str, text: str, value: Any) -> None:
    assert resolve_tagged(TAG + tag, text) == value
    assert type(resolve_tagged(TAG + tag, text)) is type(value)


@pytest.mark.parametrize(
    ("tag", "text", "sentence"),
    [
        ("int", "x", "cannot decode !!str `x` as a !!int"),
        ("int", "2001-01-01", "cannot decode !!str `2001-01-01` as a !!int"),
        ("timestamp", "1", "cannot decode !!int `1` as a !!timestamp"),
        ("bool", "", "cannot decode !!null `` as a !!bool"),
        ("float", "18446744073709551615", "cannot decode !!int `18446744073709551615` as a !!float"),
        ("binary", "a", "!!binary value contains invalid base64 data"),
        ("binary", "a?==", "!!binary value contains invalid base64 data"),
        ("binary", "aGk=====", "!!binary value contains invalid base64 data"),
    ],
)
def test_a_text_that_does_not_fit_its_tag_is_refused(tag: str, text: str, sentence: str) -> None:
    with pytest.raises(ScalarError) as caught:
        resolve_tagged(TAG + tag, text)
    assert str(caught.value) == sentence


def test_the_recorded_answers_of_go_agree_line_by_line(shared: Path) -> None:
    """The file prints `fmt.Println` of what sigs yaml decodes into `interface{}`: a key's map, or a value."""
    seen = 0
    for line in (shared / "go-outputs" / "out_yaml_unmarshal.txt").read_text().splitlines():
        seen += 1
        assert _recorded_answer(line) == _our_answer(line), line
    assert seen > 60


_RECORDED = re.compile(r'(?P<key>key )?(?P<text>"(?:[^"\\]|\\.)*") +(?P<answer>.*)')


def _recorded_answer(line: str) -> str:
    """Return what Go printed: the value, the list of keys, or the error."""
    match = _RECORDED.fullmatch(line)
    assert match
    answer = match["answer"]
    if match["key"]:
        return answer.removeprefix("[] ").removesuffix(" <nil>")
    return answer.removeprefix("ERR ") if answer.startswith("ERR ") else answer.partition("  print=")[2]


def _our_answer(line: str) -> str:
    match = _RECORDED.fullmatch(line)
    assert match
    text = json.loads(match["text"])
    try:
        value = load(text if match["key"] else f"v: {text}")
    except YAMLError as error:
        return f"error converting YAML to JSON: {error.reason}"
    return json.dumps(list(value)) if match["key"] else _printed(value["v"])


def _printed(value: Any) -> str:
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return yaml_float(float(value))  # Go's %v of a float64
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{_printed(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(_printed, value)) + "]"
    return str(value)
