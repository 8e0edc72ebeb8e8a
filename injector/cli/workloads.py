"""Documents to outcomes, each with the sentence that tells a person of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import click

from injector.diagnosis.material import items_of, misread, unknown_pods
from injector.errors import InjectionError, InjectorError
from injector.injection.injector import Injector
from injector.injection.kinds import get_at, is_list, place_of
from injector.injection.workload import Considered, WorkloadOutcome
from injector.kubeyaml import Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Worked:
    """A document and what became of it."""

    source: Document
    outcome: WorkloadOutcome


class WorkloadError(InjectorError):
    """Every workload that cannot be injected, a sentence each."""

    def __init__(self, sentences: list[str]) -> None:
        super().__init__(sentences)
        self.sentences = sentences

    def __str__(self) -> str:
        """Return one sentence a line."""
        return "\n".join(self.sentences)


def work(
    injector: Injector, sources: Iterable[Document], *, namespace: str, pod_template_path: str
) -> list[Worked]:
    """Inject every document; raises WorkloadError with all that failed, so that one run shows them all."""
    done: list[Worked] = []
    failed: list[str] = []
    for source in sources:
        try:
            outcome = injector.inject_workload(
                _checked(source.value), namespace=namespace, pod_template_path=pod_template_path
            )
        except InjectionError as error:
            failed.append(f"{place(source)}: {_subject(source)}: {error}")
        except InjectorError as error:
            failed.append(str(error))
        else:
            done.append(Worked(source=source, outcome=outcome))
    if failed:
        raise WorkloadError(failed)
    return done


def _checked(value: Any) -> Any:
    """Return a document's value; InjectionError for a List that has something else for items."""
    if is_list(value) and not isinstance(value.get("items") or [], list):
        raise InjectionError("the items of a List are a list")
    return value


def reports(worked: Worked) -> Iterator[str]:
    """Yield a sentence for each workload of a document."""
    for each in worked.outcome.considered:
        verdict = (
            click.style("injected", fg="green")
            if each.decision.inject
            else click.style("skipped", fg="yellow")
        )
        yield f"{place(worked.source)}: {subject(each)}: {verdict}: {each.decision.reason}"


def oddities(worked: Worked, pod_template_path: str) -> Iterator[str]:
    """Yield a warning for what an API server would refuse, and for a kind whose pods nobody knows."""
    warning = click.style("warning:", fg="yellow")
    for item in items_of([worked.source]):
        found = place_of(item.value, pod_template_path)
        for finding in misread(item, found.spec[:-1]) if found else ():
            yield f"{warning} {finding.place}: {finding.message}: {finding.advice}"
        if not found and (said := unknown_pods(item)):
            yield f"{warning} {item.at()}: not injected: {said}"


def subject(considered: Considered) -> str:
    """Return a workload's kind and name as kubectl writes them."""
    name = f"{considered.namespace}/{considered.name}" if considered.namespace else considered.name
    return f"{considered.kind} {name}"


def place(source: Document) -> str:
    """Return where a document starts."""
    return f"{source.source}:{source.line}"


def _subject(source: Document) -> str:
    value: Any = source.value
    name = get_at(value, ("metadata", "name")) or get_at(value, ("metadata", "generateName")) or "?"
    return f"{value.get('kind', 'object')} {name}"
