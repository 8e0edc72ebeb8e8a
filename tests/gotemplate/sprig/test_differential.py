"""Random calls of sprig's functions, answered by sprig itself and by us."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from injector.golang.strconv import quote
from injector.gotemplate.sprig import UNAVAILABLE, functions
from injector.injection.dot.functions.encoding import decode, encode
from tests.gotemplate.questions import (
    STRINGS,
    agree,
    fully,
    maps,
    operands,
    stored,
)
from tests.oracle import BATCH, IS_FULL

SPRIG = dict(functions(encode, decode))
SPRIG.pop("indent")  # the reference program has Istio's in its place
NAMES = sorted(
    SPRIG.keys()
    - UNAVAILABLE.keys()
    - {"keys", "values"}  # random order in Go
    - {"sortAlpha"}  # sorts its argument in place in Go
)
SMALL = (0, 1, 2, 3, -1, -2, 5, 7, 10, 100)
EXPRESSIONS = (
    *("a", "a*", "(a)(b)?", "[a-c]+", "^a", "c$", r"\s+", "(?i)ABC", r"(\w+)-(\w+)", "", "x*", "[", "a{2}"),
    *("(a|ab)(c|bcd)", r"\d+", "(?P<n>b)", "[^a-z]", ".", ",", r"\b", "a**", "(", "b|", r"\pL+", "(?s).+"),
    *(
        "(?m)^x$",
        "é",
        "(a*)*",
        "(a|b*)*?c",
        "[[:upper:]]+",
        r"(?U)a+",
        r"\Q.\E",
        r"(?i)[k-s]+",
        r"\x{e9}",
        ")",
    ),
)
TEMPLATES = ("X", "$1", "${1}y", "$n", "$$", "$", "${n}-$2", "$1x", "", "$9", "${", "a$")


@st.composite
def arguments(draw, name: str, place: int, kind: str, data):
    if kind == "string":
        if "egex" in name:
            return quote(draw(st.sampled_from(EXPRESSIONS if place == 0 else STRINGS + TEMPLATES)))
        return quote(draw(st.sampled_from(STRINGS)))
    if kind == "int":
        return str(draw(st.sampled_from(SMALL)))
    if kind == "float64":
        return draw(st.sampled_from(["0.5", "0.7", "1.0", "0.0"]))
    if kind == "bool":
        return draw(st.sampled_from(["true", "false", '(eq "a" "a")']))
    if kind == "map[string]interface {}":
        return stored(data, draw(maps)) if draw(st.integers(0, 19)) else '(index . "nothing")'
    return draw(operands(data))


@st.composite
def calls(draw, names=NAMES):
    data = {}
    name = draw(st.sampled_from(names))
    function = SPRIG[name]
    count = len(function.params)
    if function.variadic:
        count += draw(st.integers(-1, 2))
    given_ = [
        draw(arguments(name, place, function.param(place).name, data)) for place in range(max(count, 0))
    ]
    call = " ".join([name, *given_])
    after = draw(st.sampled_from(["", "", "", "", "", ' | printf "%#v"', " | toJson", " | typeOf"]))
    if name == "semver" and "%#v" in after:  # fields of its own that nothing else shows
        after = ""
    return "{{ " + call + after + " }}", data


@fully
@given(st.lists(calls(), min_size=BATCH, max_size=BATCH))
def test_random_calls_are_answered_as_sprig_answers_them(ask_go_json, batch):
    agree(ask_go_json, batch, SPRIG)


GROUPS = {
    "versions": ["semver", "semverCompare"],
    "expressions": [name for name in NAMES if "egex" in name],
    "merges": ["merge", "mergeOverwrite", "mustMerge", "mustMergeOverwrite", "set", "unset", "dig"],
    "words": [
        "camelcase",
        "kebabcase",
        "snakecase",
        "title",
        "untitle",
        "swapcase",
        "wrap",
        "wrapWith",
        "initials",
    ],
    "addresses": ["urlParse", "urlJoin"],
    "numbers": [
        "add",
        "sub",
        "mul",
        "div",
        "mod",
        "int",
        "float64",
        "round",
        "divf",
        "addf",
        "atoi",
        "toDecimal",
    ],
}


@pytest.mark.parametrize("group", GROUPS)
@fully
@given(data=st.data())
def test_calls_of_one_kind_are_answered_as_sprig_answers_them(ask_go_json, group, data):
    count = BATCH if IS_FULL else 40
    batch = data.draw(st.lists(calls(GROUPS[group]), min_size=count, max_size=count))
    agree(ask_go_json, batch, SPRIG)


versions = st.from_regex(r"v?[0-3](\.[0-2](\.[0-2])?)?(-(a|b|1|a\.1|01))?(\+m)?", fullmatch=True)
constraint = st.from_regex(
    r"(|=|!=|>|<|>=|=>|<=|=<|~|~>|\^) ?v?([0-2x*])(\.[0-2x*](\.[0-2xX*])?)?(-(a|b|1))?", fullmatch=True
)
constraints = st.lists(constraint, min_size=1, max_size=3).flatmap(
    lambda parts: st.sampled_from([", ", " ", " || ", ",", " - "]).map(lambda between: between.join(parts))
)


@fully
@given(st.lists(st.tuples(constraints, versions), min_size=BATCH, max_size=BATCH))
def test_random_versions_are_compared_as_sprig_compares_them(ask_go_json, batch):
    agree(ask_go_json, [(f"{{{{ semverCompare {quote(c)} {quote(v)} }}}}", {}) for c, v in batch], SPRIG)


atoms = st.sampled_from(
    [
        "a",
        "b",
        "c",
        ".",
        "[ab]",
        "[^b]",
        "^",
        "$",
        r"\b",
        "(?:)",
        r"\w",
        r"\s",
        "é",
        "\\n",
        "[[:digit:]1]",
        r"\PL",
    ]
)
expressions = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        inner.map(lambda e: f"({e})"),
        st.tuples(inner, inner).map("|".join).map(lambda e: f"(?:{e})"),
        st.tuples(
            inner, st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "{0,}", "*?", "+?", "??", "{,2}"])
        ).map("".join),
        st.tuples(st.sampled_from(["(?i)", "(?s)", "(?m)", "(?U)", "(?i:", "(?-s:", "(?P<n>"]), inner).map(
            lambda pair: "".join(pair) + ")" * (not pair[0].endswith(")"))
        ),
    ),
    max_leaves=7,
)
texts = st.text(alphabet="aAbBcé 1\n", max_size=8)


@fully
@given(st.lists(st.tuples(expressions, texts, texts), min_size=BATCH, max_size=BATCH))
def test_random_expressions_match_what_go_matches(ask_go_json, batch):
    pairs = []
    for expression, text, replacement in batch:
        first, second = quote(expression), quote(text)
        pairs.append((f"{{{{ mustRegexFindAll {first} {second} -1 | toJson }}}}", {}))
        pairs.append((f"{{{{ mustRegexReplaceAll {first} {second} {quote('<$1|$n>' + replacement)} }}}}", {}))
        pairs.append((f"{{{{ mustRegexSplit {first} {second} 3 | toJson }}}}", {}))
    agree(ask_go_json, pairs, SPRIG)
