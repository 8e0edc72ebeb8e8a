"""Find where two pods differ, and group the differences of many pairs of pods."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

import orjson

from injector.json_types import JSON

KEYS: Final = ("name", "mountPath", "containerPort", "key", "ip")
"""What identifies the elements of a pod's lists: the first key that all elements have, with unique values."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where two pods differ: its path as people write it, and both values as JSON ("" for none)."""

    path: str
    old: str
    new: str


def contrast(old: JSON, new: JSON, path: str = "") -> Iterator[Difference]:
    """Yield where ``new`` differs from ``old``, at the deepest paths; lists are matched by `KEYS`."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            inner = f"{path}.{key}" if path else key
            yield from _member(old, new, key, inner)
    elif isinstance(old, list) and isinstance(new, list):
        yield from _lists(old, new, path)
    elif type(old) is not type(new) or old != new:
        yield from _scalars(old, new, path)


def _member(old: Mapping[str, JSON], new: Mapping[str, JSON], key: str, path: str) -> Iterator[Difference]:
    if key in old and key in new:
        yield from contrast(old[key], new[key], path)
    else:
        yield Difference(path, _text(old, key), _text(new, key))


def _text(holder: Mapping[str, JSON], key: str) -> str:
    return _json(holder[key]) if key in holder else ""


def _json(value: JSON) -> str:
    return orjson.dumps(value).decode()


def _lists(old: Sequence[JSON], new: Sequence[JSON], path: str) -> Iterator[Difference]:
    """Match elements by name; without names by index."""
    key = _key(old, new)
    if key is None:
        if len(old) == len(new):
            for place, (one, other) in enumerate(zip(old, new, strict=True)):
                yield from contrast(one, other, f"{path}[{place}]")
        else:
            yield Difference(path, _json(old), _json(new))
        return
    before, after = ({str(item[key]): item for item in items} for items in (old, new))
    for name in dict.fromkeys((*before, *after)):
        yield from _member(before, after, name, f"{path}[{name}]")
    common_before = [name for name in before if name in after]
    common_after = [name for name in after if name in before]
    if common_before != common_after:
        yield Difference(f"{path} (order)", ", ".join(common_before), ", ".join(common_after))


def _key(*lists: Sequence[JSON]) -> str | None:
    """Return the key that identifies the elements of all the lists; None if there is none."""
    if not all(isinstance(item, dict) for items in lists for item in items):
        return None
    for key in KEYS:
        named = [[str(item[key]) for item in items if key in item] for items in lists]
        if all(len(names) == len(items) == len({*names}) for names, items in zip(named, lists, strict=True)):
            return key
    return None


def _scalars(old: JSON, new: JSON, path: str) -> Iterator[Difference]:
    """Compare strings that hold JSON (the status, Istio's metadata) as JSON: the text hides what differs."""
    inside = [_document(value) for value in (old, new)]
    if None in inside:
        yield Difference(path, _json(old), _json(new))
        return
    found = [*contrast(inside[0], inside[1], f"{path} as JSON: ")]
    yield from found or [Difference(f"{path} (spelling)", _json(old), _json(new))]


def _document(value: JSON) -> JSON:
    if not isinstance(value, str) or not value.startswith(("{", "[")):
        return None
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return None


def grouped(
    pods: Iterable[tuple[str, Iterable[Difference]]], ignored: Sequence[str] = ()
) -> dict[Difference, list[str]]:
    """Return each difference with the pods that have it, the commonest first.

    ``ignored`` are patterns of paths for `fnmatch`, in which ``[`` and ``]`` stand for themselves.
    """
    patterns = [pattern.replace("[", "[[]") for pattern in ignored]
    found: dict[Difference, list[str]] = {}
    for name, differences in pods:
        for each in differences:
            if not any(fnmatchcase(each.path, pattern) for pattern in patterns):
                found.setdefault(each, []).append(name)
    return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0].path)))
