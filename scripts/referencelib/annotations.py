"""The annotations and labels that injection reads."""

from __future__ import annotations

from typing import Final

from injector.diagnosis.annotations_table import FORMS, KNOWN, releases
from injector.istio.facts import NEWEST, OLDEST
from referencelib.markdown import table

INTRODUCTION: Final = f"""# Annotations and labels

Every annotation and label that the injection of Istio 1.{OLDEST} to 1.{NEWEST} reads. Set them on the pod:
in a workload, on `spec.template.metadata` and not on the workload itself. `sidecar-injector lint -f FILE`
checks them, and for a misspelt name it suggests the right one. [why-not-injected.md](why-not-injected.md)
answers common questions about them. This page is written by `scripts/reference.py`.

"""


def page() -> str:
    """Return the text of docs/annotations.md."""
    rows = (
        (f"`{name}`", known.kind, FORMS[known.form], releases(known.span), known.default, known.meaning)
        for name, known in sorted(KNOWN.items())
    )
    head = ("name", "kind", "value", "releases", "without it", "what it does")
    return INTRODUCTION + table(head, rows)
