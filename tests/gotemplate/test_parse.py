"""What the table of Go's answers does not hold: positions, limits, the walk over a tree, literals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from injector.errors import TemplateSyntaxError
from injector.golang.strconv import quote, unquote
from injector.gotemplate import nodes, parse
from injector.gotemplate.builtins import BUILTINS
from injector.gotemplate.lex import Kind, Token


def test_places_are_lines_and_columns_of_bytes():
    tree = parse("t", "é\n é{{ .a }}", ())
    action = tree.templates["t"].nodes[1]
    assert tree.place(action.pos) == (2, 6)


def test_a_syntax_error_holds_its_place():
    with pytest.raises(TemplateSyntaxError) as caught:
        parse("sidecar", "a\n{{ nope }}", ())
    assert str(caught.value) == 'template: sidecar:2: function "nope" not defined'
    assert (caught.value.name, caught.value.line) == ("sidecar", 2)


@pytest.mark.parametrize(
    "text",
    [
        "{{ if 1 }}" * 101 + "{{ end }}" * 101,
        "{{ if 1 }}" + "{{ else if 1 }}" * 101 + "{{ end }}",
        "{{ " + "(" * 101 + "1" + ")" * 101 + " }}",
    ],
)
def test_nesting_has_a_limit(text):
    with pytest.raises(TemplateSyntaxError, match=r"max (nesting|expression) depth exceeded"):
        parse("t", text, ())


def test_nesting_up_to_the_limit_is_fine():
    parse("t", "{{ if 1 }}" * 99 + "{{ end }}" * 99 + "{{ " + "(" * 99 + "1" + ")" * 99 + " }}", ())


def test_break_is_a_function_where_there_is_one():
    tree = parse("t", "{{ break }}{{ continue }}", {"break", "continue"})
    assert all(isinstance(node, nodes.Action) for node in tree.templates["t"].nodes)


def test_a_walk_finds_everything():
    text = "a{{ $x := and .b (not $.c) }}{{ range .d }}{{ else }}{{ (len .e).f }}{{ end }}"
    found = list(nodes.walk(parse("t", text, BUILTINS).templates["t"]))
    assert {str(node) for node in found} >= {"a", ".b", "not $.c", "len", ".d", ".e", "(len .e).f", "$x"}


@pytest.mark.parametrize(
    ("kind", "text", "shown"),
    [
        (Kind.EOF, "", "EOF"),
        (Kind.ERROR, "bad", "bad"),
        (Kind.IF, "if", "<if>"),
        (Kind.TEXT, "0123456789a", '"0123456789"...'),
        (Kind.TEXT, "0123456789", '"0123456789"'),
    ],
)
def test_tokens_are_shown_as_in_go(kind, text, shown):
    assert str(Token(kind=kind, pos=0, text=text, line=1)) == shown


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("a b", '"a b"'),
        ('"\\', '"\\"\\\\"'),
        ("\a\b\f\n\r\t\v\0\x7f", '"\\a\\b\\f\\n\\r\\t\\v\\x00\\x7f"'),
        ("é\u00a0\u200b\U0001f600\U000e0001", '"é\\u00a0\\u200b\U0001f600\\U000e0001"'),
        ("\udcff", '"\\xff"'),
    ],
)
def test_strings_are_quoted_as_in_go(text, quoted):
    assert quote(text) == quoted
    assert unquote(quoted) == text


@given(st.text())
def test_quoting_can_be_undone(text):
    assert unquote(quote(text)) == text
