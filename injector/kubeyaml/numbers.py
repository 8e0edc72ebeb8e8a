"""Floats as yaml.v2 writes them."""

from __future__ import annotations

from typing import Final

from injector.golang.floats import format_float

_SPECIAL: Final = {"+Inf": ".inf", "-Inf": "-.inf", "NaN": ".nan"}


def yaml_float(number: float, *, bits: int = 64) -> str:
    """Return yaml.v2's text of a float: strconv's ``%g``, and ``.inf``, ``.nan``.

    ``bits=32`` is how sigs.k8s.io/yaml turns a float key into a string.
    """
    text = format_float(number, bits=bits)
    return _SPECIAL.get(text, text)
