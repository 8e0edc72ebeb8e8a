"""Everything a review is decided by, frozen: made once per load, read by every request.

Knows neither where the texts were mounted nor who asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from injector.injection.mesh.effective import ProxyConfigs
from injector.injection.mesh.loading import Mesh
from injector.injection.releases import Behaviour
from injector.json_types import JSONObject

UntrustedValues = Literal["scalar", "text"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InjectConfig:
    """The injector's ConfigMap key ``config``, typed.

    ``templates`` maps a template's name to its text; up to 1.8 the only one is ``sidecar``.
    ``warnings``: what was left out because it could not be used, one sentence each.
    """

    policy: str
    templates: Mapping[str, str]
    default_templates: tuple[str, ...] = ("sidecar",)
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    never_inject_selectors: tuple[Any, ...] = ()
    always_inject_selectors: tuple[Any, ...] = ()
    injected_annotations: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One consistent state of configuration.

    ``env`` is istiod's environment as given (never the host's), ``nodes`` maps a node's name to its
    kubelet version, ``namespaces`` a namespace's name to its object. ``templates`` are compiled; how
    they are rendered is ``render.render_template``. ``mesh`` and ``proxy_configs`` are None only where a
    mesh configuration is missing altogether, as in tests of Istio's own.
    """

    behaviour: Behaviour
    config: InjectConfig
    values: JSONObject
    mesh: Mesh | None
    proxy_configs: ProxyConfigs | None
    templates: Mapping[str, Any]
    revision: str = "default"
    env: Mapping[str, str] = field(default_factory=dict)
    nodes: Mapping[str, str] = field(default_factory=dict)
    namespaces: Mapping[str, JSONObject] = field(default_factory=dict)
    untrusted_values: UntrustedValues = "scalar"
