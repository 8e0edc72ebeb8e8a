"""Istio's function ``render`` (1.2 to 1.13): a text that is itself a template."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from injector.errors import TemplateError
from injector.gotemplate import Function, Struct, StructType, Template, Value, compile_template, types
from injector.istio.releases import Behaviour
from injector.memo import Memo

_KEPT: Final = 256
"""Compiled texts kept; Istio's charts render none, and others one or two."""

_KEPT_BYTES: Final = 4 << 20
"""For compiled texts, of which one may have 900 characters."""

_SMALLEST: Final = 20 << 10
_FACTOR: Final = 256
"""Bytes of any compiled text, and of each of its characters where there are but actions: as measured."""


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
    kept: Memo[tuple[str, StructType], Template] = Memo(_KEPT_BYTES, _KEPT)

    def compiled(text: str, dot: StructType) -> Template:
        template = kept.get((text, dot))
        if template is None:
            template = compile_template(
                "inject", text, functions=functions, dot_type=dot, delimiters=behaviour.delimiters
            )
            kept.put((text, dot), template, _SMALLEST + _FACTOR * len(text))
        return template

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
