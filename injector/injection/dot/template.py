"""Compile the templates of a configuration for what is known before any pod comes.

Most pods are usual: they have the mesh's own ProxyConfig and do not name an image type. So each template is
compiled for these pods and for the mesh, and once more without them when the first other pod comes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache, cached_property
from typing import Final

from injector.gotemplate import Function, Template, compile_template, parse
from injector.gotemplate.builtins import BUILTINS
from injector.injection.dot.context import FACTS, Known, dot_type, known_fields
from injector.injection.dot.functions import function_map
from injector.istio.facts import Span
from injector.istio.mesh.descriptors import Message
from injector.istio.releases import RELEASES, Behaviour, behaviour_of

NAME: Final = "inject"
"""Istio's name for every template, which error messages show."""


class InjectionTemplate:
    """One template of the configuration, compiled."""

    def __init__(
        self,
        text: str,
        known: Known,
        functions: Mapping[str, Function],
        proxy_config: Message,
        *,
        compiled: bool = True,
    ) -> None:
        """Compile for what is known; ``proxy_config`` is that of most pods. Raises TemplateSyntaxError.

        Unless ``compiled``, it is only parsed, and compiled when the first pod asks for it: charts contain
        templates that istiod runs elsewhere.
        """
        self._text = text
        self._known = known
        self._functions = functions
        self._proxy_config = proxy_config
        if compiled:
            self.usual  # noqa: B018 - made now, so that no pod has to wait for it
        else:
            parse(NAME, text, BUILTINS.keys() | functions.keys(), known.behaviour.delimiters)

    def with_text(self, text: str) -> InjectionTemplate:
        """Return the template of another text, compiled for the same known values."""
        return InjectionTemplate(text, self._known, self._functions, self._proxy_config)

    @cached_property
    def usual(self) -> Template:
        """The template for usual pods."""
        return self._compile(self._proxy_config)

    @cached_property
    def general(self) -> Template:
        """The template for all others."""
        return self._compile(None)

    def _compile(self, proxy_config: Message | None) -> Template:
        behaviour = self._known.behaviour
        return compile_template(
            NAME,
            self._text,
            functions=self._functions,
            known=known_fields(self._known, proxy_config),
            dot_type=dot_type(behaviour),
            delimiters=behaviour.delimiters,
        )

    def for_pods(self, *, usual: bool) -> Template:
        """Return the compiled form that serves pods that are usual, or that are not."""
        return self.usual if usual else self.general


# What the release does not have: fields and functions of another release, or of a fork. Vendors change
# Istio's Go and use their additions in their templates: OpenShift Service Mesh (Maistra) has ``.ProxyUID`` in
# its 1.12 and ``appendMultusNetwork`` in its 1.4.

_UNKNOWN_FUNCTION: Final = re.compile(r'function "(\w+)" not defined')
_FIELDS: Final[Mapping[str, Span]] = {fact.name: fact.span for fact in FACTS}
_OF_FORKS: Final = frozenset({".Release"})  # added by vendors, in no release of Istio
_FIELD: Final = re.compile(rf"(?<![\w)])(?:{'|'.join(map(re.escape, [*_FIELDS, *_OF_FORKS]))})\b")
_ADVICE: Final = (
    "A vendor may have added it to its own Istio, as OpenShift Service Mesh does: take Istio's own template"
)


def advice_on_function(error: str) -> str:
    """Return what to add to an error of a template that calls a function of another release; else ""."""
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
    """Yield a sentence for each field of the dot that a template uses and the release does not have.

    Running such an action is an error, so pods are denied; in a branch that is not taken it does no harm.
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
