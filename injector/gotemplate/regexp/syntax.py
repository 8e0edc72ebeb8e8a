r"""Parse a regular expression in RE2 syntax to nodes, with Go's error texts.

All of Go's syntax is supported except the names of scripts in ``\p{…}`` (``\p{Greek}``), which are refused:
Python has no table of them. Unicode's general categories (``\pL``, ``\p{Lu}``) are supported.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final, Never

from injector.gotemplate.functions import FunctionError
from injector.gotemplate.regexp import nodes
from injector.gotemplate.regexp.nodes import (
    Assertion,
    Capture,
    CharacterClass,
    Choice,
    ClassItem,
    Node,
    Repeat,
    Sequence,
    may_repeat,
)

_MOST_REPEATS: Final = 1000
_MOST_DEPTH: Final = 100
"""Nested groups; Go allows 1000, Python's stack fewer."""

_COUNTS: Final = re.compile(r"\{(0|[1-9][0-9]*)(?:(,)(0|[1-9][0-9]*)?)?\}")
_OPERATORS: Final = {"*": (0, None), "+": (1, None), "?": (0, 1)}
_NAMED: Final = re.compile(r"\(\?P?<(?!\Z)([^>]*)>?")
_NAME: Final = re.compile(r"[0-9A-Za-z_]+")
_FLAGS: Final = re.compile(r"\(\?([imsU]*)(?:-([imsU]*))?")
_TWO_DIGITS: Final = re.compile(r"[0-9a-fA-F]{2}")
_BRACED_DIGITS: Final = re.compile(r"\{(0*(?:10[0-9a-fA-F]{4}|[0-9a-fA-F]{0,5}))")  # up to 10FFFF
_OCTAL: Final = re.compile(r"0[0-7]{0,2}|[1-7][0-7]{1,2}")
_CONTROLS: Final = {"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_PERL: Final = {"d": nodes.DIGITS, "s": nodes.SPACES, "w": nodes.WORD}

_SCRIPT_NAMES: Final = """\
adlam ahom anatolianhieroglyphs arabic armenian avestan balinese bamum bassavah batak bengali
bhaiksuki bopomofo brahmi braille buginese buhid canadianaboriginal carian caucasianalbanian
chakma cham cherokee chorasmian common coptic cuneiform cypriot cyprominoan cyrillic deseret
devanagari divesakuru dogra duployan egyptianhieroglyphs elbasan elymaic ethiopic georgian
glagolitic gothic grantha greek gujarati gunjalagondi gurmukhi han hangul hanifirohingya hanunoo
hatran hebrew hiragana imperialaramaic inherited inscriptionalpahlavi inscriptionalparthian
javanese kaithi kannada katakana kawi kayahli kharoshthi khitansmallscript khmer khojki
khudawadi lao latin lepcha limbu lineara linearb lisu lycian lydian mahajani makasar malayalam
mandaic manichaean marchen masaramgondi medefaidrin meeteimayek mendekikakui meroiticcursive
meroitichieroglyphs miao modi mongolian mro multani myanmar nabataean nagmundari nandinagari
newtailue newa nko nushu nyiakengpuachuehmong ogham olchiki oldhungarian olditalic
oldnortharabian oldpermic oldpersian oldsogdian oldsoutharabian oldturkic olduyghur oriya osage
osmanya pahawhhmong palmyrene paucinhau phagspa phoenician psalterpahlavi rejang runic samaritan
saurashtra sharada shavian siddham signwriting sinhala sogdian sorasompeng soyombo sundanese
sylotinagri syriac tagalog tagbanwa taile taitham taiviet takri tamil tangsa tangut telugu
thaana thai tibetan tifinagh tirhuta toto ugaritic vai vithkuqi wancho warangciti yezidi yi
zanabazarsquare
"""
_SCRIPTS: Final = frozenset(_SCRIPT_NAMES.split())
"""The Unicode scripts that Go supports, in lower case: to distinguish them from unknown names."""


class SyntaxFaultError(FunctionError):
    """An expression that Go does not compile; ``str()`` is regexp.Compile's error."""


def fault(code: str, expression: str) -> Never:
    """Raise Go's error about a part of the expression."""
    raise SyntaxFaultError(f"error parsing regexp: {code}: `{expression}`")


def parse(text: str) -> tuple[Node, tuple[str, ...]]:
    """Return the nodes of an expression and the names of its groups. Raises SyntaxFaultError.

    A group without a name has ""; group 0, the whole expression, comes first.
    """
    if any("\ud800" <= rune <= "\udfff" for rune in text):
        fault("invalid UTF-8", text)
    parser = _ExpressionParser(text)
    node = parser.choice(0)
    if parser.position < len(text):
        fault("unexpected )", text)
    return node, tuple(parser.names)


class _ExpressionParser:
    """The position in the expression, the current flags, the groups so far."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.flags: frozenset[str] = frozenset()
        """``imsU``: ignore case, ``^`` and ``$`` for lines, ``.`` for newlines, ungreedy."""
        self.names = [""]
        self.repeated_at = -1

    def at(self, start: str) -> bool:
        return self.text.startswith(start, self.position)

    def choice(self, depth: int) -> Node:
        """Parse up to the end of the expression or group."""
        if depth > _MOST_DEPTH:
            raise FunctionError(f"error parsing regexp: expression nests too deeply: `{self.text}`")
        branches: list[list[Node]] = [[]]
        while self.position < len(self.text) and not self.at(")"):
            if self.at("|"):
                self.position += 1
                branches.append([])
                self.repeated_at = -1
            else:
                self.piece(branches[-1], depth)
        nodes = tuple(branch[0] if len(branch) == 1 else Sequence(tuple(branch)) for branch in branches)
        return nodes[0] if len(nodes) == 1 else Choice(nodes)

    def piece(self, branch: list[Node], depth: int) -> None:
        """Parse one node, or an operator that repeats the previous one."""
        start = self.position
        letter = self.text[start]
        counts = _OPERATORS.get(letter) or self.counts()
        if counts is not None:
            self.repeat(branch, start, *counts)
            self.repeated_at = start if self.repeated_at < 0 else self.repeated_at
            return
        self.repeated_at = -1
        if letter == "(":
            self.group(branch, depth)
        elif letter == "[":
            branch.append(self.character_class())
        elif letter == "\\":
            self.escaped(branch)
        else:
            self.position += 1
            branch.append(self.plain(letter))

    def plain(self, letter: str) -> Node:
        if letter == "^":
            return Assertion(nodes.PLACES["(?m)^" if "m" in self.flags else "A"])
        if letter == "$":
            return Assertion(nodes.PLACES["(?m)$" if "m" in self.flags else "z"])
        if letter == ".":
            return nodes.ANY if "s" in self.flags else nodes.ANY_BUT_NEWLINE
        return self.literal(letter)

    def literal(self, rune: str) -> Node:
        return nodes.single(rune, fold="i" in self.flags)

    # Repetition.

    def counts(self) -> tuple[int, int | None] | None:
        """Return the counts of ``{2,5}``; None where the brace is a plain character."""
        match = _COUNTS.match(self.text, self.position)
        if match is None:
            return None
        least = int(match[1][:10])
        most = least if match[2] is None else None if match[3] is None else int(match[3][:10])
        limits = (least, most if most is not None else least)
        if max(limits) > _MOST_REPEATS or (most is not None and least > most):
            fault("invalid repeat count", match[0])
        return least, most

    def repeat(self, branch: list[Node], start: int, least: int, most: int | None) -> None:
        match = _COUNTS.match(self.text, start)
        self.position = match.end() if match else start + 1
        greedy = "U" not in self.flags
        if self.at("?"):
            self.position += 1
            greedy = not greedy
        if self.repeated_at >= 0:
            fault("invalid nested repetition operator", self.text[self.repeated_at : self.position])
        operator = self.text[start : self.position]
        if not branch:
            fault("missing argument to repetition operator", operator)
        branch[-1] = Repeat(node=branch[-1], least=least, most=most, greedy=greedy)
        if match and not may_repeat(branch[-1], _MOST_REPEATS):
            fault("invalid repeat count", operator)

    # Groups.

    def group(self, branch: list[Node], depth: int) -> None:
        flags = self.flags
        capture = self.opening()
        if capture is None:
            return
        node = self.choice(depth + 1)
        if not self.at(")"):
            fault("missing closing )", self.text)
        self.position += 1
        self.repeated_at = -1
        self.flags = flags
        branch.append(Capture(capture, node) if capture else node)

    def opening(self) -> int | None:
        """Return the number of a group that opens, 0 for one without; None for flags alone."""
        named = _NAMED.match(self.text, self.position)
        if named:
            if not _NAME.fullmatch(named[1]) or not named[0].endswith(">"):
                fault("invalid named capture", named[0])
            self.position = named.end()
            return self.numbered(named[1])
        if not self.at("(?"):
            self.position += 1
            return self.numbered("")
        return self.flagged()

    def numbered(self, name: str) -> int:
        self.names.append(name)
        return len(self.names) - 1

    def flagged(self) -> int | None:
        found = _FLAGS.match(self.text, self.position)
        assert found is not None  # noqa: S101 - an opening without flags matches, too
        self.position = found.end() + 1
        closing = self.text[found.end() : self.position]
        if closing not in (":", ")") or found[2] == "":
            fault("invalid or unsupported Perl syntax", found[0] + closing)
        self.flags = self.flags.union(found[1]).difference(found[2] or "")
        return 0 if closing == ":" else None

    # Escapes.

    def escaped(self, branch: list[Node]) -> None:
        letter = self.text[self.position + 1 : self.position + 2]
        if letter in nodes.PLACES:
            self.position += 2
            branch.append(Assertion(nodes.PLACES[letter]))
        elif letter == "C":
            fault("invalid escape sequence", "\\C")
        elif letter == "Q":
            raw, _, _ = self.text[self.position + 2 :].partition("\\E")
            self.position = min(self.position + 4 + len(raw), len(self.text))
            branch.extend(map(self.literal, raw))
        elif (item := self.class_escape()) is not None:
            branch.append(CharacterClass(items=(item,)))
        else:
            branch.append(self.literal(self.rune_escape()))

    def class_escape(self) -> ClassItem | None:
        r"""Parse ``\d``, ``\pL`` and the like, if they come next."""
        letter = self.text[self.position + 1 : self.position + 2] if self.at("\\") else ""
        if letter in ("p", "P"):
            return self.unicode_class(letter == "P")
        ranges = _PERL.get(letter.lower())
        if ranges is None:
            return None
        self.position += 2
        return ClassItem(ranges=ranges, negated=letter.isupper(), fold="i" in self.flags)

    def unicode_class(self, negated: bool) -> ClassItem | None:  # noqa: FBT001 - private
        start = self.position
        name = self.text[start + 2 : start + 3]
        end = start + 2 + len(name)
        if name == "{":
            closing = self.text.find("}", start)
            if closing < 0:
                fault("invalid character class range", self.text[start:])
            name, end = self.text[start + 3 : closing], closing + 1
        if name.startswith("^"):
            name, negated = name[1:], not negated
        self.position = end
        item = _category(name, self.text[start:end])
        return replace(item, negated=item.negated != negated, fold="i" in self.flags)

    def rune_escape(self) -> str:
        """Parse an escape that stands for one character."""
        start = self.position
        self.position += 2
        letter = self.text[start + 1 : start + 2]
        if not letter:
            fault("trailing backslash at end of expression", "")
        if letter in _CONTROLS:
            return _CONTROLS[letter]
        if letter == "x":
            return self.hexadecimal(start)
        octal = _OCTAL.match(self.text, start + 1)
        if octal:
            self.position = octal.end()
            return chr(int(octal[0], 8))
        if not letter.isascii() or letter.isalnum():
            fault("invalid escape sequence", self.text[start : self.position])
        return letter

    def hexadecimal(self, start: int) -> str:
        braced = _BRACED_DIGITS.match(self.text, self.position)
        if braced:
            self.position = braced.end() + 1
            if not braced[1] or self.text[braced.end() : self.position] != "}":
                fault("invalid escape sequence", self.text[start : self.position])
            return chr(int(braced[1], 16))
        digits = self.text[self.position : self.position + 2]
        self.position += len(digits)
        if not _TWO_DIGITS.fullmatch(digits):
            fault("invalid escape sequence", self.text[start : self.position])
        return chr(int(digits, 16))

    # Classes.

    def character_class(self) -> CharacterClass:
        start = self.position
        self.position += 1
        negated = self.at("^")
        self.position += negated
        items: list[ClassItem] = []
        first = True
        while first or not self.at("]"):
            first = False
            items.append(self.posix_class() or self.class_escape() or self.range(start))
        self.position += 1
        return CharacterClass(items=tuple(items), negated=negated)

    def posix_class(self) -> ClassItem | None:
        end = self.text.find(":]", self.position + 2)
        if not self.at("[:") or end < 0:
            return None
        written = self.text[self.position : end + 2]
        name = self.text[self.position + 2 : end]
        ranges = nodes.POSIX.get(name.removeprefix("^"))
        if ranges is None:
            fault("invalid character class range", written)
        self.position = end + 2
        return ClassItem(ranges=ranges, negated=name.startswith("^"), fold="i" in self.flags)

    def range(self, class_start: int) -> ClassItem:
        start = self.position
        low = self.class_rune(class_start)
        high = low
        if self.at("-") and self.position + 1 < len(self.text) and self.text[self.position + 1] != "]":
            self.position += 1
            high = self.class_rune(class_start)
            if high < low:
                fault("invalid character class range", self.text[start : self.position])
        return ClassItem(ranges=((low, high),), fold="i" in self.flags)

    def class_rune(self, class_start: int) -> str:
        if self.position >= len(self.text):
            fault("missing closing ]", self.text[class_start:])
        if self.at("\\"):
            return self.rune_escape()
        self.position += 1
        return self.text[self.position - 1]


def _category(name: str, written: str) -> ClassItem:
    spelled = name[:1].upper() + name[1:].lower()
    if spelled == "Any":
        return ClassItem(ranges=nodes.EVERY)
    if spelled == "Ascii":
        return ClassItem(ranges=nodes.POSIX["ascii"])
    if spelled == "Assigned":
        return ClassItem(category="Cn", negated=True)
    if spelled == "Lc":
        return ClassItem(category="LC")
    if name.replace("_", "").lower() in _SCRIPTS:
        raise FunctionError(f"scripts are not available in regular expressions here: {written}")
    if spelled not in nodes.CATEGORIES:
        fault("invalid character class range", written)
    return ClassItem(category=spelled)
