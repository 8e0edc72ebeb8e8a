"""Match labels with a metav1.LabelSelector.

Faults have the wording of apimachinery, since people compare our log with Istio's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from injector.errors import InjectorError
from injector.golang.jsontext import go_json
from injector.golang.strconv import quote
from injector.json_types import JSONObject
from injector.patch import go_type, normalise

_TYPE: Final = go_type("meta/v1.LabelSelector")
_NAME: Final = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_DOMAIN: Final = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_IS_NAME: Final = re.compile(_NAME)
_IS_VALUE: Final = re.compile(f"({_NAME})?")
_IS_DOMAIN: Final = re.compile(_DOMAIN)
_BAD_NAME: Final = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    f"character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{_NAME}')"
)
_BAD_DOMAIN: Final = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    f"'{_DOMAIN}')"
)
_BAD_VALUE: Final = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used "
    f"for validation is '({_NAME})?')"
)


class SelectorError(InjectorError):
    """A label selector that cannot be used; ``str()`` is apimachinery's sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One condition on one label."""

    key: str
    operator: str
    """In, NotIn, Exists or DoesNotExist."""
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Return whether ``labels`` fulfil the condition; a missing label is in no set."""
        if self.operator == "Exists":
            return self.key in labels
        if self.operator == "DoesNotExist":
            return self.key not in labels
        is_in = self.key in labels and labels[self.key] in self.values
        return is_in if self.operator == "In" else not is_in


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """Conditions that must all hold."""

    requirements: tuple[Requirement, ...] = ()

    @classmethod
    def parse(cls, selector: JSONObject) -> Self:
        """Return the selector that JSON describes; raises SelectorError, or TypedError for a wrong type."""
        typed: JSONObject = normalise(selector, _TYPE)
        labels: dict[str, str] = typed.get("matchLabels") or {}
        found = [_requirement(key, "In", [value]) for key, value in labels.items()]
        for expression in typed.get("matchExpressions") or []:
            operator = expression["operator"]
            if operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
                raise SelectorError(f"{quote(operator)} is not a valid label selector operator")
            found.append(_requirement(expression["key"], operator, expression.get("values") or []))
        return cls(requirements=tuple(found))

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Return whether ``labels`` fulfil every condition."""
        return all(requirement.matches(labels) for requirement in self.requirements)


def _requirement(key: str, operator: str, values: list[str]) -> Requirement:
    faults = [_invalid("key", quote(key), "; ".join(wrong))] if (wrong := _key_faults(key)) else []
    if operator in ("In", "NotIn") and not values:
        faults.append(_invalid("values", "null", "for 'in', 'notin' operators, values set can't be empty"))
    if operator in ("Exists", "DoesNotExist") and values:
        text = go_json(values)
        faults.append(_invalid("values", text, "values set must be empty for exists and does not exist"))
    for at, value in enumerate(values):
        if wrong := _value_faults(value):
            faults.append(_invalid(f"values[{at}][{key}]", quote(value), "; ".join(wrong)))
    if faults:
        unique = list(dict.fromkeys(faults))
        raise SelectorError(unique[0] if len(unique) == 1 else f"[{', '.join(unique)}]")
    return Requirement(key=key, operator=operator, values=tuple(values))


def _invalid(field: str, value: str, detail: str) -> str:
    return f"{field}: Invalid value: {value}: {detail}"


def _key_faults(key: str) -> list[str]:
    prefix, slash, name = key.partition("/")
    if "/" in name:
        where = "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        return [f"a qualified name {_BAD_NAME} {where}"]
    faults = [f"prefix part {fault}" for fault in _prefix_faults(prefix)] if slash else []
    name = name if slash else prefix
    if not name:
        faults.append("name part must be non-empty")
    elif len(name.encode()) > 63:
        faults.append("name part must be no more than 63 characters")
    if not _IS_NAME.fullmatch(name):
        faults.append(f"name part {_BAD_NAME}")
    return faults


def _prefix_faults(prefix: str) -> list[str]:
    if not prefix:
        return ["must be non-empty"]
    faults = ["must be no more than 253 characters"] if len(prefix.encode()) > 253 else []
    return faults if _IS_DOMAIN.fullmatch(prefix) else [*faults, _BAD_DOMAIN]


def _value_faults(value: str) -> list[str]:
    faults = ["must be no more than 63 characters"] if len(value.encode()) > 63 else []
    return faults if _IS_VALUE.fullmatch(value) else [*faults, _BAD_VALUE]
