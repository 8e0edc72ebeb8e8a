"""The fixtures of this room: real Go, asked in batches."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.oracle import IS_FULL, AskJSON, start_json_oracle, thorough

__all__ = ["BATCH", "IS_FULL", "Ask", "thorough"]

Ask = AskJSON

BATCH = 50
"""Questions an example: a start of the oracle costs as much as many answers."""


@pytest.fixture(scope="session")
def ask_go(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Answers of Go's own libraries to a batch of questions."""
    return start_json_oracle(shared, tmp_path_factory.mktemp("oracle"))
