"""Hypothesis strategies for YAML as people and attackers write it, and for JSON."""

from __future__ import annotations

from hypothesis import strategies as st

WORDS = [
    *[
        "a",
        "b c",
        "x",
        "yes",
        "No",
        "on",
        "y",
        "~",
        "null",
        "true",
        "1",
        "017",
        "0o17",
        "08",
        "0x1f",
        "0b11",
        "1_000",
    ],
    *[
        "1e3",
        "1.5",
        ".5",
        "-.5",
        "._1",
        ".1_0",
        "+1",
        "-0",
        "-0.0",
        "1:30",
        "12:30:45",
        "2001-01-01",
        "=",
        "<<",
        ".inf",
    ],
    *[
        "2001-1-2 3:4:5.6",
        "2001-02-30",
        "2001-01-01T1:2:3Z",
        "9223372036854775808",
        "18446744073709551616",
        "1e400",
    ],
    *[
        "é",
        "😀",
        "http://h:80/x?y=z",
        "a?b",
        "0b-1",
        "-0b1",
        "1.",
        "0x",
        "1__0",
        "9007199254740993",
        "longer words here",
    ],
]
SIGNS = [
    *[
        " ",
        "  ",
        "\n",
        "\n  ",
        "\n    ",
        "\n- ",
        "\n\n",
        "\t",
        "- ",
        "-",
        "? ",
        "?",
        ": ",
        ":",
        ", ",
        "[",
        "]",
        "{",
        "}",
    ],
    *[
        '"',
        "'",
        "|",
        ">",
        "|-",
        ">+",
        "|2",
        "#",
        " #",
        "&a ",
        "*a",
        "!t ",
        "!!int ",
        "!!str ",
        "!!float ",
        "! ",
        "<<: ",
    ],
    *[
        "---",
        "\n---\n",
        "...",
        "\n...\n",
        "%YAML 1.1\n---\n",
        "%",
        "@",
        "`",
        "\\",
        "\\n",
        "\\/",
        "\\x41",
        "\\u00e9",
    ],
    *[
        "\u2028",
        "\x85",
        "\r\n",
        "\r",
        "k: ",
        "k2: ",
        "\nk: ",
        "\nk2: ",
        "{a: ",
        "[a, ",
        "!!binary aGk=",
        "\x01",
        "a:,",
    ],
]

scalars = st.one_of(
    st.sampled_from(WORDS),
    st.from_regex(r"[-+]?(0[xXoObB]?)?[0-9a-f_]{0,6}(\.[0-9_]{0,3})?([eE][-+]?[0-9]{1,3})?", fullmatch=True),
    st.from_regex(
        r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([tT ][0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}([.,][0-9]{1,3})?(Z|[-+][0-9:]{5})?)?",
        fullmatch=True,
    ),
    st.from_regex(r"[-+]?[.](inf|Inf|INF|nan|NaN|NAN)", fullmatch=True),
)

soup = st.lists(st.sampled_from(WORDS + SIGNS), min_size=1, max_size=14).map("".join)
"""Text that is mostly not YAML."""

_values = st.one_of(
    st.sampled_from(WORDS),
    st.sampled_from(
        ['"q"', "'s'", '"a\\nb"', "[a, b]", "{a: 1, b: [c]}", '{"a": "b"}', "&a v", "*a", "&a {x: 1}", "!t v"]
    ),
    st.sampled_from(
        [
            "|\n        lit\n",
            ">-\n        fo\n        ld\n",
            "a\n        go on",
            '"q\n        on"',
            "!!str 5",
            "",
        ]
    ),
)
_keys = st.sampled_from(
    ["a", "b", "c", "1", "yes", '"q"', "<<", "1.5", "0x1f", "1e3", "&a k", "!!str 5", "'s'", "k l", "~"]
)


def _block(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    child = st.one_of(_values.map(" {}".format), children.map(_indented))
    mapping = st.lists(st.tuples(_keys, child), min_size=1, max_size=4).map(
        lambda pairs: "\n".join(f"{key}:{value}" for key, value in pairs)
    )
    sequence = st.lists(child, min_size=1, max_size=4).map(
        lambda items: "\n".join(f"-{item}" for item in items)
    )
    return st.one_of(mapping, sequence)


def _indented(text: str) -> str:
    return "\n" + "\n".join("  " + line for line in text.split("\n"))


blocks = st.recursive(_values, _block, max_leaves=8)
"""Text that is mostly YAML."""


@st.composite
def documents(draw: st.DrawFn) -> str:
    """Blocks, some of them with a few characters changed."""
    text = draw(blocks)
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        start = draw(st.integers(0, len(text)))
        text = (
            text[:start]
            + draw(st.sampled_from(WORDS + SIGNS))
            + text[start + draw(st.sampled_from([0, 1])) :]
        )
    return text


_pieces = [
    *WORDS,
    *SIGNS,
    "word",
    "wörd",
    "word word",
    "\x7f",
    "\ufeff",
    "\xa0",
    "\x00",
    "<&>",
    "\b",
    "\f",
    "\u2029",
]
strings = st.lists(st.sampled_from(_pieces), max_size=8).map("".join)
long_strings = st.lists(
    st.sampled_from([*_pieces, *["word ", "longer ", "  "] * 10]), min_size=15, max_size=40
).map("".join)
numbers = st.one_of(
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(-1e7, 1e7),
    st.sampled_from([1e20, 1e21, 1e-6, 1e-7, 123456.0, 1234567.0, 0.1]),
)
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, strings, long_strings),
    lambda children: st.one_of(
        st.lists(children, max_size=4),
        st.dictionaries(
            st.one_of(strings, st.from_regex(r"[a-c0-9_.-]{0,4}", fullmatch=True)), children, max_size=5
        ),
    ),
    max_leaves=12,
)


HOLE = "\N{WHITE SQUARE}"
"""Where a template has a hole; no part of a template has this character otherwise."""

_inline = st.lists(
    st.sampled_from([HOLE, HOLE, "a", "-", ".", "b", " ", "x", "/", ":", "1", "#"]), min_size=1, max_size=4
)
_plain = _inline.map("".join)
_quoted = st.one_of(
    _plain.map('"{}"'.format),
    _plain.map("'{}'".format),
    _plain.map(lambda text: '"' + text.replace("x", "\\n") + '"'),
    _plain.map(lambda text: '"' + text.replace("x", "\n         ") + '"'),
    _plain.map(lambda text: "'" + text.replace("x", "''") + "'"),
)
_lines = st.lists(
    st.sampled_from([HOLE, HOLE + "x", "x" + HOLE, " " + HOLE, "y", ""]), min_size=1, max_size=3
)
_block_scalar = st.tuples(st.sampled_from(["|", "|-", "|+", ">", ">-", "|2"]), _lines).map(
    lambda parts: parts[0] + "".join("\n          " + line for line in parts[1])
)
_flow = st.recursive(
    st.one_of(_plain, _quoted),
    lambda children: st.one_of(
        st.lists(children, max_size=3).map(lambda items: "[" + ", ".join(items) + "]"),
        st.dictionaries(_quoted | _plain, children, max_size=2).map(
            lambda pairs: "{" + ", ".join(f"{key}: {value}" for key, value in pairs.items()) + "}"
        ),
    ),
    max_leaves=4,
)
_inline_value = st.one_of(_plain, _quoted, _flow, _block_scalar, st.just("v"), st.just(HOLE))
_comment = st.sampled_from(["", "", "", f" # {HOLE}"])


def _template_block(keys: st.SearchStrategy[str], children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    child = st.one_of(
        st.tuples(_inline_value, _comment).map(lambda parts: " " + "".join(parts)), children.map(_indented)
    )
    mapping = st.lists(st.tuples(keys, child), min_size=1, max_size=3).map(
        lambda pairs: "\n".join(f"{key}:{value}" for key, value in pairs)
    )
    sequence = st.lists(child, min_size=1, max_size=3).map(
        lambda items: "\n".join(f"-{item}" for item in items)
    )
    return st.one_of(mapping, sequence)


_static_keys = st.sampled_from(["a", "b", "c", '"d"', "yes", "1.5"])
templates = st.recursive(
    _inline_value, lambda children: _template_block(_static_keys | _plain | _quoted, children), max_leaves=6
)
"""YAML with holes, in keys too."""

benign_values = st.sampled_from(
    ["a", "web-1", "15020", "yes", "x.y/z", "istio-proxy", "0", "foo_bar", "8.5", "null", "~a"]
)
hostile_values = st.lists(
    st.sampled_from(
        [
            *WORDS,
            *SIGNS,
            "\x07",
            "\x00",
            "#c",
            " # c",
            "x: y",
            ", ",
            "]",
            "}",
            "\n---\n",
            "x" * 600,
            "",
            "\ud800",
        ]
    ),
    max_size=4,
).map("".join)
