"""Letter case one character at a time, where Python's strings have longer rules."""

from __future__ import annotations

import pytest

from injector.gotemplate import letters


@pytest.mark.parametrize(
    ("rune", "upper", "title", "lower"),
    [("a", "A", "A", "a"), ("ß", "ß", "ß", "ß"), ("İ", "İ", "İ", "i"), ("ǆ", "Ǆ", "ǅ", "ǆ"), ("ᾳ", "ᾼ", "ᾼ", "ᾳ"),
     ("Σ", "Σ", "Σ", "σ"), ("1", "1", "1", "1")],
)  # fmt: skip
def test_case_changes_one_character_to_one(rune, upper, title, lower):
    assert (letters.to_upper(rune), letters.to_title(rune), letters.to_lower(rune)) == (upper, title, lower)


def test_folding_keeps_one_character():
    assert letters.fold("K") == letters.fold("\u212a") == "k"
    assert letters.fold("ẞ") == letters.fold("ß") == "ß"
    assert letters.fold("İ") == "İ"


def test_kinds_of_characters_are_unicodes():
    assert letters.is_upper("Ä")
    assert letters.is_lower("ä")
    assert letters.is_title("ǅ")
    assert letters.is_letter("漢")
    assert letters.is_number("Ⅷ")
    assert not letters.is_digit("Ⅷ")
    assert letters.is_digit("٣")
    assert letters.is_punctuation("«")
