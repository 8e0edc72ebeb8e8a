"""``sidecar-injector probe``: exit by the age of the health file, as in sidecar-injector 1.4."""

from __future__ import annotations

import time
from pathlib import Path

import click

from injector.cli.files import FileError
from injector.cli.options import FILE, option, some_time

TOLERANCE_SECONDS = 0.01
"""Istio's own allowance for the writer's rhythm (pkg/probe)."""


@click.command(
    "probe",
    epilog="\b\nExample:\n  sidecar-injector probe --health-check-file /health --health-check-interval 4s",
)
@option(
    "--health-check-file",
    was=["--probe-path"],
    required=True,
    type=FILE,
    help="The file that `serve` keeps fresh.",
)
@option(
    "--health-check-interval",
    was=["--interval"],
    required=True,
    type=some_time,
    metavar="DURATION",
    help="How old it may be, as a Go duration: 4s, 1m.",
)
def command(*, health_check_file: Path, health_check_interval: float) -> None:
    """Exit 0 when the health file is fresh, 1 when it is missing or old."""
    try:
        modified = health_check_file.stat().st_mtime
    except OSError as error:
        raise FileError("read it", health_check_file, error) from error
    age = time.time() - modified
    if age > health_check_interval + TOLERANCE_SECONDS:
        limit = f"more than {health_check_interval:g} s"
        raise click.ClickException(
            f"{health_check_file} is {age:.2f} s old, {limit}: the webhook is not healthy"
        )
    click.echo("OK")
