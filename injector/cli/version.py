"""``sidecar-injector version``: print the version, for people and for scripts."""

from __future__ import annotations

import platform

import click
import orjson

from injector import __version__
from injector.istio.releases import NEWEST_RELEASE, RELEASES

EPILOG = """\b
Examples:
  sidecar-injector version
  sidecar-injector version -o json
"""


@click.command("version", epilog=EPILOG)
@click.option("-o", "--output", default="text", show_default=True, type=click.Choice(("text", "json")))
def command(*, output: str) -> None:
    """Print the version, and the releases of Istio that `--release` takes."""
    if output == "text":
        click.echo(f"sidecar-injector {__version__}")
        click.echo(f"releases of Istio: {RELEASES[0]} to {RELEASES[-1]}; {NEWEST_RELEASE} when none is told")
        return
    facts = {
        "version": __version__,
        "releases": {"oldest": RELEASES[0], "newest": RELEASES[-1], "default": NEWEST_RELEASE},
        "python": platform.python_version(),
        "platform": f"{platform.system().lower()}/{platform.machine()}",
    }
    click.echo(orjson.dumps(facts, option=orjson.OPT_INDENT_2).decode())
