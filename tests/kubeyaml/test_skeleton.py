from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from injector.errors import YAMLError
from injector.kubeyaml import Skeleton, load
from injector.kubeyaml.filler import UnsafeValueError
from injector.kubeyaml.skeleton import Untrusted
from injector.kubeyaml.survey import Role
from injector.rendering import Quoted
from tests.oracle import thorough

from .generators import HOLE, benign_values, hostile_values, templates

properties = thorough(full=4000, quick=100)


def is_compiled(built: Skeleton) -> bool:
    """Return whether fills need no parser as long as the values are safe."""
    return built.tree is not None


def skeleton(template: str) -> Skeleton:
    return Skeleton(tuple(template.split(HOLE)))


def fill_safely(built: Skeleton, values: Sequence[str]) -> Any:
    scalars = built.scalars(values)
    return built.parsed(values) if built.tree is None else built.built(scalars)


def fill(built: Skeleton, values: Sequence[str], untrusted: Untrusted = "scalar") -> Any:
    try:
        return fill_safely(built, values)
    except UnsafeValueError:
        return built.fill_unsafely(values, untrusted)


def joined(template: str, values: Sequence[str]) -> str:
    strings = template.split(HOLE)
    return "".join(string + value for string, value in zip(strings, [*values, ""], strict=True))


def typed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: typed(child) for key, child in value.items()}
    if isinstance(value, list):
        return [typed(child) for child in value]
    return (type(value), value)


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: shape(child) for key, child in value.items()}
    if isinstance(value, list):
        return [shape(child) for child in value]
    return "scalar"


@pytest.mark.parametrize(
    ("template", "values", "expected"),
    [
        ("a: □", ["15020"], {"a": 15020}),
        ("a: □", [""], {"a": None}),
        ("a: □", ["yes"], {"a": True}),
        ("a: □", ["1e3"], {"a": 1000}),
        ("a: x□", ["5"], {"a": "x5"}),
        ("a: 1□", ["5"], {"a": 15}),
        ("a: □:□", ["h", "80"], {"a": "h:80"}),
        ("a: □", ["-5"], {"a": -5}),
        ("- □\n- □", ["", "b"], [None, "b"]),
        ("□", ["x"], "x"),
        ("□", [""], None),
        ('a: "□"', ["15020"], {"a": "15020"}),
        ('a: "x□y"', [""], {"a": "xy"}),
        ('a: "x\\n□"', ["y"], {"a": "x\ny"}),
        ("a: '□'", ["x"], {"a": "x"}),
        ("a: 'it''s □'", ["x"], {"a": "it's x"}),
        ("a: |\n  x□\n  □y\n", ['{"k": "v"}', "z"], {"a": 'x{"k": "v"}\nzy\n'}),
        ("a: >-\n  x□\n  □y\n", ["'", "z"], {"a": "x' zy"}),
        ("a: [□, □]", ["1", "b"], {"a": [1, "b"]}),
        ("a: {b: □}", [""], {"a": {"b": None}}),
        ("□: 1", ["yes"], {"true": 1}),
        ("□: 1", ["0x1f"], {"31": 1}),
        ('"□": 1', ["yes"], {"yes": 1}),
        ("a: 1 # □", ["comment"], {"a": 1}),
        ("# □\na: 1", ["comment"], {"a": 1}),
        ("a: x\n  □ z", ["y"], {"a": "x y z"}),
        ('a: "x\n  □ z"', ["y"], {"a": "x y z"}),
        ("a: 1\nb: 2", [], {"a": 1, "b": 2}),
        ("", [], None),
        ("a: □\na: □", ["1", "2"], {"a": 2}),
        ("? □\n: 1", ["x"], {"x": 1}),
        ("- a: □\n- b", ["x"], [{"a": "x"}, "b"]),
        ("a: □\n---\nb: 1", ["x"], {"a": "x"}),
        ('a: "□"', [Quoted('\\"x\\" \\\\ \\u00ad\\x01', '"x" \\ \u00ad\x01')], {"a": '"x" \\ \u00ad\x01'}),
        ('a: "□□□□□"', ["1", "2", "3", "4", "5"], {"a": "12345"}),
    ],
)
def test_safe_values_mean_what_yaml_makes_of_them(template: str, values: list[str], expected: Any) -> None:
    built = skeleton(template)
    assert is_compiled(built)
    assert typed(fill_safely(built, values)) == typed(expected) == typed(load(joined(template, values)))
    assert typed(fill(built, values, "text")) == typed(fill(built, values, "scalar")) == typed(expected)


@pytest.mark.parametrize(
    ("template", "values", "expected"),
    [
        ("a: □", ["b: c"], {"a": "b: c"}),
        ("a: □", ["b\nc: d"], {"a": "b\nc: d"}),
        ("a: □", ["[b"], {"a": "[b"}),
        ("a: □", ["b # c"], {"a": "b # c"}),
        ("a: □", [" b "], {"a": " b "}),
        ("a: □", ["- b"], {"a": "- b"}),
        ("a: □", ["b:"], {"a": "b:"}),
        ("a: □", ["---"], {"a": "---"}),
        ("a: □", [".inf"], {"a": ".inf"}),
        ("a: □", ["*b"], {"a": "*b"}),
        ("a: x □", ["# c"], {"a": "x # c"}),
        ("a: [□]", ["b, c"], {"a": ["b, c"]}),
        ("a: [□]", [""], {"a": [""]}),
        ("a: {b: □}", ["c}"], {"a": {"b": "c}"}}),
        ('a: "□"', ['b"\nc: "d'], {"a": 'b"\nc: "d'}),
        ('a: "□"', ["b\\"], {"a": "b\\"}),
        ('a: "x□"', [Quoted("\\xff\\x00", "\udcff\x00")], {"a": "x\ufffd\x00"}),
        ("a: '□'", ["b'"], {"a": "b'"}),
        ("a: |\n  □\nb: 1\n", ["x\nc: d"], {"a": "x\nc: d\n", "b": 1}),
        ("a: |\n  □\n", [" x"], {"a": " x\n"}),
        ("a: |\n  □\n", [""], {"a": "\n"}),
        ("a: 1 # □\n", ["\nb: 2"], {"a": 1}),
        ("□: 1", ["<<"], {"<<": 1}),
        ("□: 1", [""], {"": 1}),
        ("□: 1", ["null"], {"null": 1}),
        ("□: 1", ["k" * 2000], {"k" * 2000: 1}),
        ('"□": 1', ["k" * 2000], {"k" * 2000: 1}),
        ('"□": 1', [Quoted('\\"', '"')], {'"': 1}),
        ('a: "x\n  □"', [" y"], {"a": "x  y"}),
        ("a: x\n  □", ["--- y"], {"a": "x --- y"}),
    ],
)
def test_an_unsafe_value_is_the_string_that_was_meant(
    template: str, values: list[str], expected: Any
) -> None:
    built = skeleton(template)
    assert is_compiled(built)
    with pytest.raises(UnsafeValueError):
        fill_safely(built, values)
    assert typed(fill(built, values)) == typed(expected)


@pytest.mark.parametrize(
    ("template", "values", "expected"),
    [
        ("a: □", ["{b: c}"], {"a": {"b": "c"}}),
        ("a: □", ["1\nb: 2"], {"a": 1, "b": 2}),
        ('a: "□"', ["b\\n"], {"a": "b\n"}),
        ('a: "□"', ['b"\nc: "d'], {"a": "b", "c": "d"}),
        ("a: [□]", [""], {"a": []}),
        ("a: 1 # □", ["\nb: 2"], {"a": 1, "b": 2}),
        ("a: □", [" b "], {"a": "b"}),
        ("□", ["a: 1"], {"a": 1}),
    ],
)
def test_in_text_mode_an_unsafe_value_is_parsed_as_go_parses_it(
    template: str, values: list[str], expected: Any
) -> None:
    assert fill(skeleton(template), values, "text") == expected


def test_in_text_mode_the_joined_text_may_be_refused() -> None:
    with pytest.raises(YAMLError, match="yaml: mapping values are not allowed in this context"):
        fill(skeleton("a: □"), ["b: c"], "text")


def test_renderings_share_what_has_no_holes() -> None:
    built = skeleton("a: {b: [1, 2]}\nc: □\nd: [{e: f}]\n")
    first, second = fill(built, ["x"]), fill(built, ["y"])
    assert first["a"] is second["a"]
    assert first["d"] is second["d"]
    assert first is not second


def test_a_value_that_is_a_subclass_of_str_does_not_get_into_the_json() -> None:
    value = Quoted("x", "x")
    filled = fill(skeleton('a: "□"\nb: □\nc: |\n  □\nd: "□\n  x"\ne: [\'□\']\n"□": 1'), [value] * 6)
    assert {type(child) for child in filled.values()} == {str, list, int}
    assert type(filled["e"][0]) is str
    assert {type(key) for key in filled} == {str}


@pytest.mark.parametrize(
    ("template", "value", "expected"),
    [
        ("a: &x □\nb: *x", "q: r", {"a": "q: r", "b": "q: r"}),
        ("a: &x □\nb: *x", "15", {"a": 15, "b": 15}),
        ("m: &m {k: □}\no: {<<: *m}", "a, b: c", {"m": {"k": "a, b: c"}, "o": {"k": "a, b: c"}}),
        ("a: !!str □", "5", {"a": "5"}),
        ("a: !!str □", "[", {"a": "["}),
        ("- &x □\n- [*x, 1]", "[", ["[", ["[", 1]]),
        ("~: □", "x", None),
        ("a: [.inf]\nb: □", "x", None),
        ("a: &x □ # □\nb: 1", "\nc: 2", {"a": "\nc: 2", "b": 1}),
        ('&x a: "□"\n? [y]\n: 1', "x", None),
        ("18446744073709551615: □", "x", None),
        ("! 5: □", "x", {"5": "x"}),
    ],
)
def test_documents_that_need_the_exact_reader_are_as_safe(template: str, value: str, expected: Any) -> None:
    built = skeleton(template)
    assert not is_compiled(built)
    values = [value] * template.count(HOLE)
    if expected is None:
        with pytest.raises(YAMLError):
            fill(built, values)
    else:
        assert typed(fill(built, values)) == typed(expected)


@pytest.mark.parametrize(
    "template",
    [
        "a:\n□",
        "a: 1\n---\n□",
        "a: |□\n  x",
        "a: {□",
        '"\\x4□"',
        "a: [b?c, □]",
        "&□ a: 1",
        'a: "\\/"\nb: □',
        "\ufeffa: □",
    ],
)
def test_a_value_that_stands_in_no_scalar_may_be_a_word_only(template: str) -> None:
    built = skeleton(template)
    assert not is_compiled(built)
    with pytest.raises(YAMLError, match="is more than a word"):
        fill(built, ["x: y"])
    for word in ("2", ""):
        text = template.replace(HOLE, word)
        try:
            expected = load(text)
        except YAMLError as error:
            with pytest.raises(YAMLError, match=re.escape(str(error))):
                fill(built, [word])
        else:
            assert fill(built, [word]) == expected


def test_text_that_has_mark_characters_forges_no_mark() -> None:
    for text in ("\ue000", "\ue0000\ue000", "\\ue0000\\ue000", "\ue0001\ue000"):
        built = skeleton(f'a: "{text}"\nb: "□"\nc: "□"')
        expected = load(f'"{text}"')
        assert fill(built, ["x", "y"]) == {"a": expected, "b": "x", "c": "y"}
        assert fill(built, ['"', "y"]) == {"a": expected, "b": '"', "c": "y"} or not is_compiled(built)


def test_a_text_that_uses_every_private_character_is_parsed_each_time() -> None:
    everything = "".join(map(chr, range(0xE000, 0xF900)))
    built = skeleton(f"a: {everything}□")
    assert not is_compiled(built)
    assert fill(built, ["x"]) == {"a": f"{everything}x"}


def test_only_the_unsafe_values_of_such_documents_are_put_in_as_strings() -> None:
    assert fill(skeleton("a: &x □\nb: □\nc: *x"), ["5", "["]) == {"a": 5, "b": "[", "c": 5}


def test_values_that_use_every_private_character_are_refused_where_words_have_to_stand_in() -> None:
    with pytest.raises(YAMLError, match="use every character of Unicode's private area"):
        fill(skeleton("a: &x □"), ["[" + "".join(map(chr, range(0xE000, 0xF900)))])


def test_deep_templates_are_refused_as_deep_text_is() -> None:
    with pytest.raises(YAMLError, match="exceeded max depth"):
        fill(skeleton("[" * 65 + HOLE + "]" * 65), ["x"])


def test_one_long_lived_memory_of_plain_texts_stays_bounded() -> None:
    built = skeleton("a: □")
    for number in range(5000):
        assert fill(built, [f"v{number}"]) == {"a": f"v{number}"}
    assert fill(built, ["v" * 100]) == {"a": "v" * 100}


@pytest.mark.slow
@given(
    template=templates, values=st.lists(st.one_of(benign_values, hostile_values), min_size=24, max_size=24)
)
@example(template="a:\n  □", values=["b: c"] + ["x"] * 23)
@properties
def test_safe_fills_equal_what_the_parser_reads(template: str, values: list[str]) -> None:
    values = values[: template.count(HOLE)]
    built = skeleton(template)
    if len(values) != template.count(HOLE):
        return
    try:
        filled = fill_safely(built, values)
    except UnsafeValueError:
        return
    except YAMLError as error:
        with pytest.raises(YAMLError, match=re.escape(str(error))):
            load(joined(template, values))
        return
    assert typed(filled) == typed(load(joined(template, values)))


@pytest.mark.slow
@given(template=templates, values=st.lists(hostile_values, min_size=24, max_size=24))
@properties
def test_text_mode_equals_what_the_parser_reads(template: str, values: list[str]) -> None:
    values = values[: template.count(HOLE)]
    if len(values) != template.count(HOLE):
        return
    try:
        expected = load(joined(template, values))
    except YAMLError:
        with pytest.raises(YAMLError):
            fill(skeleton(template), values, "text")
    else:
        assert typed(fill(skeleton(template), values, "text")) == typed(expected)


@pytest.mark.slow
@given(
    template=templates,
    values=st.lists(hostile_values, min_size=24, max_size=24),
    benign=st.lists(st.sampled_from(["qa", "qb", "q7"]), min_size=24, max_size=24),
)
@properties
def test_no_value_changes_the_shape(template: str, values: list[str], benign: list[str]) -> None:
    built = skeleton(template)
    holes = template.count(HOLE)
    has_keys = any(slot.role is Role.KEY for slot in built.slots)
    if not is_compiled(built) or holes > len(values) or has_keys:
        return
    assert shape(fill(built, values[:holes])) == shape(fill(built, benign[:holes]))


@given(
    prefix=st.sampled_from(["", "a", "a-", "b c ", "1"]),
    value=hostile_values,
    suffix=st.sampled_from(["", "z", ".z", " y", "2"]),
    quotes=st.sampled_from([("", ""), ('"', '"'), ("'", "'"), ("[", "]"), ("|-\n  ", "")]),
)
@properties
def test_an_unsafe_scalar_is_prefix_value_suffix(
    prefix: str, value: str, suffix: str, quotes: tuple[str, str]
) -> None:
    built = skeleton(f"- {quotes[0]}{prefix}{HOLE}{suffix}{quotes[1]}\n- end")
    assert is_compiled(built)
    try:
        fill_safely(built, [value])
    except UnsafeValueError:
        meant = f"{prefix}{value}{suffix}".replace("\ud800", "\ufffd")
        assert fill(built, [value]) == [[meant] if quotes[0] == "[" else meant, "end"]


def test_no_text_is_a_constant_of_compiled_code_since_python_may_never_free_it() -> None:
    """CPython from 3.12 on keeps those that look like identifiers for ever."""
    made = Skeleton(("word: text\nlist: [item, ", "]\nkey", ": 'more", "'\nempty: ''\n"))
    assert fill(made, ("a", "b", "c")) == {
        "word": "text", "list": ["item", "a"], "keyb": "morec", "empty": ""
    }  # fmt: skip
    for compiled in (made._read, made._build):
        assert compiled is not None
        assert [const for const in compiled.__code__.co_consts if isinstance(const, str) and const] == []
