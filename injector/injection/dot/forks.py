"""What a template wants that its release does not have, and what to do: it is another release's, or a fork's.

Vendors change Istio's Go and use what they added in their templates: OpenShift Service Mesh (Maistra) has
``.ProxyUID`` in its 1.12 and ``appendMultusNetwork`` in its 1.4.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final

from injector.injection.dot import context
from injector.injection.dot.functions import function_map
from injector.istio.facts import Span
from injector.istio.releases import RELEASES, Behaviour, behaviour_of

_UNKNOWN_FUNCTION: Final = re.compile(r'function "(\w+)" not defined')
_FIELDS: Final[Mapping[str, Span]] = {fact.name: fact.span for fact in context.FACTS}
_OF_FORKS: Final = frozenset({".Release"})  # what vendors added and no release of Istio has
_FIELD: Final = re.compile(rf"(?<![\w)])(?:{'|'.join(map(re.escape, [*_FIELDS, *_OF_FORKS]))})\b")
_ADVICE: Final = (
    "A vendor may have added it to its own Istio, as OpenShift Service Mesh does: take Istio's own template"
)


def advice_on_function(error: str) -> str:
    """Return what to put behind an error of a template that calls a function of another release; else ""."""
    match = _UNKNOWN_FUNCTION.search(error)
    releases = _releases_with(match[1]) if match else []
    if not releases:
        return ""
    return f"; Istio {releases[0]} to {releases[-1]} has it: is the release right? {_ADVICE}"


@cache
def _releases_with(function: str) -> list[str]:
    return [
        release for release in RELEASES if function in function_map(behaviour_of(release), env={}, mesh=None)
    ]


def foreign_fields(templates: Mapping[str, str], behaviour: Behaviour) -> Iterator[str]:
    """Yield a sentence for each field of the dot that a template names and the release does not have.

    To run such an action is an error, so pods are refused; a branch that is not taken does no harm.
    """
    for template, text in templates.items():
        path = f"templates.{template}" if behaviour.overlays else "template"
        for name in sorted(set(_FIELD.findall(text))):
            span = _FIELDS.get(name)
            if span is None:
                yield f"{path} has {name}, which no Istio has. {_ADVICE}"
            elif not span.covers(behaviour.minor):
                has = f"Istio 1.{span.since} to 1.{span.until} has it: is the release right?"
                yield f"{path} has {name}, which {behaviour.release} has not. {has} {_ADVICE}"
