"""Every exception of ours.

InjectorError
├── ConfigError          configuration that cannot be used: file, line, path, reason
├── YAMLError            text that is not the YAML that Kubernetes reads: source, line, column, reason
├── TemplateError        a template that cannot be used: name, line, column
│   ├── TemplateSyntaxError   found while parsing, so at load
│   └── TemplateExecError     found while rendering, so for one pod
├── PatchError           a JSON patch or strategic merge that does not apply: path, reason
├── TypedError           JSON that does not fit its Go type
├── BadReview            the call itself was wrong: HTTP status and a sentence
├── DeadlineError        nobody waits for the answer any more: HTTP 503, to be asked again
└── InjectionError       the pod cannot be injected: answered with 200, allowed false
    └── LimitError       it would cost more than one review may: the limit's name
"""

from __future__ import annotations


class InjectorError(Exception):
    """The base: ``str()`` is one sentence for the person who has to act. Never raised itself."""


class ConfigError(InjectorError):
    """Configuration that cannot be used; ``str()`` names file, line, path and reason.

    ``detail`` may quote a pod and is for the log only: ``str()`` is shown on pages that anybody may read.
    """

    def __init__(
        self, reason: str, *, file: str = "", line: int = 0, path: str = "", detail: str = ""
    ) -> None:
        super().__init__(reason, file, line, path)
        self.reason = reason
        self.file = file
        self.line = line
        self.path = path
        self.detail = detail

    def __str__(self) -> str:
        """Join what is known: ``file:line: path: reason``."""
        place = f"{self.file}:{self.line}" if self.file and self.line else self.file
        return ": ".join(part for part in (place, self.path, self.reason) if part)


class YAMLError(InjectorError):
    """Text that Kubernetes would not read as YAML; lines and columns count from 1, 0 where unknown."""

    def __init__(self, reason: str, *, source: str = "", line: int = 0, column: int = 0) -> None:
        super().__init__(reason, source, line, column)
        self.reason = reason
        self.source = source
        self.line = line
        self.column = column

    def __str__(self) -> str:
        """Join what is known: ``source:line: reason``."""
        place = f"{self.source}:{self.line}" if self.source and self.line else self.source
        return f"{place}: {self.reason}" if place else self.reason


class TemplateError(InjectorError):
    """A template that cannot be used; ``str()`` is Go's wording: ``template: name:line: …``."""

    def __init__(self, message: str, *, name: str = "", line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.name = name
        self.line = line
        self.column = column


class TemplateSyntaxError(TemplateError):
    """Found while parsing: the configuration is rejected."""


class TemplateExecError(TemplateError):
    """Found while rendering: this pod is denied."""


class PatchError(InjectorError):
    """A JSON patch or strategic merge that does not apply."""

    def __init__(self, reason: str, *, path: str = "") -> None:
        super().__init__(reason, path)
        self.reason = reason
        self.path = path

    def __str__(self) -> str:
        """Join the JSON pointer and the reason."""
        return f"{self.path}: {self.reason}" if self.path else self.reason


class TypedError(InjectorError):
    """JSON that does not fit the Go type it is decoded into; ``str()`` has encoding/json's wording."""


class BadReview(InjectorError):  # noqa: N818 - the library's fixed name
    """The call was wrong, not the pod: answered with ``status`` (4xx) and ``message`` as plain text."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message)  # as given: another process unpickles the error from them
        self.status = status
        self.message = message

    def __str__(self) -> str:
        """Return the sentence without the status."""
        return self.message


class InjectionError(InjectorError):
    """The pod cannot be injected: answered with 200, ``allowed: false`` and this sentence.

    ``gate`` says at which step the pod was stopped (see `injector.diagnosis.gates`), "" where unknown.
    """

    def __init__(self, sentence: str, *, gate: str = "") -> None:
        super().__init__(sentence)
        self.gate = gate


class LimitError(InjectionError):
    """The pod needs more than the limit ``name`` allows one review; ``str()`` says which part of it does."""

    def __init__(self, sentence: str, *, name: str) -> None:
        super().__init__(sentence)
        self.name = name


class DeadlineError(InjectorError):
    """The deadline passed before the answer: it says nothing about the pod, so 503, to be asked again."""
