"""Where libyaml 0.2.5 reads otherwise than yaml.v2; every expectation is an answer of Go's."""

from __future__ import annotations

from typing import Any

import pytest

from injector.errors import YAMLError
from injector.kubeyaml import load


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


def test_repairs_end_when_there_are_too_many() -> None:
    assert load("[" + "a:," * 100 + "]") == ["a:"] * 100
    with pytest.raises(YAMLError, match="found unexpected ':'"):
        load("[" + "a:," * 102 + "]")


def test_a_text_that_uses_every_private_character_is_read_without_stand_ins() -> None:
    text = "".join(map(chr, range(0xE000, 0xF900)))
    assert load(f"a: {text}?") == {"a": f"{text}?"}
    with pytest.raises(YAMLError, match="found unexpected ':'"):
        load(f"[a:,{text}]")
