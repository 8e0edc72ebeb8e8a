"""``sidecar-injector explain``: for each workload the rule that decides, and what would change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from injector.cli.configuration import configuration_options, load_injector, say_release
from injector.cli.difference import coloured, difference
from injector.cli.inputs import input_documents
from injector.cli.workloads import place
from injector.errors import InjectionError
from injector.injection.inject import inject_one
from injector.injection.injector import Injector
from injector.injection.kinds import get_at, place_of
from injector.json_types import JSONObject
from injector.kubeyaml import Document

EPILOG = """\b
Examples:
  sidecar-injector explain -f app.yaml -n shop
  kubectl get pod web-0 -o yaml | sidecar-injector explain -f - --diff
"""


@click.command("explain", epilog=EPILOG)
@click.option(
    "-f", "--filename", "filenames", multiple=True, metavar="FILE|DIR|-", help="Manifests; repeatable."
)
@click.option("-R", "--recursive", is_flag=True, help="Read folders with all that is below them.")
@click.option("-n", "--namespace", default="", help="Namespace of workloads that name none.")
@click.option("--diff/--no-diff", default=False, help="Show what would change.")
@configuration_options
def command(*, filenames: Sequence[str], recursive: bool, namespace: str, diff: bool, **flags: Any) -> None:
    """Say for each workload whether the webhook would inject its pods, by which rule, and why.

    Exit code 0, whatever the answers are; 1 when a workload would be denied.
    """
    if not filenames:
        raise click.UsageError("nothing to explain: give -f FILE, a folder, or - for stdin")
    injector = load_injector(flags)
    say_release(injector)
    click.echo(f"behaving as Istio {injector.release}, policy {injector.snapshot.config.policy!r}", err=True)
    denied = False
    for document in input_documents(filenames, recursive=recursive):
        for item in _items(document):
            denied |= not _explained(injector, document, item, namespace, diff=diff)
    if denied:
        raise SystemExit(1)


def _items(document: Document) -> Sequence[JSONObject]:
    value = document.value
    if not isinstance(value, dict):
        return ()
    return value["items"] if str(value.get("kind", "")).endswith("List") and "items" in value else (value,)


def _explained(
    injector: Injector, document: Document, item: JSONObject, namespace: str, *, diff: bool
) -> bool:
    """Print what happens to one object; False when its pod would be denied."""
    found = place_of(item, "")
    if found is None:
        return True
    owner: JSONObject = item.get("metadata") or {}
    pod: JSONObject = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": get_at(item, found.metadata) or {},
        "spec": get_at(item, found.spec) or {},
    }
    own = owner.get("namespace") or namespace
    where = f"{place(document)}: {item.get('kind')} {own + '/' if own else ''}{owner.get('name', '')}"
    try:
        injected, decision = inject_one(pod, own, injector.snapshot)
    except InjectionError as error:
        click.echo(f"{where}: {click.style('denied', fg='red')}: {error}")
        return False
    verdict = click.style("injected", fg="green") if decision.inject else click.style("skipped", fg="yellow")
    click.echo(f"{where}: {verdict} by the rule {decision.rule}: {decision.reason}")
    if diff:
        for line in difference(pod, injected):
            click.echo(coloured(line))
    return True
