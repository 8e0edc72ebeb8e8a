"""A command line to its exit code and what it printed, in this process: a process of its own costs half a second."""

from __future__ import annotations

import gc
from collections.abc import Sequence

import pytest

from injector.cli.main import main


def run(words: Sequence[str], capfd: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Return the exit code, stdout and stderr of ``sidecar-injector`` with these arguments."""
    capfd.readouterr()
    code = 0
    try:
        main(words)
    except SystemExit as ending:
        code = int(ending.code or 0)
    finally:
        gc.enable()
    printed = capfd.readouterr()
    return code, printed.out, printed.err
