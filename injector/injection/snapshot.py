"""Everything that decides a review, frozen: made once per load, read by every request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from injector.budget import ReviewLimits
from injector.injection.caches import memo_of
from injector.injection.config import InjectConfig
from injector.injection.dot.template import InjectionTemplate
from injector.injection.perpod import Unread, unread
from injector.injection.replicas import ReplicaCache
from injector.istio.mesh.descriptors import Message
from injector.istio.mesh.effective import ProxyConfigs
from injector.istio.mesh.loading import Mesh
from injector.istio.releases import Behaviour
from injector.json_types import JSONObject, Pod
from injector.kubeyaml.skeleton import SkeletonCache
from injector.memo import Doorkeeper

UntrustedValues = Literal["scalar", "text"]
Advise = Callable[[Pod, Behaviour], tuple[str, ...]]
"""Returns lines for the author of a pod. It reads labels and annotations only, so that replicas share
them."""

WORKLOADS: Final = 4096
"""Workloads that are remembered as seen: some 400 KiB."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, weakref_slot=True)
class Snapshot:
    """One consistent state of configuration, equal only to itself.

    ``env`` is istiod's environment as given (never the host's), ``nodes`` maps a node's name to its kubelet
    version, ``namespaces`` a namespace's name to its object. ``templates`` are compiled;
    ``render.render_template`` renders them. ``skeletons`` and ``replicas`` are caches, which change no
    answer; ``cache_bytes`` limits them and the memo of ``proxy_configs`` (see `caches`). ``release_reason``
    says how the release was inferred; "" where it was chosen. ``denies_all``: there are no values and the
    release needs some, so that no pod can be injected. ``limits`` is what one review may use. ``advise``
    returns the ``warnings`` for a pod; Istio has none. ``workloads`` are those seen lately, in any state of
    the cluster. ``usual_proxy_config`` is that of most pods, for which templates are compiled. ``unread`` are
    the labels and annotations that nothing reads of a pod that names no templates.
    """

    behaviour: Behaviour
    config: InjectConfig
    values: JSONObject
    mesh: Mesh
    proxy_configs: ProxyConfigs
    usual_proxy_config: Message
    templates: Mapping[str, InjectionTemplate]
    release_reason: str
    denies_all: bool
    cache_bytes: int
    skeletons: SkeletonCache
    revision: str
    env: Mapping[str, str]
    nodes: Mapping[str, str] | None
    namespaces: Mapping[str, JSONObject]
    untrusted_values: UntrustedValues
    limits: ReviewLimits
    advise: Advise | None = None
    workloads: Doorkeeper = field(default_factory=lambda: Doorkeeper(WORKLOADS))
    unread: Unread = field(init=False, repr=False)
    # Valid for this snapshot only: `replace` starts with an empty one.
    replicas: ReplicaCache = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Start without replicas; find the labels and annotations that nothing here reads."""
        object.__setattr__(self, "unread", _unread(self.config, self.proxy_configs))
        object.__setattr__(self, "replicas", ReplicaCache(memo_of("replicas", self.cache_bytes)))


def _unread(config: InjectConfig, proxy_configs: ProxyConfigs) -> Unread:
    selectors = (*config.never_inject_selectors, *config.always_inject_selectors)
    selected = {requirement.key for selector in selectors for requirement in selector.requirements}
    others = selected.union(proxy_configs.selected_labels, config.injected_annotations)
    usual = [config.templates[name] for name in sorted(config.usual_templates & config.templates.keys())]
    return unread(tuple(usual), frozenset(others))
