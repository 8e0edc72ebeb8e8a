"""Compile the templates of a configuration for what is known before any pod comes.

Most pods have the mesh's own ProxyConfig, so each template is compiled for that as well, and once more
without it when the first other pod comes.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Final

from injector.gotemplate import Function, Template, compile_template, parse
from injector.gotemplate.builtins import BUILTINS
from injector.injection.dot.context import Known, dot_type, known_fields
from injector.istio.mesh.descriptors import Message
from injector.istio.releases import Behaviour

NAME: Final = "inject"
"""What Istio calls every template; it stands in error messages."""


def check_syntax(text: str, functions: Mapping[str, Function], behaviour: Behaviour) -> None:
    """Raise TemplateSyntaxError for a text that is no template of the release."""
    parse(NAME, text, BUILTINS.keys() | functions.keys(), behaviour.delimiters)


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
        """Take it for what is known; ``proxy_config`` is that of most pods. Raises TemplateSyntaxError.

        Unless ``compiled`` it is only parsed, and compiled when the first pod asks for it: charts bring
        templates along that istiod runs elsewhere.
        """
        self._text = text
        self._known = known
        self._functions = functions
        self._proxy_config = proxy_config
        if compiled:
            self.usual  # noqa: B018 - made now, so that no pod has to wait for it
        else:
            check_syntax(text, functions, known.behaviour)

    def with_text(self, text: str) -> InjectionTemplate:
        """Return the template that another text is, for the same that is known."""
        return InjectionTemplate(text, self._known, self._functions, self._proxy_config)

    @cached_property
    def usual(self) -> Template:
        """The template for pods with the mesh's own ProxyConfig."""
        return self._compile(self._proxy_config)

    @cached_property
    def general(self) -> Template:
        """The template for pods whose ProxyConfig is their own."""
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

    def for_config(self, proxy_config: Message) -> Template:
        """Return the compiled form that serves a pod with this ProxyConfig."""
        usual = proxy_config is self._proxy_config or proxy_config == self._proxy_config
        return self.usual if usual else self.general
