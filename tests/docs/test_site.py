"""The pages as a site: each has its place, and the build finds nothing wrong where its builder is installed."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.conftest import PATIENCE, ROOT
from tests.docs.markdown import pages

SITE: Final = yaml.safe_load((ROOT / "docs" / "site.yml").read_text(encoding="utf-8"))


def places(nav: Any) -> Iterator[str]:
    """Yield the pages of a part of the navigation."""
    if isinstance(nav, str):
        yield nav
    for part in nav.values() if isinstance(nav, dict) else nav if isinstance(nav, list) else ():
        yield from places(part)


def test_every_page_of_docs_has_its_place() -> None:
    found = {str(page.relative_to(ROOT)) for page in pages() if page.is_relative_to(ROOT / "docs")}
    assert found - set(places(SITE["nav"])) == set()


def test_every_place_has_its_page() -> None:
    assert [place for place in places(SITE["nav"]) if not (ROOT / place).exists()] == []


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    if not (ROOT / ".venv-docs").is_dir():
        pytest.skip("SITE BUILDER MISSING: scripts/site installs it; the strict build of the site is skipped")
    built = subprocess.run(
        [ROOT / "scripts" / "site", tmp_path / "site"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    assert "Why was my pod" in (tmp_path / "site/docs/why-not-injected/index.html").read_text(
        encoding="utf-8"
    )


def test_a_folder_that_is_no_site_is_not_replaced_by_one(tmp_path: Path) -> None:
    (tmp_path / "work").write_text("of a day")
    refused = subprocess.run(
        [ROOT / "scripts" / "site", tmp_path], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    sentence = (
        f"scripts/site: {tmp_path} holds something else: name a folder that is empty or not there yet\n"
    )
    assert (refused.returncode, refused.stderr) == (2, sentence)
    assert (tmp_path / "work").read_text() == "of a day"
