"""The sample's pod before and after injection as one picture: docs/injected.svg.

    .venv/bin/python scripts/readme_picture.py

What is shown comes from a run of the injector. The suite holds that the file is what this would write.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from injector import Injector  # noqa: E402 - from this checkout
from injector.istio.releases import NEWEST_RELEASE  # noqa: E402
from injector.kubeyaml import documents  # noqa: E402
from injector.templates import built_in  # noqa: E402

PICTURE: Final = ROOT / "docs" / "injected.svg"
SAMPLE: Final = ROOT / "k8s" / "samples" / "hello.yaml"

WIDTH, MARGIN, ROW, TOP = 880, 20, 24, 84
LEFT, RIGHT = MARGIN, 300
"""Where the columns begin: the original pod needs less room than the injected one."""

STYLE: Final = (
    "text{font:13px ui-monospace,Menlo,Consolas,monospace;fill:#1b2733}"
    ".head{font-weight:600}.kind{fill:#5b6b7b}.new{fill:#0b6b3a}"
    "rect{fill:#f6f8fa;stroke:#c9d3dd}.added{fill:#e6f6ec;stroke:#9fd3b4}"
)

NAMED: Final = 3
"""How many names of one kind fit side by side."""

Row = tuple[str, str]
"""The kind of a thing, and its text."""


def pods() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the pod of the sample and what the injector makes of it."""
    found = (document.value for document in documents(SAMPLE.read_text(encoding="utf-8")))
    template = next(value for value in found if value["kind"] == "Deployment")["spec"]["template"]
    pod = {"apiVersion": "v1", "kind": "Pod", **template}
    texts = built_in()
    injected, _ = Injector.load(texts.config, texts.values, release=NEWEST_RELEASE).inject_pod(pod, "default")
    return pod, injected


def rows(pod: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[Row]:
    """Yield the picture's rows for a pod; of many things of one kind, only those not in ``known``."""
    spec, metadata = pod["spec"], pod["metadata"]
    yield from (("init container", each["name"]) for each in spec.get("initContainers", ()))
    for container in spec["containers"]:
        yield "container", container["name"]
        if container["name"] == "hello":
            yield "its probe", _probe(container["readinessProbe"])
    yield from _many("volume", [each["name"] for each in spec.get("volumes", ())], ())
    for kind in ("label", "annotation"):
        yield from _many(kind, [*metadata.get(f"{kind}s", {})], known["metadata"].get(f"{kind}s", {}))


def _many(kind: str, names: list[str], known: Collection[str]) -> Iterator[Row]:
    new = [name for name in names if name not in known]
    if shown := [name for name in names if name in known]:
        yield f"{len(shown)} {kind}s", ", ".join(shown)
    if new:
        first = ", ".join(name.rpartition("/")[2] for name in new[:NAMED])
        yield f"{len(new)} {kind}s", first if len(new) <= NAMED else f"{first}, …"


def _probe(probe: Mapping[str, Any]) -> str:
    return f"GET :{probe['httpGet']['port']}{probe['httpGet']['path']}"


def picture() -> str:
    """Return the SVG."""
    pod, injected = pods()
    before, after = [*rows(pod, pod)], [*rows(injected, pod)]
    height = TOP + ROW * max(len(before), len(after)) + MARGIN
    command = f"$ sidecar-injector inject -f {SAMPLE.relative_to(ROOT)}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        "<title>A pod before and after injection</title>",
        f'<style>{STYLE}</style><rect width="{WIDTH}" height="{height}" rx="8"/>',
        _text(LEFT, 30, "kind", command),
        _text(LEFT, 62, "head", "the pod as it was written"),
        _text(RIGHT, 62, "head", "the pod as it is created"),
        *_column(before, LEFT, frozenset(before)),
        *_column(after, RIGHT, frozenset(before)),
        "</svg>\n",
    ]
    return "\n".join(parts)


def _column(shown: list[Row], x: int, known: frozenset[Row]) -> Iterator[str]:
    """Yield one line for each row; new ones have the colour of additions."""
    for index, (kind, text) in enumerate(shown):
        y = TOP + ROW * index
        is_new = (kind, text) not in known
        if is_new:
            width = WIDTH - x - MARGIN + 6
            yield f'<rect class="added" x="{x - 6}" y="{y}" width="{width}" height="{ROW - 2}"/>'
        yield _text(x, y + 16, "new" if is_new else "kind", kind)
        yield _text(x + 128, y + 16, "new" if is_new else "", text)


def _text(x: int, y: int, style: str, text: str) -> str:
    return f'<text x="{x}" y="{y}" class="{style}">{escape(text)}</text>'


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
