"""The first gate: whether kube-apiserver calls our webhook for a pod, and what else may come of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from injector.diagnosis.findings import Gate, Status, Verdict
from injector.diagnosis.registration import Entry, Outcome

_MEANING: Final[dict[Outcome, tuple[Verdict, Status]]] = {
    "rejected": ("denied", "stopped"),
    "called": ("injected", "passed"),
    "unknown": ("unknown", "warned"),
    "skipped": ("skipped", "stopped"),
}
"""What several entries come to: the first of these that one of them has."""


def judged(mine: Sequence[Entry], found: Sequence[Entry]) -> tuple[Verdict, list[Gate]]:
    """Return what becomes of the call to one of our entries, of which there is at least one, and why.

    ``found`` are all entries that there are, in the order in which they are called.
    """
    outcome = next(each for each in _MEANING if any(entry.outcome == each for entry in mine))
    verdict, status = _MEANING[outcome]
    entry = _nearest([entry for entry in mine if entry.outcome == outcome])
    if outcome != "called":
        return verdict, list(_hindered(entry, status))
    message = f"the API server calls webhook {entry.name} for it"
    called = Gate(name="registration", status=status, rule="called", message=message, place=entry.place)
    return verdict, [called, *_company(entry, found)]


def _nearest(candidates: Sequence[Entry]) -> Entry:
    """Return the entry that the pod misses by the least, of several such the simplest."""
    return min(candidates, key=lambda each: (len(each.obstacles), each.weight))


def _hindered(entry: Entry, status: Status) -> Iterator[Gate]:
    """Yield what hinders the call; after the first only what would have to change as well."""
    kind = "no" if entry.outcome == "skipped" else entry.outcome
    obstacles = [each for each in entry.obstacles if each.kind == kind]
    for index, each in enumerate(obstacles):
        words = f"webhook {entry.name} is not called: " if kind == "no" else f"webhook {entry.name}: "
        yield Gate(
            name="registration",
            status=status if index == 0 else "warned",
            rule=each.rule,
            message=f"{words if index == 0 else 'and '}{each.message}",
            place=each.place,
            advice=each.advice,
        )


def _company(entry: Entry, found: Sequence[Entry]) -> Iterator[Gate]:
    """Yield what can go wrong although the entry is called."""

    def warned(rule: str, message: str, about: Entry, advice: str) -> Gate:
        return Gate(
            name="registration", status="warned", rule=rule, message=message, place=about.place, advice=advice
        )

    if entry.value.get("failurePolicy") == "Ignore":
        message = (
            f"webhook {entry.name} has failurePolicy Ignore: while it does not answer, pods lack the sidecar"
        )
        yield warned("failurePolicy", message, entry, "set failurePolicy: Fail")
    for other in found:
        if other.role == "ours" or other.outcome not in ("called", "rejected"):
            continue
        if other.outcome == "rejected":
            yield warned("matchConditions", f"webhook {other.name}: {other.obstacles[0].message}", other, "")
        elif other.role == "rival":
            message = f"webhook {other.name} of {other.configuration.name} is called too, and injects as well"
            advice = "have one injector answer for the namespace: change its label or one of the selectors"
            yield warned("rival", message, other, advice)
        elif found.index(other) > found.index(entry) and _is_called_once(entry):
            message = f"webhook {other.name} is called later: what it changes, the injector does not see"
            yield warned("reinvocationPolicy", message, other, "set reinvocationPolicy: IfNeeded of ours")


def _is_called_once(entry: Entry) -> bool:
    return entry.value.get("reinvocationPolicy") != "IfNeeded"
