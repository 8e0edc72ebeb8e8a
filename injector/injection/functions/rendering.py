"""Istio's function ``render`` (1.2 to 1.13): a text that is itself a template. Knows no pod."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

from injector.errors import TemplateError
from injector.gotemplate import Function, Struct, StructType, Template, Value, compile_template, types
from injector.injection.releases import Behaviour

_KEPT: Final = 256
"""Compiled texts kept; Istio's charts render one or two."""


def renderer(functions: Mapping[str, Function], behaviour: Behaviour) -> Function:
    """Return the function; the text may call ``functions``, and what fails renders as ""."""
    return Function(
        call=_render(functions, behaviour),
        params=(types.STRING,),
        result=types.STRING,
        pure=False,
        needs_dot=True,
    )


def _render(functions: Mapping[str, Function], behaviour: Behaviour) -> Callable[[Value, str], str]:
    @lru_cache(maxsize=_KEPT)
    def compiled(text: str, dot: StructType) -> Template:
        return compile_template(
            "inject", text, functions=functions, dot_type=dot, delimiters=behaviour.delimiters
        )

    def render(dot: Value, text: str) -> str:
        if behaviour.delimiters[0] not in text:
            return text
        if not isinstance(dot, Struct):  # in a template that was called with something else
            return ""
        try:
            template = compiled(text, dot.type)
            return template.render({name: dot.get(name) for name in dot.type.fields}).text
        except TemplateError:
            return ""

    return render
