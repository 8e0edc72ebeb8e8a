"""The diff that people read."""

from __future__ import annotations

from injector.cli.difference import coloured, difference


def test_equal_documents_differ_in_nothing() -> None:
    assert list(difference({"a": 1}, {"a": 1})) == []


def test_a_change_is_shown_with_its_neighbours() -> None:
    lines = list(difference({"a": 1, "b": 2}, {"a": 1, "b": 3}))
    assert lines[-3:] == [" a: 1", "-b: 2", "+b: 3"]


def test_added_is_green_removed_red_and_the_rest_plain() -> None:
    assert "\x1b[32m" in coloured("+x")
    assert "\x1b[31m" in coloured("-x")
    assert coloured(" x") == " x"
    assert "\x1b[1m" in coloured("+++ after")
