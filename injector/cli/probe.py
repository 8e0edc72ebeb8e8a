"""``sidecar-injector probe``: the age of the health file to an exit code, as sidecar-injector 1.4 had it."""

from __future__ import annotations

import time
from pathlib import Path

import click

from injector.cli.durations import DURATION
from injector.cli.files import FileError

TOLERANCE_SECONDS = 0.01
"""Istio's own allowance for the writer's rhythm (pkg/probe)."""


@click.command("probe", epilog="\b\nExample:\n  sidecar-injector probe --probe-path /health --interval 4s")
@click.option(
    "--probe-path", required=True, type=click.Path(path_type=Path), help="The file that `serve` keeps fresh."
)
@click.option("--interval", required=True, type=DURATION, help="How old it may be, as a Go duration: 4s, 1m.")
def command(*, probe_path: Path, interval: float) -> None:
    """Exit 0 when the health file is fresh, 1 when it is missing or old."""
    try:
        modified = probe_path.stat().st_mtime
    except OSError as error:
        raise FileError("read it", probe_path, error) from error
    age = time.time() - modified
    if age > interval + TOLERANCE_SECONDS:
        msg = f"{probe_path} is {age:.2f} s old, more than {interval:g} s: the webhook is not healthy"
        raise click.ClickException(msg)
    click.echo("OK")
