"""Letter case one character at a time, where Python's strings have longer rules."""

from __future__ import annotations

import pytest

from injector.golang import unicode


@pytest.mark.parametrize(
    ("rune", "upper", "title", "lower"),
    [("a", "A", "A", "a"), ("ß", "ß", "ß", "ß"), ("İ", "İ", "İ", "i"), ("ǆ", "Ǆ", "ǅ", "ǆ"), ("ᾳ", "ᾼ", "ᾼ", "ᾳ"),
     ("Σ", "Σ", "Σ", "σ"), ("1", "1", "1", "1")],
)  # fmt: skip
def test_case_changes_one_character_to_one(rune, upper, title, lower):
    assert (unicode.to_upper(rune), unicode.to_title(rune), unicode.to_lower(rune)) == (upper, title, lower)


def test_folding_keeps_one_character():
    assert unicode.fold("K") == unicode.fold("\u212a") == "k"
    assert unicode.fold("ẞ") == unicode.fold("ß") == "ß"
    assert unicode.fold("İ") == "İ"


def test_kinds_of_characters_are_unicodes():
    assert unicode.is_upper("Ä")
    assert unicode.is_lower("ä")
    assert unicode.is_title("ǅ")
    assert unicode.is_letter("漢")
    assert unicode.is_number("Ⅷ")
    assert not unicode.is_digit("Ⅷ")
    assert unicode.is_digit("٣")
    assert unicode.is_punctuation("«")


def test_space_is_trimmed_as_go_trims_it():
    assert unicode.trim_space("\u2028 a\x1c\u3000") == "a\x1c"


def test_a_byte_that_is_not_utf8_becomes_the_replacement_character():
    assert unicode.to_valid(b"a\xff\xc3\xa9\xfe".decode("utf-8", "surrogateescape")) == "a\ufffdé\ufffd"
