"""The fixtures of this room: real Go, asked in batches."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.oracle import Ask, start_oracle


@pytest.fixture(scope="session")
def ask_go(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Answers of Kubernetes' Go libraries to a batch of questions, as JSON lines."""
    return start_oracle(shared, tmp_path_factory.mktemp("oracle"))
