"""The annotations and labels that injection reads."""

from __future__ import annotations

from typing import Final

from injector.diagnosis.annotations_table import FORMS, KNOWN, releases
from injector.istio.facts import NEWEST, OLDEST
from referencelib.markdown import table

INTRODUCTION: Final = f"""# Annotations and labels

Every annotation and label that injection of Istio 1.{OLDEST} to 1.{NEWEST} reads on a pod, which is: on
`spec.template.metadata` of its workload. `lint -f` checks them; what is close to a name here and is none is
told with the name that was meant. This page is written by `scripts/reference.py`.

"""


def page() -> str:
    """Return the text of docs/annotations.md."""
    rows = (
        (f"`{name}`", known.kind, FORMS[known.form], releases(known.span), known.default, known.meaning)
        for name, known in sorted(KNOWN.items())
    )
    head = ("name", "kind", "value", "releases", "without it", "what it does")
    return INTRODUCTION + table(head, rows)
