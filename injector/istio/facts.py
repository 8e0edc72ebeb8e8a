"""A fact of a release: the minors of Istio 1.x in which it holds, and where Istio's source shows it.

A fact is a line: ``label_decides: bool = since(12, "the label hides the annotation", inject("labelP"))``. A
minor stands for its last patch, whose tag is in LAST_TAGS. ``scripts/check_releases`` checks each fact
against a clone of Istio, and docs/releases.md lists them all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, Final, TypeAlias

LAST_TAGS: Final = (
    *("1.0.9", "1.1.17", "1.2.10", "1.3.8", "1.4.10", "1.5.10", "1.6.14", "1.7.8", "1.8.6", "1.9.9"),
    *("1.10.6", "1.11.8", "1.12.9", "1.13.9", "1.14.6", "1.15.7", "1.16.7", "1.17.8", "1.18.7", "1.19.10"),
    *("1.20.8", "1.21.6", "1.22.8", "1.23.6", "1.24.6", "1.25.5", "1.26.8", "1.27.9", "1.28.10", "1.29.6"),
    *("1.30.3", "1.31.0-rc.0", "86c9f01fd735fb01d8192f5bcaf0d424afb7f14c"),
)
"""The tag of github.com/istio/istio for each minor, the oldest first; for 1.32 a commit."""

OLDEST: Final = 0
NEWEST: Final = 32
RELEASED: Final = 31
"""The newest minor that Istio has released: it applies where the release is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where Istio's source shows a fact.

    ``files`` are git's patterns of paths with spaces between them, since files have moved; ``pattern`` is an
    extended regular expression. It matches in the minors of the fact and in no others; with ``absent``, in
    all others instead. Without ``exact`` (an order of calls, a row of a table) it matches in all minors of
    the fact, and says where to read.
    """

    files: str
    pattern: str
    absent: bool = False
    exact: bool = True


def source_in(files: str) -> Callable[..., Source]:
    """Return a function that makes a Source in ``files`` from its pattern."""

    def source(pattern: str, *, absent: bool = False, exact: bool = True) -> Source:
        return Source(files=files, pattern=pattern, absent=absent, exact=exact)

    return source


inject: Final = source_in("pkg/kube/inject/*.go pilot/pkg/kube/inject/*.go")
util: Final = source_in("pkg/kube/util.go")
features: Final = source_in("pilot/pkg/features/*.go")
mesh_code: Final = source_in("pkg/config/mesh/mesh.go pilot/pkg/model/context.go")
layer_code: Final = source_in("pilot/pkg/model/proxy_config.go")
modules: Final = source_in("go.mod")


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The minors of Istio 1.x in which something holds, both ends included, and its source."""

    since: int = OLDEST
    until: int = NEWEST
    source: Source | None = None

    def covers(self, minor: int) -> bool:
        """Return whether it holds in 1.``minor``."""
        return self.since <= minor <= self.until


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One fact: ``name`` has ``value`` in the minors of ``span``; ``meaning`` says what that does."""

    name: str
    meaning: str
    span: Span
    value: Any = True


# ---- facts as fields of a dataclass: the minors to which no form applies have the default


Form: TypeAlias = tuple[Any, Span]
"""A value of a field, and the minors in which the field has it."""

_MEANING, _FORMS = "meaning", "forms"


def varies(default: Any, meaning: str, *forms: Form) -> Any:
    """Return a field that has ``default`` in the minors that no form covers."""
    return field(default=default, metadata={_MEANING: meaning, _FORMS: forms})


def form(value: Any, since: int, until: int, source: Source) -> Form:
    """Return a form of a field that varies."""
    return value, Span(since=since, until=until, source=source)


def between(since: int, until: int, meaning: str, source: Source) -> Any:
    """Return a field that is true in these minors, both ends included."""
    return varies(False, meaning, form(True, since, until, source))


def since(minor: int, meaning: str, source: Source) -> Any:
    """Return a field that is true from a minor on."""
    return between(minor, NEWEST, meaning, source)


def facts_of(declared: Any) -> tuple[Fact, ...]:
    """Return the facts that the fields of a dataclass declare."""
    return tuple(
        Fact(name=each.name, meaning=each.metadata[_MEANING], span=span, value=value)
        for each in fields(declared)
        for value, span in each.metadata.get(_FORMS, ())
    )


# ---- the minor version of Kubernetes (k8s.io/api) with whose types each minor of Istio was built

_locked = source_in("Gopkg.lock")

BUILT_WITH: Final = (
    form(10, 0, 0, _locked("kubernetes-1.10")),
    form(11, 1, 1, _locked("4e7be11eab3ffcfc1876898b8272df53785a9504")),
    form(13, 2, 3, modules(r"k8s.io/api v0.0.0-20190222213804")),
    form(16, 4, 4, modules(r"k8s.io/api v0.0.0-20191003000013")),
    form(17, 5, 5, modules(r"k8s.io/api v0\.17\.")),
    form(18, 6, 7, modules(r"k8s.io/api v0\.18\.")),
    form(19, 8, 8, modules(r"k8s.io/api v0\.19\.")),
    form(20, 9, 10, modules(r"k8s.io/api v0\.20\.")),
    form(21, 11, 11, modules(r"k8s.io/api v0\.21\.")),
    form(22, 12, 12, modules(r"k8s.io/api v0\.22\.")),
    form(24, 13, 15, modules(r"k8s.io/api v0\.24\.")),
    form(25, 16, 16, modules(r"k8s.io/api v0\.25\.")),
    form(26, 17, 17, modules(r"k8s.io/api v0\.26\.")),
    form(27, 18, 18, modules(r"k8s.io/api v0\.27\.")),
    form(28, 19, 20, modules(r"k8s.io/api v0\.28\.")),
    form(29, 21, 21, modules(r"k8s.io/api v0\.29\.")),
    form(30, 22, 23, modules(r"k8s.io/api v0\.30\.")),
    form(31, 24, 24, modules(r"k8s.io/api v0\.31\.")),
    form(32, 25, 25, modules(r"k8s.io/api v0\.32\.")),
    form(33, 26, 27, modules(r"k8s.io/api v0\.33\.")),
    form(34, 28, 28, modules(r"k8s.io/api v0\.34\.")),
    form(35, 29, 30, modules(r"k8s.io/api v0\.35\.")),
    form(36, 31, NEWEST, modules(r"k8s.io/api v0\.36\.")),
)
