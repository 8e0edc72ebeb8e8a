"""``sidecar-injector inject``: add sidecars to the workloads in files."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import orjson

from injector.cli.configuration import (
    configuration_options,
    load_injector,
    say_release,
    without_effect,
)
from injector.cli.files import input_documents, input_options, write_whole
from injector.cli.options import Named, namespace_option, option, pod_template_option
from injector.diagnosis.items import Item, items_of, mapping, misread, unknown_pods
from injector.errors import InjectionError, InjectorError, YAMLError
from injector.injection.injector import Injector
from injector.injection.kinds import is_list, place_of
from injector.injection.workload import WorkloadOutcome
from injector.json_types import JSON, JSONObject
from injector.kubeyaml import Document, dump
from injector.kubeyaml import keep_layout as laid_out

FORMATS = ("yaml", "json")
_PRINTED = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE

EPILOG = """\b
Examples:
  sidecar-injector inject app.yaml | kubectl apply -f -
  sidecar-injector inject -f https://example.com/app.yaml
  kubectl get deployment web -o yaml | sidecar-injector inject -f - | kubectl apply -f -
  sidecar-injector inject manifests/ -o injected.yaml --keep-layout --release 1.4 \\
      --inject-config-file config.yaml --values-file values.json --mesh-config-file mesh.yaml
"""


@click.command("inject", epilog=EPILOG)
@input_options
@click.option(
    "-o",
    "--output",
    default="yaml",
    type=Named(readable=False),
    metavar="yaml|json|FILE",
    help="Format on stdout, or a file to write.",
)
@option(
    "--keep-layout",
    is_flag=True,
    help="Keep order, comments and blank lines of the files; only what is injected is added.",
)
@namespace_option
@pod_template_option
@click.option("-q", "--quiet", is_flag=True, help="Say nothing of what went well.")
@configuration_options
def command(
    *,
    filenames: Sequence[str],
    recursive: bool,
    output: str,
    keep_layout: bool,
    namespace: str,
    pod_template_path: str,
    quiet: bool,
    **flags: Any,
) -> None:
    """Add sidecars to the workloads in files.

    Documents that need nothing pass through byte for byte. When one workload cannot be injected nothing is
    written at all.

    As in istioctl kube-inject, the policy, selectors, Namespaces and ProxyConfig resources have no say: who
    calls it wants injection. `explain` says what the webhook does.
    """
    if not filenames:
        raise click.UsageError("nothing to inject: give -f FILE, a folder, an https address, or - for stdin")
    if output not in FORMATS and (meant := _misspelt(output)):
        raise click.UsageError(f"-o {output}: is it {meant}? A file of that name is written by -o ./{output}")
    if keep_layout and output == "json":
        raise click.UsageError("--keep-layout keeps that of YAML: it has no meaning with -o json")
    injector = load_injector(flags)
    sources = input_documents(filenames, recursive=recursive)
    done = work(injector, sources, namespace=namespace, pod_template_path=pod_template_path)
    if all(source.value is None for source, _ in done):
        raise click.ClickException(f"there is nothing in {', '.join(filenames)}")
    content = written(done, output=output, keep_layout=keep_layout)
    if not quiet:
        say_release(injector)
        for warning in (*injector.warnings, *without_effect(flags, injector)):
            click.echo(f"{click.style('warning:', fg='yellow')} {warning}", err=True)
        for source, outcome in done:
            for line in (*reports(source, outcome), *oddities(source, pod_template_path)):
                click.echo(line, err=True)
    if output in FORMATS:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    else:
        write_whole(Path(output), content)


# ---- documents, and what became of them


Worked = tuple[Document, WorkloadOutcome]
"""A document and its outcome."""


def work(
    injector: Injector, sources: Iterable[Document], *, namespace: str, pod_template_path: str
) -> list[Worked]:
    """Inject every document; raises ClickException with all failures, so that one run shows them all."""
    done: list[Worked] = []
    failed: list[str] = []
    for source in sources:
        try:
            outcome = injector.inject_workload(
                _checked(source.value), namespace=namespace, pod_template_path=pod_template_path
            )
        except InjectionError as error:
            item = Item(value=mapping(source.value), source=source.source)
            failed.append(f"{place(source)}: {item.title}: {error}")
        except InjectorError as error:
            failed.append(str(error))
        else:
            done.append((source, outcome))
    if failed:
        raise click.ClickException("\n".join(failed))
    return done


def _checked(value: JSON) -> JSON:
    """Return a document's value; InjectionError for a List whose items are not a list."""
    if is_list(value) and not isinstance(value.get("items") or [], list):
        raise InjectionError("the items of a List are a list")
    return value


def reports(source: Document, outcome: WorkloadOutcome) -> Iterator[str]:
    """Yield a sentence for each workload of a document."""
    for each in outcome.considered:
        word, colour = ("injected", "green") if each.decision.inject else ("skipped", "yellow")
        name = f"{each.namespace}/{each.name}" if each.namespace else each.name
        verdict = f"{click.style(word, fg=colour)}: {each.decision.reason}"
        yield f"{place(source)}: {each.kind} {name}: {verdict}"


def oddities(source: Document, pod_template_path: str) -> Iterator[str]:
    """Yield a warning for what an API server would refuse, and for a kind whose pods are not known."""
    warning = click.style("warning:", fg="yellow")
    if isinstance(source.value, list):
        advice = "write `kind: List` with them as its items, or a document for each"
        said = f"not injected: this is a list, which kubectl does not take: {advice}"
        yield f"{warning} {place(source)}: {said}"
    for item in items_of([source]):
        found = place_of(item.value, pod_template_path)
        for finding in misread(item, found.spec[:-1]) if found else ():
            yield f"{warning} {finding.place}: {finding.message}: {finding.advice}"
        if not found and (said := unknown_pods(item)):
            yield f"{warning} {item.at()}: not injected: {said}"


def place(source: Document) -> str:
    """Return where a document starts."""
    return f"{source.source}:{source.line}"


# ---- output


def written(done: Sequence[Worked], *, output: str, keep_layout: bool) -> bytes:
    """Return the output for stdout or the file."""
    if output == "json":
        return as_json(done)
    return "".join(as_written(done) if keep_layout else as_yaml(done)).encode()


@contextmanager
def _naming(source: Document) -> Iterator[None]:
    """Name the document whose result cannot be written as YAML; raises ClickException."""
    try:
        yield
    except YAMLError as error:
        item = Item(value=mapping(source.value), source=source.source)
        reason = f"{place(source)}: {item.title}: {error}; -o json can write it"
        raise click.ClickException(reason) from error


def _misspelt(output: str) -> str:
    """Return the format meant by a value that looks like neither a format nor a file; "" if there is none."""
    if "." in output or "/" in output:
        return ""
    return next(iter(difflib.get_close_matches(output.lower(), FORMATS, n=1)), "")


def as_yaml(done: Sequence[Worked]) -> Iterator[str]:
    """Yield the documents as istioctl prints them: each ends with a separator, including the last."""
    for source, outcome in done:
        with _naming(source):
            text = dump(outcome.document) if outcome.reencoded else source.text
        yield text if text.endswith("\n") or not text else f"{text}\n"
        yield "---\n"


def as_written(done: Sequence[Worked]) -> Iterator[str]:
    """Yield the files one after the other as they were written, with what was injected."""
    for number, (source, outcome) in enumerate(done, start=1):
        with _naming(source):
            text = laid_out(source.text, outcome.as_written) if outcome.injected else source.text
        yield text
        if source.separator or number == len(done):
            yield source.separator
        else:  # the last document of a file, with another file after it
            yield "---\n" if text.endswith("\n") or not text else "\n---\n"


def as_json(done: Sequence[Worked]) -> bytes:
    """Return one object, or a List for several, as kubectl accepts it; sorted as kubectl does.

    The List has the metadata that a second injection would give it.
    """
    objects: list[JSON] = [outcome.document for _, outcome in done if outcome.document is not None]
    several: JSONObject = {"apiVersion": "v1", "kind": "List", "metadata": {}, "items": objects}
    return orjson.dumps(objects[0] if len(objects) == 1 else several, option=_PRINTED)
