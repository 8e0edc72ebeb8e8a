"""Evaluate the CEL matchConditions of a webhook on one pod as kube-apiserver does.

The language is Google's own implementation (`cel-expr-python`, CEL's C++ runtime): of the libraries for
Python only this one has the optional syntax (``object.metadata.?labels``) and checks an expression before it
runs. It lacks what Kubernetes adds to the language (quantities, URLs, addresses, `authorizer`, …): then the
answer is that the condition cannot be evaluated here, never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, Literal

from injector.json_types import JSON

VARIABLES: Final = ("object", "oldObject", "request")

_ASKS_WHO: Final = re.compile(r"\buserInfo\b|\brequest\s*\.\s*\??\s*options\b")
_ASKS_UID: Final = re.compile(r"\brequest\s*\.\s*\??\s*uid\b")
_UNDECLARED: Final = re.compile(r"undeclared reference to '(\w+)[\w.]*'")

ADDED: Final = frozenset(
    {
        *("authorizer", "base64", "cidr", "distinct", "find"),
        *("findAll", "flatten", "format", "ip", "isCIDR", "isIP", "isQuantity", "isSemver", "isSorted"),
        *("isURL", "jsonpatch", "lists", "math", "max", "min", "quantity", "regex", "semver", "sets"),
        *("slice", "sort", "sortBy", "sum", "url"),
    }
)
"""Names that Kubernetes adds for expressions, and that cannot be evaluated here."""

_BOOLEAN_FIELDS: Final = ("request.dryRun",)
"""Fields that an API server knows to be boolean; here everything is dynamic."""
_POSITION: Final = re.compile(r"ERROR: <input>:(\d+):(\d+): ([^\n]*)")
_CONTAINER: Final = " (in container '')"
_STATUS_CODE: Final = re.compile(r"^[A-Z_]+: ")

KEPT: Final = 256
"""Expressions that stay compiled: a webhook may have 64 conditions, and a cluster has a few such webhooks."""

Answer = Literal["true", "false", "error", "unknown"]
"""``error``: the API server cannot evaluate it on this pod either. ``unknown``: it can, we cannot."""


def evaluate(expression: str, variables: Mapping[str, JSON]) -> tuple[Answer, str]:
    """Return the result of a condition for a pod, and the reason of an error or an unknown result.

    ``variables`` are `object`, `oldObject` and `request`. In a request without ``userInfo`` the sender is
    unknown: so is a condition that reads it.
    """
    if _ASKS_WHO.search(expression) and "userInfo" not in variables["request"]:
        return "unknown", "it depends on who creates the pod"
    if _ASKS_UID.search(expression):
        return "unknown", "it depends on the request's uid, which is another each time"
    if expression.strip() in _BOOLEAN_FIELDS:
        expression = f"{expression} == true"
    run = _compiled(expression)
    if isinstance(run, str):
        return "unknown", run
    value = run(data=dict(variables))
    if value.type().name() == "ERROR":
        return "error", _STATUS_CODE.sub("", str(value.value()))
    return ("true" if value.value() else "false"), ""


@lru_cache(maxsize=KEPT)
def _compiled(expression: str) -> Callable[..., Any] | str:
    """Return the compiled expression, or why it cannot be evaluated here."""
    try:
        program = _environment().compile(expression)
    except RuntimeError as error:  # the library has no exception class of its own
        return _fault(str(error))
    if (kind := program.return_type().name()) != "BOOL":
        return f"an API server takes only what is a boolean for sure, not {kind.lower()}"
    evaluate_program: Callable[..., Any] = program.eval
    return evaluate_program


def _fault(text: str) -> str:
    """Return the library's error in one line, with the column in the expression."""
    match = _POSITION.search(text)
    if match is None:
        return text.splitlines()[0]
    line, column, message = match.groups()
    where = f"column {column}" if line == "1" else f"line {line}, column {column}"
    undeclared = _UNDECLARED.search(message)
    if undeclared and undeclared[1] in ADDED:
        return f"{undeclared[1]} is Kubernetes' addition to CEL, and nothing here evaluates it, at {where}"
    return f"{message.replace(_CONTAINER, '')} at {where}"


@lru_cache(maxsize=1)
def _environment() -> Any:
    """Return the language with the variables of matchConditions; `authorizer` is left out on purpose."""
    # Imported on use: the service and `inject` have no conditions.
    from cel_expr_python import cel  # noqa: PLC0415
    from cel_expr_python.ext import ext_optional, ext_strings  # noqa: PLC0415

    return cel.NewEnv(
        variables=dict.fromkeys(VARIABLES, cel.Type.DYN),
        extensions=[ext_optional.ExtOptional(), ext_strings.ExtStrings()],
    )
