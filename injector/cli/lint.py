"""``sidecar-injector lint``: config, values and mesh to what is wrong with them, all of it at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import click

from injector.cli.configuration import configuration_options, load_injector, read_configuration, say_release
from injector.cli.files import input_documents, input_options
from injector.cli.options import pod_template_option
from injector.cli.report import FORMATS
from injector.diagnosis.findings import gravest
from injector.diagnosis.lint import Given, Report, lint
from injector.errors import YAMLError
from injector.injection.injector import Injector

EPILOG = """\b
Examples:
  sidecar-injector lint --inject-config-file config.yaml --values-file values.json
  kubectl -n istio-system get cm istio-sidecar-injector -o yaml > cm.yaml
  sidecar-injector lint --inject-config-file cm.yaml -f app.yaml
  sidecar-injector lint --inject-config-file config.yaml --strict -o github
  sidecar-injector lint --show-code sidecar

\b
Exit codes:
  0  `serve` starts with these files and injects a sample pod; no pod of -f is denied
  1  it does not, a pod of -f is denied or refused by an API server, or --strict and a warning
  2  the call itself is wrong

Every rule is described in docs/findings.md; `# lint: ignore=SI203` in a template silences a warning there.
"""


@click.command("lint", epilog=EPILOG)
@input_options
@pod_template_option
@click.option(
    "-o", "--output", type=click.Choice([*FORMATS]), default="text", show_default=True, help="How to print."
)
@click.option("--show-code", metavar="TEMPLATE", help="Print what the template became: Python, specialised.")
@click.option("--strict", is_flag=True, help="Exit 1 on warnings too.")
@configuration_options
def command(
    *,
    filenames: Sequence[str],
    recursive: bool,
    pod_template_path: str,
    output: str,
    show_code: str | None,
    strict: bool,
    **flags: Any,
) -> None:
    """Check config, values and mesh as `serve` would, and then by every rule: all faults at once.

    The configuration is loaded and tried out with the sample pods that `serve` uses, and with the pods of the
    manifests given.
    """
    if show_code is not None:
        click.echo(_code(load_injector(flags), show_code))
        return
    sources, around = read_configuration(flags)
    given = [*_given(filenames, pod_template_path, recursive=recursive)]
    if filenames and not given:
        raise click.ClickException(f"there is nothing in {', '.join(filenames)}")
    report = lint(sources, around, given)
    if report.injector is not None:
        say_release(report.injector)
    _print(report, output)
    grave = gravest(report.findings)
    if report.failed or (strict and grave == "warning"):
        raise SystemExit(1)


def _given(filenames: Sequence[str], pod_template_path: str, *, recursive: bool) -> Iterator[Given]:
    for document in input_documents(filenames, recursive=recursive):
        try:
            value = document.value
        except YAMLError as error:
            yield Given(value=None, source=document.source, line=error.line, unreadable=error.reason)
            continue
        if value is not None:
            yield Given(
                value=value,
                source=document.source,
                line=document.line,
                text=document.text,
                pod_template_path=pod_template_path,
            )


def _print(report: Report, output: str) -> None:
    shown = FORMATS[output](report.findings)
    if output != "text":
        click.echo(shown)
        return
    if shown:
        click.echo(shown)
    if not report.failed and report.injector is not None:
        click.echo(_summary(report.injector))


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
