"""What differs between the releases of Istio, as a page, and held against Istio's source.

docs/releases.md is the page; scripts/reference.py writes it. ``scripts/check_releases CLONE`` looks for the
pattern of each fact at the last tag of each minor in a clone of github.com/istio/istio, and names the facts
whose minors it does not find so.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

from referencelib.markdown import code  # noqa: E402 - from this checkout

from injector.injection import kinds  # noqa: E402 - from this checkout
from injector.injection.dot import context, functions  # noqa: E402
from injector.istio import annotations, releases  # noqa: E402
from injector.istio.facts import LAST_TAGS, NEWEST, OLDEST, Fact, Source, Span  # noqa: E402
from injector.istio.mesh import (  # noqa: E402
    defaults,
    effective,
    loading,
    mesh_validation,
    validation,
)

HEAD = """# What differs between the releases

Every fact in which the releases 1.{oldest} to 1.{newest} of Istio differ for the injector, with its minor
releases and its source.

How to read the source: the pattern is an extended regular expression. It is found in the named files of
[istio/istio](https://github.com/istio/istio) at the tags of these minor releases, and at no others. *Not*
before a pattern: it is found at all other tags. *See*: where to read it.

`scripts/reference.py` writes this page from the code, and `scripts/check_releases CLONE` compares it with a
clone of Istio. Fields of MeshConfig, ProxyConfig and Kubernetes' types are in generated tables instead.

The tag or commit that stands for each minor release: {tags}.
"""


def groups() -> tuple[tuple[str, tuple[Fact, ...]], ...]:
    """Return all facts, by where they are declared."""
    return (
        ("Behaviour", releases.FACTS),
        ("Fields of the template's dot", context.FACTS),
        ("Functions of templates", tuple(functions.facts())),
        ("Annotations", annotations.FACTS),
        ("Go types of workloads by hand", kinds.FACTS),
        ("Mesh configuration", (*loading.FACTS, *effective.FACTS)),
        ("Built-in defaults of the mesh", defaults.FACTS),
        ("Checks of a MeshConfig", mesh_validation.FACTS),
        ("Checks of a ProxyConfig", validation.FACTS),
    )


# ---- the page


def page() -> str:
    """Return the text of docs/releases.md."""
    tags = ", ".join(LAST_TAGS)
    parts = [HEAD.format(oldest=OLDEST, newest=NEWEST, tags=tags)]
    for title, facts in groups():
        parts.append(f"\n## {title}\n\n| fact | minors | what it means | source |\n| --- | --- | --- | --- |")
        parts += map(_line, facts)
    return "\n".join(parts) + "\n"


def _line(fact: Fact) -> str:
    value = "" if fact.value is True else f": {code(json.dumps(fact.value, ensure_ascii=False))}"
    assert fact.span.source is not None, f"{fact.name} has no source"  # noqa: S101 - a test says so as well
    return f"| `{fact.name}` | {minors(fact.span)} | {fact.meaning}{value} | {_shown(fact.span.source)} |"


def minors(span: Span) -> str:
    """Return the minors of a fact in a few words."""
    if (span.since, span.until) == (OLDEST, NEWEST):
        return "all"
    if span.since == span.until:
        return f"1.{span.since}"
    if span.until == NEWEST:
        return f"from 1.{span.since}"
    return f"up to 1.{span.until}" if span.since == OLDEST else f"1.{span.since} to 1.{span.until}"


def _shown(source: Source) -> str:
    word = "not " if source.absent else "" if source.exact else "see "
    return f"{word}{code(source.pattern)} in {', '.join(map(code, source.files.split()))}"


# ---- Istio's source


def differing(clone: Path) -> Iterator[str]:
    """Yield a line for each fact that the source does not show in exactly its minors."""
    for _, facts in groups():
        for fact in facts:
            source = fact.span.source
            if source is None:
                yield f"{fact.name}: no source"
            elif fault := _fault(fact.span, source, clone):
                yield f"{fact.name}: {fault}"


def _fault(span: Span, source: Source, clone: Path) -> str:
    every = range(OLDEST, NEWEST + 1)
    found = {minor for minor in every if _is_found(source, LAST_TAGS[minor], clone) is not source.absent}
    claimed = {minor for minor in every if span.covers(minor)}
    if found == claimed or (not source.exact and claimed <= found):
        return ""
    shown = ", ".join(f"1.{minor}" for minor in sorted(found)) or "none"
    return f"{minors(span)} here, {shown} by {source.pattern!r} in {source.files}"


def _is_found(source: Source, tag: str, clone: Path) -> bool:
    paths = [*source.files.split(), ":(exclude)*_test.go"]
    command = ["git", "-C", str(clone), "grep", "-qE", "-e", source.pattern, tag, "--", *paths]
    return subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode == 0


def _has_tag(clone: Path, tag: str) -> bool:
    command = ["git", "-C", str(clone), "cat-file", "-e", f"{tag}^{{commit}}"]
    return subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode == 0


def main() -> int:
    """Return 1 where a fact differs from Istio's source."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("clone", type=Path, help="a clone of github.com/istio/istio")
    clone = parser.parse_args().clone
    if missing := [tag for tag in LAST_TAGS if not _has_tag(clone, tag)]:
        parser.error(f"{clone} is not a clone of Istio with its tags: it has no {', '.join(missing)}")
    lines = [*differing(clone)]
    total = sum(len(facts) for _, facts in groups())
    print("\n".join([*lines, f"{total - len(lines)} of {total} facts are as in Istio's source"]))
    return int(bool(lines))


if __name__ == "__main__":
    sys.exit(main())
