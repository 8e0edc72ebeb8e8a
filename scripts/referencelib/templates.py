"""The functions and the data of templates, from the tables in the code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from release_facts import minors

from injector.gotemplate import Function, sprig
from injector.gotemplate.builtins import BUILTINS
from injector.injection.dot import functions
from injector.injection.dot.context import FACTS
from injector.injection.dot.functions.encoding import decode, encode
from injector.istio.facts import Span
from referencelib.markdown import cell, code, table


def page(note: str) -> str:
    """Return the page of functions and data."""
    return f"""\
# Functions and data of templates

{note}
[template-language.md](../template-language.md) says how to write one.

## Go's own

{_listed(BUILTINS)}

`and` and `or` stop at the first argument that decides, in every release.

## Istio's

{table(("function", "arguments", "in Istio"), sorted(_istio()))}
## sprig's

Version 3.3.0 of [sprig](https://masterminds.github.io/sprig/). Istio has sprig since 1.8 (3.1.0; 3.2.0
since 1.9, 3.3.0 since 1.24). A function that the release does not have is an error at load. Arguments and
results are sprig's.

{table(("about", "functions"), _sprig())}
These functions are known, so that a template that names them loads. Calling one is an error, because two
injections of one pod must not differ and a pod must not wait: {_listed(sprig.UNAVAILABLE)}. `env` is
Istio's, not sprig's: it reads what `--env` gives.

## Data

The fields of `.`. `$` is the same value, also inside `range` and `with`.

{table(("field", "is", "in Istio"), _fields())}
"""


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(code, sorted(names)))


def _istio() -> Iterator[tuple[str, ...]]:
    known: dict[str, tuple[Function, list[Span]]] = {}
    for row in functions._rows(functions.behaviour_of(functions.NEWEST_RELEASE), {}, None):  # noqa: SLF001
        known.setdefault(row.name, (row.function, []))[1].append(row.span)
    for name, (function, spans) in known.items():
        span = Span(since=min(each.since for each in spans), until=max(each.until for each in spans))
        yield code(name), code(" ".join(map(str, function.params))), minors(span)
    yield code("render"), code("string"), minors(functions._RENDER)  # noqa: SLF001


def _sprig() -> Iterator[tuple[str, str]]:
    tables = {name: module.FUNCTIONS for name, module in sprig.GROUPS.items()}
    tables["encoding"] = sprig.encoding.functions(encode, decode)
    for name in sorted(tables):
        yield name, _listed(tables[name])


def _fields() -> Iterator[tuple[str, ...]]:
    for fact in FACTS:
        yield code(fact.name), cell(fact.meaning), minors(fact.span)
