"""``sidecar-injector lint``: report what is wrong with config, values and mesh, in one of four formats."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final
from urllib.parse import quote

import click

from injector import __version__
from injector.cli.configuration import configuration_options, load_injector, read_configuration, say_release
from injector.cli.files import input_documents, input_options
from injector.cli.options import pod_template_option
from injector.diagnosis.findings import RULES, SEVERITIES, Finding
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


# ---- formats


_COLOURS: Final = {"error": "red", "warning": "yellow", "info": "blue"}
_SARIF_LEVELS: Final = {"error": "error", "warning": "warning", "info": "note"}
_GITHUB_LEVELS: Final = {"error": "error", "warning": "warning", "info": "notice"}
_SARIF_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"


def as_text(findings: Sequence[Finding]) -> str:
    """Return a paragraph for each finding, as compilers print them, and the number of each severity."""
    return "\n".join((*map(_paragraph, findings), _counted(findings)))


def _counted(findings: Iterable[Finding]) -> str:
    """Return the number of findings: ``1 error, 2 warnings``; "" for none."""
    counts = Counter(finding.severity for finding in findings)
    return ", ".join(
        f"{counts[severity]} {severity}{'s' if counts[severity] > 1 and severity != 'info' else ''}"
        for severity in SEVERITIES
        if counts[severity]
    )


def _paragraph(finding: Finding) -> str:
    severity = click.style(finding.severity, fg=_COLOURS[finding.severity])
    place = str(finding.place)
    lines = [f"{place + ': ' if place else ''}{severity} {finding.rule}: {finding.message}"]
    if finding.advice:
        lines.append(f"  {finding.advice}")
    return "\n".join(lines)


def as_json(findings: Sequence[Finding]) -> str:
    """Return a list of objects with rule, severity, message, advice, file, line, column and path."""
    return json.dumps([_plain(finding) for finding in findings], indent=2, ensure_ascii=False)


def _plain(finding: Finding) -> dict[str, Any]:
    told = asdict(finding)
    place = told.pop("place")
    return {**told, "file": place.pop("source"), **place}


def as_github(findings: Sequence[Finding]) -> str:
    """Return the workflow commands that show findings in a pull request."""
    return "\n".join(map(_command, findings))


def _command(finding: Finding) -> str:
    place = finding.place
    properties = {"file": place.source, "line": place.line, "col": place.column, "title": finding.rule}
    given = ",".join(f"{key}={_escaped(str(value), ':,')}" for key, value in properties.items() if value)
    return f"::{_GITHUB_LEVELS[finding.severity]} {given}::{_escaped(finding.message)}"


def _escaped(text: str, more: str = "") -> str:
    """Return a text escaped for GitHub; the first three characters everywhere, the others in properties."""
    for character in f"%\r\n{more}":
        text = text.replace(character, f"%{ord(character):02X}")
    return text


def as_sarif(findings: Sequence[Finding]) -> str:
    """Return a SARIF 2.1.0 log of one run."""
    used = sorted({finding.rule for finding in findings})
    driver = {
        "name": "sidecar-injector",
        "version": __version__,
        "rules": [
            {
                "id": rule,
                "shortDescription": {"text": RULES[rule].title},
                "help": {"text": RULES[rule].advice},
            }
            for rule in used
            if rule in RULES
        ],
    }
    run = {"tool": {"driver": driver}, "results": [_result(finding) for finding in findings]}
    return json.dumps({"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _result(finding: Finding) -> dict[str, Any]:
    place = finding.place
    # A URI has no spaces, and a file's name may be no UTF-8: its bytes are escaped.
    physical: dict[str, Any] = {"artifactLocation": {"uri": quote(os.fsencode(place.source), safe="/:")}}
    if place.line:
        physical["region"] = {"startLine": place.line}
    location: dict[str, Any] = {"physicalLocation": physical}
    if place.path:
        location["logicalLocations"] = [{"fullyQualifiedName": place.path}]
    return {
        "ruleId": finding.rule,
        "level": _SARIF_LEVELS[finding.severity],
        "message": {"text": finding.message},
        "locations": [location],
    }


FORMATS: Final[Mapping[str, Callable[[Sequence[Finding]], str]]] = {
    "text": as_text,
    "json": as_json,
    "sarif": as_sarif,
    "github": as_github,
}
"""The values of `-o`."""


# ---- the command


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
    if report.failed or (strict and any(each.severity == "warning" for each in report.findings)):
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
    if shown or output != "text":
        click.echo(shown)
    if output == "text" and not report.failed and report.injector is not None:
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
