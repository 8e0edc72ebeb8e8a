"""What Go reads of a fill, told from its slots: the same as reading it, or nothing."""

from __future__ import annotations

import json
import random
import re
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from injector.injection.steps.typed_fill import MOST_FORMS, TypedFills, UndecidedError
from injector.kubeyaml import Skeleton
from injector.kubeyaml.filler import UnsafeValueError
from injector.patch import POD, go_type, normalise, only_adds
from tests.patch.overlays import Overlays

HOLE = "\N{WHITE SQUARE}"
OLDEST = go_type("Pod", 10)
WORDS = (
    "",
    "x",
    "x",
    "x",
    "5",
    "0",
    "true",
    "false",
    "null",
    "5m",
    "2000m",
    "$patch",
    "1.5",
    "2026-01-01T00:00:00Z",
)


def fills(template: str, schema: Any = POD) -> tuple[Skeleton, TypedFills]:
    skeleton = Skeleton(tuple(template.split(HOLE)))
    return skeleton, TypedFills(skeleton, schema)


def read(template: str, *values: str) -> Any:
    """Return what is read of a fill without reading it, which has to be what reading it says."""
    skeleton, typed = fills(template)
    scalars = skeleton.scalars(values)
    found = typed.read(scalars)
    if found is not None:
        built = skeleton.built(scalars)
        assert only_adds(built, POD)
        assert json.dumps(found) == json.dumps(normalise(built, POD, any_order=True))
    return found


CONTAINER = "spec: {containers: [{name: a, image: '□'}]}"


@pytest.mark.parametrize(
    ("template", "values", "expected"),
    [
        (CONTAINER, ["i"], {"name": "a", "image": "i", "resources": {}}),
        (CONTAINER, [""], {"name": "a", "resources": {}}),
        ("spec: {containers: [{name: '□'}]}", [""], {"name": "", "resources": {}}),
        (
            "spec: {containers: [{name: □, tty: □}]}",
            ["a", "true"],
            {"name": "a", "tty": True, "resources": {}},
        ),
        ("spec: {containers: [{name: □, tty: □}]}", ["a", "false"], {"name": "a", "resources": {}}),
        (
            "spec: {containers: [{args: ['□', b], tty: null}]}",
            [""],
            {"name": "", "args": ["", "b"], "resources": {}},
        ),
        (
            "spec: {containers: [{resources: {limits: {□: □}}}]}",
            ["cpu", "5m"],
            {"name": "", "resources": {"limits": {"cpu": "5m"}}},
        ),
    ],
)
def test_a_container_is_read_without_reading_it(template: str, values: list[str], expected: Any) -> None:
    found = read(template.replace("□", HOLE), *values)["spec"]["containers"][0]
    assert {key: found[key] for key in sorted(found)} == {key: expected[key] for key in sorted(expected)}


@pytest.mark.parametrize(
    ("template", "values"),
    [
        ("metadata: {name: □}", ["5"]),  # a misfit
        ("metadata: {name: □}", ["null"]),
        ("metadata: {labels: {a: □}}", [""]),
        ("spec: {containers: [{resources: {limits: {cpu: '□'}}}]}", ["2000m"]),  # Go writes 2
        ("metadata: {labels: {'□': a}}", ["$patch"]),  # a directive
        ("spec: {activeDeadlineSeconds: □}", ["1.5"]),
    ],
)
def test_where_a_scalar_decides_the_fill_is_left_to_reading(template: str, values: list[str]) -> None:
    assert read(template.replace("□", HOLE), *values) is None


@pytest.mark.parametrize(
    "template",
    [
        "metadata: {□: x}",
        "metadata: {NAME: □}",
        "metadata: {unknown: □}",
        "metadata: {name: □, name: b}",
        "metadata: {labels: {a: null, b: □}}",
        "metadata: {labels: {$patch: replace, b: □}}",
        "metadata: {labels: [□]}",
        "metadata: {name: 5, namespace: □}",
        "□",
    ],
)
def test_some_skeletons_have_no_form(template: str) -> None:
    with pytest.raises(UndecidedError):
        fills(template.replace("□", HOLE))


def test_a_skeleton_keeps_builders_for_a_bounded_number_of_forms() -> None:
    names = ("image", "workingDir", "terminationMessagePath", "imagePullPolicy")
    template = "spec: {containers: [{" + ", ".join(f"{name}: '{HOLE}'" for name in names) + "}]}"
    skeleton, typed = fills(template)
    forms = [["x" if place != empty else "" for place in range(4)] for empty in range(5)]
    found = [typed.read(skeleton.scalars(each)) for each in forms]
    assert [each is not None for each in found] == [True] * (MOST_FORMS - 1) + [False] * 2 + [True]


class Holes:
    """Makes a template of an overlay by putting holes into some of its texts, numbers and keys."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._only_adds = self._chance.random() < 0.9
        self.meant: list[str] = []

    def text(self, value: Any) -> str:
        if isinstance(value, dict):
            pairs = (
                f"{self._key(key)}: {self.text(item)}" for key, item in value.items() if self._adds(key, item)
            )
            return "{" + ", ".join(pairs) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(self.text(item) for item in value if self._adds("", item)) + "]"
        if self._chance.random() < 0.2:
            self.meant.append(value if isinstance(value, str) else json.dumps(value))
            return f'"{HOLE}"' if isinstance(value, str) else HOLE
        return json.dumps(value)

    def _adds(self, key: str, value: Any) -> bool:
        return not self._only_adds or (value is not None and not key.startswith("$"))

    def _key(self, key: str) -> str:
        if key in "abcde" and self._chance.random() < 0.2:
            self.meant.append(key)
            return f'"{HOLE}"'
        return json.dumps(key)

    def values(self, words: random.Random) -> list[str]:
        return [each if words.random() < 0.9 else words.choice(WORDS) for each in self.meant]


@pytest.mark.slow
@settings(max_examples=1500)
@given(
    seed=st.integers(0, 2**48),
    words=st.randoms(use_true_random=True),
    schema=st.sampled_from([POD, OLDEST]),
)
def test_no_overlay_is_read_otherwise_than_by_reading_it(
    seed: int, words: random.Random, schema: Any
) -> None:
    holes = Holes(seed)
    template = holes.text(Overlays(seed).pair()[seed % 2])
    try:
        skeleton, typed = fills(template, schema)
    except UndecidedError:
        event("undecided")
        return
    for _ in range(6):
        try:
            scalars = skeleton.scalars(holes.values(words))
        except UnsafeValueError:
            continue
        found = typed.read(scalars)
        event(f"read: {found is not None}")
        if found is not None:
            built = skeleton.built(scalars)
            text = json.dumps(built)
            # A text that looks like a directive counts as one there; only a key directs.
            assert only_adds(json.loads(re.sub(r'"\$patch"(?!:)', '"x"', text)), schema)
            assert json.dumps(found) == json.dumps(normalise(built, schema, any_order=True))
            assert json.dumps(built) == text
