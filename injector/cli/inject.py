"""``sidecar-injector inject``: files in, the same files with sidecars out."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import orjson

from injector import kubeyaml
from injector.cli.configuration import configuration_options, load_injector, say_release
from injector.cli.files import write_whole
from injector.cli.inputs import input_documents, input_options
from injector.cli.options import namespace_option, option, pod_template_option
from injector.cli.workloads import Worked, oddities, reports, work
from injector.json_types import JSON
from injector.kubeyaml import dump

FORMATS = ("yaml", "json")

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
    "-o", "--output", default="yaml", metavar="yaml|json|FILE", help="Format on stdout, or a file to write."
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
    if not quiet:
        say_release(injector)
        for warning in injector.warnings:
            click.echo(f"{click.style('warning:', fg='yellow')} {warning}", err=True)
        for worked in done:
            for line in (*reports(worked), *oddities(worked, pod_template_path)):
                click.echo(line, err=True)
    if output == "json":
        write(json_output(done), output)
    else:
        write(kept_output(done) if keep_layout else yaml_output(done), output)


def _misspelt(output: str) -> str:
    """Return the format that was meant by what looks like neither a format nor a file; "" where none was."""
    if "." in output or "/" in output:
        return ""
    return next(iter(difflib.get_close_matches(output, FORMATS, n=1)), "")


def write(content: bytes, output: str) -> None:
    """Write to stdout, or to the file whole."""
    if output in FORMATS:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    else:
        write_whole(Path(output), content)


def yaml_output(done: Sequence[Worked]) -> bytes:
    """Return the documents as istioctl prints them: each ends with a separator, the last one too."""
    return "".join(_yaml_pieces(done)).encode()


def _yaml_pieces(done: Sequence[Worked]) -> Iterator[str]:
    for worked in done:
        text = dump(worked.outcome.document) if worked.outcome.reencoded else worked.source.text
        yield text if text.endswith("\n") or not text else f"{text}\n"
        yield "---\n"


def kept_output(done: Sequence[Worked]) -> bytes:
    """Return the files one behind the other as they were written, with what was injected."""
    return "".join(_kept_pieces(done)).encode()


def _kept_pieces(done: Sequence[Worked]) -> Iterator[str]:
    for place, worked in enumerate(done, start=1):
        text = worked.source.text
        if worked.outcome.injected:
            text = kubeyaml.keep_layout(text, worked.outcome.as_written)
        yield text
        if worked.source.separator or place == len(done):
            yield worked.source.separator
        else:  # the last document of a file that another follows
            yield "---\n" if text.endswith("\n") or not text else "\n---\n"


def json_output(done: Sequence[Worked]) -> bytes:
    """Return one object, or a List that kubectl takes when there are several."""
    objects: list[JSON] = [each.outcome.document for each in done if each.outcome.document is not None]
    document = objects[0] if len(objects) == 1 else {"apiVersion": "v1", "kind": "List", "items": objects}
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
