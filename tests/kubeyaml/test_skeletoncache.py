from __future__ import annotations

import gc
import threading
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from injector.errors import YAMLError
from injector.golang.jsontext import go_json
from injector.kubeyaml.skeleton import SkeletonCache, Untrusted
from injector.memo import Memo
from injector.rendering import Quoted, Rendering, Structured

from .generators import HOLE, benign_values, templates


def a_cache(entries: int, *, size: int = 64 << 20) -> SkeletonCache:
    return SkeletonCache(Memo(size, entries))


def rendering(name: str, value: str = "x") -> Rendering:
    return Rendering((f"{name}: ", "\n"), (value,))


def test_a_text_is_known_from_its_second_sight_on() -> None:
    cache = a_cache(8)
    for _ in range(4):
        assert cache.filled(rendering("a")).value == {"a": "x"}
    assert (cache.hits, cache.misses, len(cache.skeletons)) == (2, 2, 1)


def test_values_that_are_no_words_get_a_skeleton_at_first_sight() -> None:
    cache = a_cache(8)
    assert cache.filled(rendering("a", "b: c")).value == {"a": "b: c"}
    assert (cache.hits, cache.misses, cache.unsafe, len(cache.skeletons)) == (0, 1, 1, 1)
    assert cache.filled(rendering("a", "5")).value == {"a": 5}
    assert (cache.hits, cache.unsafe) == (1, 1)


def test_a_word_means_the_same_at_first_sight_and_later() -> None:
    cache = a_cache(8)
    filled = [cache.filled(Rendering(("a: .", ""), ("inf",))).value for _ in range(3)]
    assert filled == [{"a": ".inf"}] * 3


@pytest.mark.slow
@given(template=templates, values=st.lists(st.one_of(benign_values, st.just("")), min_size=24, max_size=24))
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck), database=None)
def test_the_first_sight_of_a_text_reads_as_all_later_ones(template: str, values: list[str]) -> None:
    strings = tuple(template.split(HOLE))
    if len(strings) > len(values):
        return
    cache = a_cache(8)
    answers = [_answer(cache, Rendering(strings, tuple(values[: len(strings) - 1]))) for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]


def test_a_line_of_a_serialiser_in_a_block_needs_no_skeleton_of_its_own() -> None:
    cache = a_cache(8)
    for number in range(4):
        made = Rendering(("a: |-\n  [", ",", "]\n"), (Structured(f'{{"port":{number}}}'), Structured("{}")))
        assert cache.filled(made).value == {"a": f'[{{"port":{number}}},{{}}]'}
    assert (cache.hits, cache.misses, len(cache.skeletons)) == (2, 2, 1)


@pytest.mark.parametrize("text", ['{"b": [1]}', "\n  b: 1", "", "1", "x # y", '"', "a\x85b", " b"])
@pytest.mark.parametrize("place", ["a: |\n  x\n  ", "a: ", 'a: "', "a: '", "a: [", "# ", "a: >\n  "])
def test_what_a_serialiser_made_is_text_wherever_else_it_stands(place: str, text: str) -> None:
    for end in ("\n", '"\n', "'\n", "]\n"):
        made = Rendering((place, end), (Structured(text),))
        for untrusted in ("text", "scalar"):
            cache = a_cache(8)
            answers = [_answer(cache, made, untrusted) for _ in range(3)]
            assert answers == [_answer(a_cache(8), made.inlined(), untrusted)] * 3


STRUCTURED = st.sampled_from(
    ['{"a":1}', "[]", "a: 1\nb: 2", "", "x", "\n", '"', "' #", "\x85", " a", "- 1", ": "]
)


@pytest.mark.slow
@given(
    template=templates,
    values=st.lists(st.one_of(benign_values, STRUCTURED.map(Structured)), min_size=24, max_size=24),
    untrusted=st.sampled_from(["text", "scalar"]),
)
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck), database=None)
def test_the_text_of_a_serialiser_reads_as_if_the_template_had_it(
    template: str, values: list[str], untrusted: Untrusted
) -> None:
    strings = tuple(template.split(HOLE))
    if len(strings) > len(values):
        return
    made, cache = Rendering(strings, tuple(values[: len(strings) - 1])), a_cache(8)
    answers = [_answer(cache, made, untrusted) for _ in range(3)]
    assert answers == [_answer(a_cache(8), made.inlined(), untrusted)] * 3


def _answer(cache: SkeletonCache, found: Rendering, untrusted: Untrusted = "scalar") -> str:
    try:
        return go_json(cache.filled(found, untrusted).value)
    except YAMLError as error:
        return str(error)


def test_unsafe_values_are_counted_and_read_in_both_modes() -> None:
    cache = a_cache(8)
    assert cache.filled(rendering("a", "[b]"), "text").value == {"a": ["b"]}
    assert cache.filled(rendering("a", "[b]"), "scalar").value == {"a": "[b]"}
    with pytest.raises(YAMLError):
        cache.filled(rendering("a", "[b"), "text")
    assert cache.unsafe == 3


def test_the_cache_is_bounded() -> None:
    cache = a_cache(16)
    for number in range(400):
        for _ in range(2):
            cache.filled(rendering(f"k{number}"))
    assert len(cache.skeletons) == 16


def test_texts_met_once_are_forgotten_in_the_end() -> None:
    cache = a_cache(2)
    for number in range(5000):
        cache.filled(rendering(f"k{number}"))
    cache.filled(rendering("k0"))
    assert len(cache.skeletons) == 0


def test_what_is_used_often_stays() -> None:
    cache = a_cache(32)
    for _ in range(2):
        cache.filled(rendering("often"))
    for number in range(2000):
        cache.filled(rendering("often"))
        for _ in range(2):
            cache.filled(rendering(f"k{number}"))
    assert cache.hits >= 1990


def test_a_working_set_a_little_too_large_still_mostly_hits() -> None:
    cache = a_cache(100)
    for _ in range(30):
        for number in range(110):
            cache.filled(rendering(f"k{number}"))
    assert cache.hits / (cache.hits + cache.misses) > 0.5


def test_threads_may_share_a_cache() -> None:
    cache = a_cache(4)
    faults = []

    def work(offset: int) -> None:
        for number in range(300):
            name = f"k{(number + offset) % 9}"
            if cache.filled(rendering(name, "[v")).value != {name: "[v"}:
                faults.append(name)

    threads = [threading.Thread(target=work, args=(offset,)) for offset in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    assert len(cache.skeletons) <= 4


@pytest.mark.parametrize("character", ["\x85", "\x7f", "\x9f", "\uffff", "\ufeff"])
def test_what_ends_a_line_of_yaml_or_is_unreadable_there_is_escaped_in_a_templates_json(
    character: str,
) -> None:
    made = Rendering((f'a: |\n  {{"x":"b{character}c: d"}}\n  ', "\n"), ("e",))
    escaped = f"\\u{ord(character):04x}"
    assert a_cache(4).filled(made, "scalar").value == {"a": f'{{"x":"b{escaped}c: d"}}\ne\n'}


def test_text_mode_lets_json_break_out_as_istio_does() -> None:
    made = Rendering(('a: |\n  {"x":"b\x85c: d"}\n  ', "\n"), ("e",))
    assert a_cache(4).filled(made, "text").value == {"a": '{"x":"b\n', "c": 'd"} e'}


def test_a_fill_knows_what_it_was_built_of() -> None:
    cache = a_cache(8)
    assert cache.filled(rendering("a")).skeleton is None, "it was parsed"
    for value, scalar in (("x", "x"), ("7", 7), ("", None)):
        filled = cache.filled(rendering("a", value))
        assert filled.skeleton is not None
        assert filled.skeleton.built(filled.scalars) == filled.value == {"a": scalar}
    assert cache.filled(rendering("a", "b: c")).skeleton is None, "it was not safe"


def test_text_that_was_quoted_is_not_taken_for_text_that_looks_so() -> None:
    cache = a_cache(8)
    texts = ('a: "', '"\n')
    for value in ("x", "x", Quoted("\\t", "\t"), "\\t"):
        filled = cache.filled(Rendering(texts, (value,))).value
    assert filled == {"a": "\\t"}
    assert cache.filled(Rendering(texts, (Quoted("\\t", "\t"),))).value == {"a": "\t"}


def test_nothing_is_kept_of_a_text_that_is_too_large() -> None:
    cache = a_cache(8, size=1 << 20)
    text = "k" * 70_000
    for number in range(8):
        assert cache.filled(Rendering((f"a: {text}", "\n"), (f"x{number}",))).value == {
            "a": f"{text}x{number}"
        }
    assert (len(cache.skeletons), cache.hits) == (0, 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    "texts",
    [
        pytest.param(
            ("".join(f"k{n}: {{l: [{{}}, {n}]}}\n" for n in range(200)) + "b: ", "\n"), id="constants"
        ),
        pytest.param(("a: '", *[","] * 300, "'\n"), id="single quotes"),
        pytest.param(("a: ", *[", "] * 300, "\n"), id="plain"),
        pytest.param(("a: |\n  ", *["\n  "] * 300, "\n"), id="block"),
        pytest.param(("a: [", *[","] * 300, "]\n"), id="list"),
        pytest.param(("a: &x [", *[","] * 300, "]\n"), id="anchor"),
        pytest.param(("k: ", *[f"\nk{n}: " for n in range(300)], "\n"), id="values"),
        pytest.param(("- k: ", *["\n- k: "] * 300, "\n"), id="objects"),
        pytest.param(("a: ['" + "x" * 3000, "é" * 3000 + "', " + "y" * 3000 + "]\n"), id="text"),
    ],
)
def test_sizes_are_estimated_from_above(texts: tuple[str, ...]) -> None:
    retained, cache = min((_retained(texts) for _ in range(3)), key=lambda each: each[0])
    assert len(cache.skeletons) == 1
    assert retained < cache.skeletons.size


def _retained(texts: tuple[str, ...]) -> tuple[int, SkeletonCache]:
    """Return the bytes of a skeleton that was filled; now and then something else grows by accident."""
    values = [tuple(f"v{number}-{n}" for n in range(len(texts) - 1)) for number in range(8)]
    warm = a_cache(64)
    for each in values:
        warm.filled(Rendering(texts, each))
    cache = a_cache(64)
    gc.collect()
    tracemalloc.start()
    try:
        for each in values:
            cache.filled(Rendering(tuple(f"{text} "[:-1] for text in texts), each))
        gc.collect()
        return tracemalloc.get_traced_memory()[0], cache
    finally:
        tracemalloc.stop()
