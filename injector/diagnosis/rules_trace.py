"""What a template makes of a pod, each line of it with the line of the template that it came from.

The template's own text gets a mark at the end of each of its lines, and is rendered as any other; the marks
in what comes out say which line wrote it. Where a pod's values stand is known as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from injector.errors import YAMLError
from injector.gotemplate import nodes
from injector.injection.dot.template import InjectionTemplate
from injector.injection.render import TemplateData
from injector.injection.snapshot import Snapshot
from injector.json_types import JSON
from injector.kubeyaml import line_of, load
from injector.rendering import Rendering

_OPEN, _CLOSE = "\ue000", "\ue001"
"""Of Unicode's private use: no template has them, and nothing reads them before they are taken out."""

_MARK: Final = re.compile(f"{_OPEN}([0-9]+){_CLOSE}")
_LINE_END: Final = re.compile(r"(?<=\S)[^\S\n]*$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Traced:
    """A rendered template.

    ``lines[i]`` is the template's line behind line i + 1 of the text. ``holes`` are the lines of the text in
    which the pod's values stand, in their order.
    """

    template: str
    rendering: Rendering
    lines: tuple[int, ...]
    holes: tuple[int, ...]

    @property
    def text(self) -> str:
        """The rendered text."""
        return self.rendering.text

    @cached_property
    def overlay(self) -> JSON | YAMLError:
        """The JSON that the text is read as, or what is wrong with it."""
        try:
            return load(self.text)
        except YAMLError as error:
            return error

    def line(self, rendered: int) -> int:
        """Return the template's line behind a line of the text; 0 where none is known."""
        return self.lines[min(rendered, len(self.lines)) - 1] if rendered and self.lines else 0

    def line_at(self, path: tuple[str | int, ...]) -> int:
        """Return the template's line of the value under keys and indexes of the overlay."""
        return self.line(line_of(self.text, path))


def traced_template(name: str, snapshot: Snapshot) -> InjectionTemplate:
    """Return a template of the configuration that marks its lines; raises TemplateError as compiling does."""
    template = snapshot.templates[name]
    return template.with_text(_marked(template.usual.tree))


def trace(name: str, template: InjectionTemplate, data: TemplateData) -> Traced:
    """Return what a marked template makes of a pod's data; raises TemplateExecError as rendering does."""
    rendering = template.for_config(data.proxy_config).render(data.fields).inlined()
    strings = tuple(_MARK.sub("", text) for text in rendering.strings)
    return Traced(
        template=name,
        rendering=Rendering(strings, rendering.values),
        lines=tuple(_origins(rendering.text)),
        holes=tuple(_holes(strings, rendering.values)),
    )


def _marked(tree: nodes.Tree) -> str:
    """Return the text of a tree with each line of its text nodes marked at its end."""
    text = tree.text
    marks: dict[int, int] = {}
    for body in tree.templates.values():
        for node in nodes.walk(body):
            if isinstance(node, nodes.Text) and text.startswith(node.text, node.pos):
                for end in _LINE_END.finditer(node.text):
                    position = node.pos + end.start()
                    marks[position] = 1 + text.count("\n", 0, position)
    parts, before = [], 0
    for position in sorted(marks):
        parts += [text[before:position], f"{_OPEN}{marks[position]}{_CLOSE}"]
        before = position
    return "".join((*parts, text[before:]))


def _origins(marked: str) -> Iterator[int]:
    """Yield for each line the template's line: its own mark, else the one before it."""
    known = 0
    for line in marked.split("\n"):
        found = _MARK.search(line)
        known = int(found[1]) if found else known
        yield known


def _holes(strings: tuple[str, ...], values: tuple[str, ...]) -> Iterator[int]:
    line = 1
    for before, value in zip(strings, values, strict=False):
        line += before.count("\n")
        yield line
        line += value.count("\n")
