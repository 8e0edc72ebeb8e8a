"""Every link in every page leads somewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.docs.markdown import anchors, links, pages


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    broken = [link for link in links(page.read_text(encoding="utf-8")) if fault_of(page, link)]
    assert broken == []


def fault_of(page: Path, link: str) -> bool:
    """Return whether a link within the repository leads nowhere."""
    if link.startswith(("https://", "http://", "mailto:")):
        return False
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.is_relative_to(ROOT) or not target.exists():
        return True
    return bool(anchor) and anchor not in anchors(target.read_text(encoding="utf-8"))


def test_a_link_to_nowhere_is_found(tmp_path: Path) -> None:
    page = ROOT / "docs" / "index.md"
    assert fault_of(page, "no-such-page.md")
    assert fault_of(page, "index.md#no-such-heading")
    assert fault_of(page, "../../outside.md")
    assert not fault_of(page, "#start-here")


def test_links_and_anchors_are_read_as_code_hosts_read_them() -> None:
    text = "# A `b`: c, D\n## x\n## x\n```\n# no [link](a.md)\n```\nsee [`code`](b.md#x) ![p](c.svg)\n\n    [no](d.md)\n"
    assert anchors(text) == {"a-b-c-d", "x", "x-1"}
    assert links(text) == ["b.md#x", "c.svg"]


def test_every_page_of_docs_is_reached_from_the_first() -> None:
    docs = ROOT / "docs"
    reached: set[Path] = set()
    waiting = [docs / "index.md", ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or not page.exists() or page.suffix != ".md":
            continue
        reached.add(page)
        found = links(page.read_text(encoding="utf-8"))
        waiting += [(page.parent / link.partition("#")[0]).resolve() for link in found if ":" not in link]
    assert {page for page in pages() if page.is_relative_to(docs)} <= reached
