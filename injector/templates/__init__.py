"""The built-in configurations, as package data. Knows no template language.

Each is a folder with ``config.yaml`` and ``values.yaml``: what a ConfigMap's keys ``config`` and ``values``
would hold. ``istio`` is used where no configuration is given; ``log-shipper`` shows that any sidecar will do.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import Final

BUILT_IN: Final = ("istio", "log-shipper")


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """The texts of one built-in configuration."""

    config: str
    values: str


def built_in(name: str = "istio") -> Template:
    """Return the built-in configuration called ``name``, one of BUILT_IN."""
    folder = files(__name__) / name
    return Template(
        config=(folder / "config.yaml").read_text(encoding="utf-8"),
        values=(folder / "values.yaml").read_text(encoding="utf-8"),
    )
