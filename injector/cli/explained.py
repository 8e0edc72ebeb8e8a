"""Write the walks of pods through the gates as the text, JSON or YAML that `explain` prints."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Final

import click
import orjson

from injector.diagnosis.findings import Finding, Gate, Verdict
from injector.diagnosis.gates import Walk
from injector.diagnosis.running import Running
from injector.golang.jsontext import without_surrogates
from injector.json_types import JSON, JSONObject
from injector.kubeyaml import dump

VERDICTS: Final[dict[Verdict, tuple[str, str]]] = {
    "injected": ("injected", "green"),
    "unknown": ("injected if called", "cyan"),
    "skipped": ("not injected", "yellow"),
    "denied": ("denied", "red"),
}
"""The words for each verdict, and its colour."""

UNSEEN: Final = "unseen"
"""The rule where no registration was read: the advice is the same for every workload, and given once."""
HEAD: Final = ("WORKLOAD", "PODS ARE", "GATE", "RULE", "WHY")
INDENT: Final = "    "
COLOURS: Final = {"+": "green", "-": "red", "@": "cyan"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One workload with its walk, the oddities of its text, and its running pods."""

    walk: Walk
    findings: tuple[Finding, ...] = ()
    pods: tuple[Running, ...] = ()

    @property
    def subject(self) -> str:
        """Kind and name as kubectl's users write them."""
        item = self.walk.item
        name = f"{self.walk.namespace}/{item.name}" if self.walk.namespace else item.name
        return f"{item.kind} {name}"


def summary(explained: Sequence[Explained]) -> str:
    """Return the number of workloads by verdict, in one line."""
    counts = Counter(each.walk.verdict for each in explained)
    parts = [f"{counts[verdict]} {word}" for verdict, (word, _) in VERDICTS.items() if counts[verdict]]
    noun = "workload" if len(explained) == 1 else "workloads"
    return f"{len(explained)} {noun}: {', '.join(parts)}"


def table(explained: Sequence[Explained], *, diff: bool) -> Iterator[str]:
    """Yield the lines for people: the summary, a row for each workload, below it what to do."""
    yield summary(explained)
    yield ""
    rows = [_row(each) for each in explained]
    widths = [max(map(len, column)) for column in zip(HEAD[:-1], *(row[:-1] for row in rows), strict=True)]
    yield _aligned(HEAD, widths)
    for each, row in zip(explained, rows, strict=True):
        yield _aligned(row, widths, colour=VERDICTS[each.walk.verdict][1])
        yield from (f"{INDENT}{line}" for line in _details(each))
        if diff:
            yield from (coloured(line) for line in difference(each.walk.pod, each.walk.injected))
    unseen = (gate for each in explained for gate in each.walk.gates if gate.rule == UNSEEN)
    if gate := next(unseen, None):
        yield ""
        yield f"The registration was not looked at: {gate.advice}"


def _row(each: Explained) -> tuple[str, ...]:
    gate = each.walk.decisive
    return each.subject, VERDICTS[each.walk.verdict][0], gate.name, gate.rule, _in_one_line(gate.message)


def _aligned(row: Sequence[str], widths: Sequence[int], *, colour: str = "") -> str:
    cells = [cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=True)]
    if colour:
        cells[1] = click.style(cells[1], fg=colour)
    return "   ".join([*cells, row[-1]])


def _details(each: Explained) -> Iterator[str]:
    gate = each.walk.decisive
    yield f"at {gate.place}"
    if gate.advice and gate.rule != UNSEEN:
        yield f"do: {gate.advice}"
    for then in each.walk.gates:
        if (then.name == "policy" and then is not gate) or then.name == "merge":
            yield f"{then.name}: {_in_one_line(then.message)}"
    warnings: tuple[Gate | Finding, ...] = (*each.walk.warnings, *each.findings)
    for said in warnings:
        if said.rule == UNSEEN:
            continue
        yield f"{click.style('warning:', fg='yellow')} {_in_one_line(said.message)} ({said.place})"
        if said.advice:
            yield f"{INDENT}do: {said.advice}"
    for pod in each.pods:
        yield f"pod {pod.name} {pod.sentence}"


def _in_one_line(text: str) -> str:
    return " ".join(text.split())


# ---- what changes in a pod


def difference(before: JSON, after: JSON) -> Iterator[str]:
    """Return the lines of a unified diff of both as YAML, without ends; none when they are equal."""
    old, new = dump(before).splitlines(), dump(after).splitlines()
    return difflib.unified_diff(old, new, "before", "after", lineterm="")


def coloured(line: str) -> str:
    """Return a diff's line in the colour of its kind."""
    if line.startswith(("+++", "---")):
        return click.style(line, bold=True)
    colour = COLOURS.get(line[:1])
    return click.style(line, fg=colour) if colour else line


# ---- for programs


def document(
    explained: Sequence[Explained], *, release: str, policy: str, remarks: Iterable[str], diff: bool
) -> JSONObject:
    """Return everything as JSON: the summary, and for each workload every gate that its pod has reached."""
    counts = Counter(each.walk.verdict for each in explained)
    return {
        "summary": {"workloads": len(explained), **{verdict: counts[verdict] for verdict in VERDICTS}},
        "release": release,
        "policy": policy,
        "remarks": list(remarks),
        "workloads": [_workload(each, diff=diff) for each in explained],
    }


def _workload(each: Explained, *, diff: bool) -> JSONObject:
    walk = each.walk
    found: JSONObject = {
        "kind": walk.item.kind,
        "namespace": walk.namespace,
        "name": walk.item.name,
        "place": asdict(walk.item.at()),
        "verdict": walk.verdict,
        "decidedBy": _gate(walk.decisive),
        "gates": [_gate(gate) for gate in walk.gates],
        "findings": [asdict(finding) for finding in each.findings],
        "pods": [_running(pod) for pod in each.pods],
    }
    return found | ({"diff": list(difference(walk.pod, walk.injected))} if diff else {})


def _gate(gate: Gate) -> JSONObject:
    fields = asdict(gate)
    return {"gate": fields.pop("name"), **fields}


def _running(pod: Running) -> JSONObject:
    fields = asdict(pod)
    older = fields.pop("older")
    return {**fields, "olderThan": older}


def encoded(value: JSON, output: str) -> str:
    """Return a document as JSON or YAML; U+FFFD replaces what is not UTF-8 in a file's name."""
    if output == "json":
        return orjson.dumps(without_surrogates(value), option=orjson.OPT_INDENT_2).decode()
    return dump(value).removesuffix("\n")
