"""Findings to text, JSON, SARIF or the annotations of a GitHub workflow."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import click

from injector import __version__
from injector.diagnosis.findings import SEVERITIES, Finding
from injector.diagnosis.rules_table import RULES

_COLOURS: Final = {"error": "red", "warning": "yellow", "info": "blue"}
_SARIF_LEVELS: Final = {"error": "error", "warning": "warning", "info": "note"}
_GITHUB_LEVELS: Final = {"error": "error", "warning": "warning", "info": "notice"}
_SARIF_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"


def as_text(findings: Sequence[Finding]) -> str:
    """Return a paragraph a finding, as compilers print them, and how many there are of each severity."""
    return "\n".join((*map(_paragraph, findings), summary(findings)))


def summary(findings: Iterable[Finding]) -> str:
    """Return how many findings there are: ``1 error, 2 warnings``; "" for none."""
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
    place = finding.place
    return {
        "rule": finding.rule,
        "severity": finding.severity,
        "message": finding.message,
        "advice": finding.advice,
        "file": place.source,
        "line": place.line,
        "column": place.column,
        "path": place.path,
    }


def as_github(findings: Sequence[Finding]) -> str:
    """Return the workflow commands that put findings into a pull request."""
    return "\n".join(map(_command, findings))


def _command(finding: Finding) -> str:
    place = finding.place
    properties = {"file": place.source, "line": place.line, "col": place.column, "title": finding.rule}
    given = ",".join(f"{key}={_escaped(str(value), ':,')}" for key, value in properties.items() if value)
    return f"::{_GITHUB_LEVELS[finding.severity]} {given}::{_escaped(finding.message)}"


def _escaped(text: str, more: str = "") -> str:
    """Return a text as GitHub reads it back; the first three in any text, the others in properties."""
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
    physical: dict[str, Any] = {"artifactLocation": {"uri": place.source}}
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
"""What `-o` may say."""
