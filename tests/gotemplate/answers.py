"""Tables of templates with what Go made of them: output or error, asked once from text/template and sprig."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


def cases(file: Path) -> list[Any]:
    """Return the rows of a table, each named by its template."""
    table = json.loads(file.read_text())
    return [
        pytest.param(case, table["data"], id=ascii(case["template"])[3:70].replace("[", "("))
        for case in table["cases"]
    ]
