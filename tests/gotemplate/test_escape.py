"""Escaping; the printable cases are in the table of ``test_fmt``."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from injector.gotemplate.builtins import BUILTINS

html_escape, js_escape, urlquery_escape = (BUILTINS[name].call for name in ("html", "js", "urlquery"))


def test_bytes_that_are_no_text_stay_as_they_are():
    assert js_escape("\udcff<") == "\udcff\\u003C"
    assert urlquery_escape("\udcff") == "%FF"


def test_a_null_character_is_no_html():
    assert html_escape("a\0'\"") == "a\ufffd&#39;&#34;"


@given(st.text())
def test_nothing_escaped_is_special(text):
    assert not set(html_escape(text)) & set("<>\"'\0")
    assert not set(js_escape(text)) & set("<>&=\n\u2028")
    assert not set(urlquery_escape(text)) & set(" &=?#/")
