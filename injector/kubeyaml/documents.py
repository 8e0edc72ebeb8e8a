"""A file of many YAML documents in, its documents out, split where Kubernetes splits.

The rule is that of k8s.io/apimachinery's YAMLReader, which kubectl and istioctl read files with: a
line that starts with ``---`` ends a document, whatever it stands in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from injector.errors import YAMLError
from injector.json_types import JSON
from injector.kubeyaml.reading import load

_SEPARATOR: Final = "---"


@dataclass(frozen=True, kw_only=True)
class Document:
    """One document of a file.

    ``text`` is the file's own, line ends included; ``line`` is where it starts, from 1; ``separator`` is
    the line that ends it, empty at the end of the file. A separator that follows nothing belongs to
    the text after it, as in Go.
    """

    text: str
    line: int
    separator: str
    source: str = ""

    @cached_property
    def value(self) -> JSON:
        """The document's JSON; raises YAMLError with the file's line, Go's sentence counts the document's."""
        try:
            return load(self.text, source=self.source)
        except YAMLError as error:
            if error.line:
                error.line += self.line - 1
            raise


def documents(text: str, *, source: str = "") -> Iterator[Document]:
    """Yield the documents of ``text`` in order; nothing for empty text.

    Joined, their texts and separators are ``text`` again. Raises YAMLError at a separator line that has
    more than a comment behind it.
    """
    start, first_line = 0, 1
    for line, (position, end) in enumerate(_lines(text), start=1):
        if not text.startswith(_SEPARATOR, position):
            continue
        rest = text[position + len(_SEPARATOR) : end].strip()
        if rest and not rest.startswith("#"):
            raise YAMLError(f"invalid Yaml document separator: {rest}", source=source, line=line)
        if position > start:
            separator = text[position:end]
            yield Document(text=text[start:position], line=first_line, separator=separator, source=source)
            start, first_line = end, line + 1
    if start < len(text):
        yield Document(text=text[start:], line=first_line, separator="", source=source)


def _lines(text: str) -> Iterator[tuple[int, int]]:
    """Yield where each line starts and where the next one does."""
    position = 0
    while position < len(text):
        end = text.find("\n", position) + 1 or len(text)
        yield position, end
        position = end
