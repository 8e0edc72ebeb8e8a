"""Label selectors as the API server evaluates them, for tests that ask which webhook gets a pod."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def matches(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """Return whether a label selector's expressions all hold; one without any selects everything."""
    selector = selector or {}
    expressions = [
        *(
            {"key": key, "operator": "In", "values": [value]}
            for key, value in selector.get("matchLabels", {}).items()
        ),
        *selector.get("matchExpressions", ()),
    ]
    return all(_holds(each, labels) for each in expressions)


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value = labels.get(expression["key"])
    match expression["operator"]:
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "In":
            return value in expression["values"]
        case "NotIn":
            return value not in expression["values"]
    raise AssertionError(f"there is no operator {expression['operator']}")


def selects(entry: Mapping[str, Any], namespace: Mapping[str, str], pod: Mapping[str, str]) -> bool:
    """Return whether an entry of a webhook configuration asks about a pod, by both selectors."""
    return matches(entry.get("namespaceSelector"), namespace) and matches(entry.get("objectSelector"), pod)
