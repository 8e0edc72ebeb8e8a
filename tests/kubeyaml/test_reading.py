from __future__ import annotations

import gc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from injector.errors import YAMLError
from injector.kubeyaml import Document, documents, load
from injector.kubeyaml.nodes import MAX_DEPTH
from injector.kubeyaml.reading import MAX_SIZE


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("# only a comment\n", None),
        ("---\n", None),
        ("---\n...\na: 1\n", None),
        ("a: 1\n---\nb: 2\n", {"a": 1}),
        ("a: 1\n...\n}", {"a": 1}),
        ("\ufeffa: 1", {"a": 1}),
        ("a: 1\r\nb: 2\r\n", {"a": 1, "b": 2}),
        ('{"a": [1, 2.5, true, null, "x\\u00e9\\n"]}', {"a": [1, 2.5, True, None, "xé\n"]}),
        ("a: 1\na: 2", {"a": 2}),
        ("yes: 1\n1: 2\n1.5: 3\n0x1f: 4\n1e3: 5\n2001-01-01: 6", {"true": 1, "1": 2, "1.5": 3, "31": 4, "1000": 5, "2001-01-01": 6}),
        ("a: |\n  x\n  y\nb: >-\n  x\n  y\n", {"a": "x\ny\n", "b": "x y"}),
        ("a: &x {b: 1}\nc: *x\nd: {<<: *x, e: 2}", {"a": {"b": 1}, "c": {"b": 1}, "d": {"b": 1, "e": 2}}),
        ("<<: [{a: 1}, {a: 2, b: 3}]", {"a": 1, "b": 3}),
        ("x: 9\n<<: {x: 1}", {"x": 1}),
        ("<<: {x: 1}\nx: 9", {"x": 9}),
        ("a: !!binary aGk=", {"a": "hi"}),
        ("a: !!binary gIA=", {"a": "\ufffd\ufffd"}),
        ("a: !foo bar\nb: !foo [1]", {"a": "bar", "b": [1]}),
        ("*a : 1", YAMLError("yaml: unknown anchor 'a' referenced", line=1, column=1)),
        ('"<<": {a: 1}', {"<<": {"a": 1}}),
        ("! 12", "12"),
    ],
)  # fmt: skip
def test_a_text_reads_as_sigs_yaml_reads_it(text: str, value: Any) -> None:
    if isinstance(value, YAMLError):
        with pytest.raises(YAMLError) as caught:
            load(text)
        assert caught.value.args == value.args
    else:
        assert load(text) == value


@pytest.mark.parametrize(
    ("text", "reason", "line"),
    [
        ("a: b: c", "yaml: mapping values are not allowed in this context", 1),
        ("a:\n\tb: 1", "yaml: line 2: found character that cannot start any token", 2),
        ("k: a\n\tb: 1", "yaml: line 2: found a tab character that violates indentation", 2),
        ("a: 1\nb: [1\n", "yaml: line 2: did not find expected ',' or ']'", 3),
        ("a: \x07", "yaml: control characters are not allowed", 0),
        ("a: \x00", "yaml: control characters are not allowed", 0),
        ("a: .inf", "json: unsupported value: +Inf", 0),
        ("a: -.inf", "json: unsupported value: -Inf", 0),
        ("a: .nan", "json: unsupported value: NaN", 0),
        ("~: 1", "unsupported map key of type: %!s(<nil>), key: <nil>, value: 1", 0),
        (
            "18446744073709551615: x",
            'unsupported map key of type: uint64, key: 0xffffffffffffffff, value: "x"',
            0,
        ),
        ("? [a]\n: b", 'yaml: invalid map key: []interface {}{"a"}', 1),
        ("a: 1\nb: !!int x", "yaml: cannot decode !!str `x` as a !!int", 2),
        ("a: !!int x\nb: [\n", "yaml: line 2: did not find expected node content", 3),
        ("<<: 1", "yaml: map merge requires map or sequence of maps as the value", 1),
        ("&a [*a]", "yaml: anchor 'a' value contains itself", 1),
        ("a: &a {<<: *a}", "yaml: anchor 'a' value contains itself", 1),
        ("%YAML 1.2\n---\na", "yaml: found incompatible YAML document", 1),
        ("a: 1\nb: \udcff", "yaml: invalid leading UTF-8 octet", 0),
    ],
)
def test_a_refusal_names_its_place_in_gos_words(text: str, reason: str, line: int) -> None:
    with pytest.raises(YAMLError) as caught:
        load(text, source="values.yaml")
    assert (caught.value.reason, caught.value.line, caught.value.source) == (reason, line, "values.yaml")


def test_bytes_read_as_text_does() -> None:
    text = "a: é\n"
    assert load(text.encode()) == load(text.encode("utf-16")) == load(text) == {"a": "é"}


def test_bytes_that_are_no_utf8_are_refused() -> None:
    with pytest.raises(YAMLError, match="yaml: invalid trailing UTF-8 octet"):
        load(b"a: \xc3(")


def test_integral_floats_are_ints_while_they_fit_in_64_bits() -> None:
    numbers = load(
        "[1.0, 1e3, 9007199254740993.0, 1e18, 18446744073709551616, -0.0, 1.5, 1e300, -9223372036854775809]"
    )
    assert [(type(number), number) for number in numbers] == [
        (int, 1),
        (int, 1000),
        (int, 9007199254740992),
        (int, 10**18),
        (float, 2.0**64),
        (float, 0.0),
        (float, 1.5),
        (float, 1e300),
        (float, -(2.0**63)),
    ]


@pytest.mark.parametrize("text", ["[" * 60_000, "{a: " * 60_000, "- " * 60_000, "[" * 65 + "]" * 65])
def test_deep_nesting_is_refused_and_does_not_crash(text: str) -> None:
    with pytest.raises(YAMLError, match="exceeded max"):
        load(text)


def test_the_deepest_allowed_nesting_is_read() -> None:
    assert load("[" * MAX_DEPTH + "]" * MAX_DEPTH) == _nested([], MAX_DEPTH - 1)


def _nested(value: Any, levels: int) -> Any:
    for _ in range(levels):
        value = [value]
    return value


def test_a_chain_of_aliases_may_not_nest_deeper_than_text_may() -> None:
    links = "".join(f"- &a{n} [*a{n - 1}]\n" for n in range(1, 100))
    with pytest.raises(YAMLError, match="exceeded max depth"):
        load("- &a0 [x]\n" + links)


def test_an_alias_bomb_is_refused_by_yaml_v2s_rule() -> None:
    bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
    )
    with pytest.raises(YAMLError, match="document contains excessive aliasing"):
        load(bomb)


def test_aliases_share_one_subtree() -> None:
    value = load("a: &x {b: [1]}\nc: *x\n")
    assert value["a"] is value["c"]


def test_text_that_is_too_long_is_refused_unread() -> None:
    with pytest.raises(YAMLError, match="is longer than"):
        load("#" * (MAX_SIZE + 1))


def test_reading_leaves_no_reference_cycles() -> None:
    load("a: {b: [1, {c: d}]}\n")
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            load("a: {b: [1, {c: d}]}\n")
        assert gc.collect() == 0
    finally:
        gc.enable()


LINES = [
    "a: 1\n",
    "---\n",
    "--- # c\n",
    "\n",
    "\r\n",
    " ---\n",
    "b\n",
    "---\t\n",
    "# c\n",
    "---\r\n",
    "----x: 1\n",
]


def texts(text: str) -> list[str]:
    return [document.text for document in documents(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("a: 1\n", ["a: 1\n"]),
        ("a: 1\n---\nb: 2", ["a: 1\n", "b: 2"]),
        ("---\na: 1\n--- # next\nb: 2\n", ["---\na: 1\n", "b: 2\n"]),
        ("a\n---\n---\nb\n", ["a\n", "---\nb\n"]),
        ("---\n---\n", ["---\n"]),
        ("a\n---\n", ["a\n"]),
        ("a: |\n  ---\n", ["a: |\n  ---\n"]),
        ("a\r\n---\r\nb\r\n", ["a\r\n", "b\r\n"]),
    ],
)
def test_documents_end_at_separator_lines(text: str, expected: list[str]) -> None:
    assert texts(text) == expected


def test_a_separator_with_anything_but_a_comment_is_refused() -> None:
    found = documents("a: 1\n---\nb: 1\n--- x\n", source="app.yaml")
    assert next(found).text == "a: 1\n"
    with pytest.raises(YAMLError) as caught:
        next(found)
    assert str(caught.value) == "app.yaml:4: invalid Yaml document separator: x"
    with pytest.raises(YAMLError, match="invalid Yaml document separator"):
        texts("---\x1c\n")


def test_a_document_knows_its_line_separator_and_value() -> None:
    first, second = documents("a: 1\n--- # 2\nb: [1, 2]\n", source="app.yaml")
    assert first == Document(text="a: 1\n", line=1, separator="--- # 2\n", source="app.yaml")
    assert (second.line, second.separator, second.value) == (3, "", {"b": [1, 2]})
    assert second.value is second.value


def test_a_fault_in_a_document_names_the_line_of_the_file() -> None:
    _, second = documents("a: 1\n---\nb: 1\nc: [\n", source="app.yaml")
    with pytest.raises(YAMLError) as caught:
        _ = second.value
    assert (caught.value.line, caught.value.reason) == (5, "yaml: line 2: did not find expected node content")


def test_a_fault_without_a_place_keeps_none() -> None:
    _, second = documents("a: 1\n---\nb: .inf\n")
    with pytest.raises(YAMLError) as caught:
        _ = second.value
    assert caught.value.line == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a":1}\n{"b":2}\n\n{"c":3}', ['{"a":1}\n', '{"b":2}\n\n', '{"c":3}']),
        ('{"a":1}{"b":2}\n---\n{"c":3}', ['{"a":1}', '{"b":2}\n', '{"c":3}']),
        ('\n {"a":1} {"b": [}', ['\n {"a":1} ', '{"b": [}']),
        ('{"a":"} {"}\n', ['{"a":"} {"}\n']),
        ("{a: 1}\n{b: 2}\n", ["{a: 1}\n{b: 2}\n"]),
        ("a: '}'\nb: {}\n{}\n", ["a: '}'\nb: {}\n{}\n"]),
        (f'{{"a":{"9" * 5000}}}{{}}', [f'{{"a":{"9" * 5000}}}', "{}"]),
        (f'{{"a":{"[" * 200_000}}} {{}}', [f'{{"a":{"[" * 200_000}}} {{}}']),
    ],
    ids=["lines", "and separators", "the last broken", "in a string", "flow", "block", "digits", "deep"],
)
def test_objects_of_json_may_follow_one_another(text: str, expected: list[str]) -> None:
    assert texts(text) == expected


MORE = (
    "the document ends above, and what follows would be lost: "
    "delete it, or in a manifest put a line `---` before it"
)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\n...\nb: 2\n", 3),
        ("a: 1\n---\n---\n# more\nb: 2\n", 5),
        ('{"a": 1}\n}}}garbage [[[', 2),
        ('{"a": 1}\nfoo: [', 2),
        ("{a: 1}\n{b: 2}\n", 2),
        ("a: 1\n...\n}", 3),
        ("---\n...\na: 1\n", 3),
        ('a: "\\/"\n'.replace("\\/", "x\\\\/") + "...\nb: 2\n", 3),
    ],
)
def test_what_follows_a_document_that_stands_alone_is_refused(text: str, line: int) -> None:
    load(text)
    with pytest.raises(YAMLError) as caught:
        load(text, source="app.yaml", alone=True)
    assert str(caught.value) == f"app.yaml:{line}: {MORE}"


@pytest.mark.parametrize("end", ["", "...\n", "---\n", "# end\n...\n# end\n", "---\n---\n...\n"])
@pytest.mark.parametrize("text", ["a: 1\n", "? a\n: 1\n"])
def test_comments_and_empty_documents_may_follow(text: str, end: str) -> None:
    assert load(text + end, alone=True) == {"a": 1}


@given(st.lists(st.sampled_from(LINES), max_size=8).map("".join))
def test_texts_and_separators_are_the_file(text: str) -> None:
    try:
        parts = list(documents(text))
    except YAMLError:
        return
    assert "".join(part.text + part.separator for part in parts) == text
    assert all(text.split("\n")[part.line - 1 :] for part in parts)
