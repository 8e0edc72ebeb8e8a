"""The pages that scripts/reference.py writes are what the code says."""

from __future__ import annotations

import sys

import pytest

from tests.conftest import ROOT

sys.path.append(str(ROOT / "scripts"))

import reference


@pytest.mark.parametrize("name", reference.PAGES)
def test_a_page_is_current(name: str) -> None:
    assert (reference.DOCS / name).read_text(encoding="utf-8") == reference.PAGES[name](), (
        "write it anew: .venv/bin/python scripts/reference.py"
    )


def test_no_page_of_the_reference_is_forgotten() -> None:
    written = {path for path, _ in reference.pages()}
    assert {*(reference.DOCS / "reference").iterdir()} <= written
