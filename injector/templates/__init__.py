"""The built-in configurations, as package data. Independent of the template language.

Each is a folder with ``config.yaml`` and ``values.yaml``: the ConfigMap's keys ``config`` and ``values``.
``istio`` is used where no configuration is given; ``log-shipper`` shows that any sidecar will do.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from injector.errors import ConfigError
from injector.istio.releases import behaviour_of

BUILT_IN: Final = ("istio", "log-shipper")
_OLDEST: Final = {"istio": "1.31", "log-shipper": "1.9"}
"""The first release of Istio with everything that a configuration reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltInTemplate:
    """The texts of one built-in configuration, and the first release that can be chosen with it."""

    config: str
    values: str
    oldest_release: str

    def check_release(self, release: str | None) -> None:
        """Raise ConfigError for a release older than the configuration; None is the newest."""
        if release and behaviour_of(release).minor < behaviour_of(self.oldest_release).minor:
            raise ConfigError(
                f"is for Istio {self.oldest_release} and newer: give that of {release} with"
                " --inject-config-file",
                file="built-in config",
            )


def built_in(name: str = "istio") -> BuiltInTemplate:
    """Return the built-in configuration called ``name``, one of BUILT_IN."""
    folder = files(__name__) / name
    return BuiltInTemplate(
        config=(folder / "config.yaml").read_text(encoding="utf-8"),
        values=(folder / "values.yaml").read_text(encoding="utf-8"),
        oldest_release=_OLDEST[name],
    )
