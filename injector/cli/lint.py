"""``sidecar-injector lint``: config, values and mesh to what is wrong with them, all of it at once."""

from __future__ import annotations

from typing import Any

import click

from injector.cli.configuration import configuration_options, load_injector, say_release
from injector.injection.injector import Injector

EPILOG = """\b
Examples:
  sidecar-injector lint --injectConfigFile config.yaml --valuesFile values.json --meshConfigFile mesh.yaml
  sidecar-injector lint --show-code sidecar
"""


@click.command("lint", epilog=EPILOG)
@click.option("--show-code", metavar="TEMPLATE", help="Print what the template became: Python, specialised.")
@click.option("--strict", is_flag=True, help="Exit 1 on warnings too.")
@configuration_options
def command(*, show_code: str | None, strict: bool, **flags: Any) -> None:
    """Check the three files, every fault of all of them in one run.

    Exit code 0 when the webhook would load them, 1 when not.
    """
    injector = load_injector(flags)
    if show_code is not None:
        click.echo(_code(injector, show_code))
        return
    say_release(injector)
    for warning in injector.warnings:
        click.echo(f"{click.style('warning:', fg='yellow')} {warning}", err=True)
    click.echo(_summary(injector))
    if strict and injector.warnings:
        raise SystemExit(1)


def _code(injector: Injector, name: str) -> str:
    templates = injector.snapshot.templates
    if name not in templates:
        raise click.BadParameter(
            f"there is no template {name!r}; there are {', '.join(templates)}", param_hint="--show-code"
        )
    source: str = templates[name].usual.source()
    return source


def _summary(injector: Injector) -> str:
    config = injector.snapshot.config
    return "\n".join(
        (
            f"{click.style('ok', fg='green')}: behaves as Istio {injector.release}",
            f"policy: {config.policy}",
            f"templates: {', '.join(injector.snapshot.templates)}",
            f"used by default: {', '.join(config.default_templates)}",
        )
    )
