"""YAML values in, JSON out, as sigs.k8s.io/yaml converts them.

Keys become strings, integral floats ints; what JSON cannot say is an error.
"""

from __future__ import annotations

import math
from typing import Any, Final

from injector.errors import YAMLError
from injector.golang.fmt import sharp_v
from injector.json_types import JSON
from injector.kubeyaml.scalars import Scalar, json_number, yaml_float

_UNSUPPORTED: Final = "unsupported map key of type: {}, key: {}, value: {}"


def to_json(value: Any, *, source: str = "") -> JSON:
    """Turn a value that nobody else holds into JSON, in place; subtrees shared within it stay shared."""
    conversion = _Conversion()
    try:
        result = conversion.value(value)
        if conversion.late_fault:
            raise conversion.late_fault
    except YAMLError as error:
        error.source = source
        raise
    return result


def finite(number: float) -> int | float:
    """Return the float as JSON shows it; raises YAMLError, in encoding/json's words, when JSON cannot."""
    if math.isfinite(number):
        return json_number(number)
    name = "NaN" if math.isnan(number) else "+Inf" if number > 0 else "-Inf"
    raise YAMLError(f"json: unsupported value: {name}")


class _Conversion:
    """One a document. As in Go, a number that JSON cannot say is found after all such keys."""

    __slots__ = ("_done", "late_fault")

    def __init__(self) -> None:
        self._done: set[int] = set()
        self.late_fault: YAMLError | None = None

    def value(self, value: Any) -> JSON:
        if isinstance(value, float):
            return self._float(value)
        if isinstance(value, dict | list) and id(value) not in self._done:
            self._done.add(id(value))
            if isinstance(value, dict):
                self._mapping(value)
            else:
                value[:] = map(self.value, value)
        return value

    def _float(self, number: float) -> int | float:
        try:
            return finite(number)
        except YAMLError as error:
            self.late_fault = self.late_fault or error
            return 0

    def _mapping(self, mapping: dict[Any, Any]) -> None:
        if all(isinstance(key, str) for key in mapping):
            for key, value in mapping.items():
                mapping[key] = self.value(value)
            return
        items = list(mapping.items())
        mapping.clear()
        for key, value in items:
            name = key if isinstance(key, str) else key_text(key.value, value)
            mapping[name] = self.value(value)


def key_text(odd: Scalar, value: Any = None) -> str:
    """Return the key that a scalar becomes; sigs.k8s.io/yaml sends floats through float32.

    Raises YAMLError for null and for integers beyond int64; its sentence shows the ``value``, too.
    """
    if isinstance(odd, str):
        return odd
    if odd is None:
        raise YAMLError(_UNSUPPORTED.format("%!s(<nil>)", "<nil>", sharp_v(value)))
    if isinstance(odd, bool):
        return "true" if odd else "false"
    if isinstance(odd, float):
        return yaml_float(odd, bits=32)
    if odd >= 2**63:
        raise YAMLError(_UNSUPPORTED.format("uint64", sharp_v(odd), sharp_v(value)))
    return str(odd)
