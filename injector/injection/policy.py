"""Decide whether to inject a pod, by the pod and its namespace.

The order is Istio's in every release: host network, ignored namespace, the pod's own switch, the never
selectors, the always selectors, the policy.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from injector.injection.config import InjectConfig
from injector.injection.selector import Selector
from injector.istio.releases import Behaviour
from injector.json_types import JSONObject, Pod

SWITCH: Final = "sidecar.istio.io/inject"

Rule = Literal[
    "host-network",
    "ignored-namespace",
    "label",
    "annotation",
    "never-selector",
    "always-selector",
    "policy",
    "injected",
]

_YES: Final = frozenset({"y", "yes", "true", "on"})
_EXACT: Final = {"true": True, "false": False}
_POLICIES: Final = {"enabled": True, "disabled": False}


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """Whether to inject; ``rule`` is the rule that decided, ``reason`` one sentence for people."""

    inject: bool
    rule: Rule
    reason: str


def decide(pod: Pod, namespace: str, config: InjectConfig, behaviour: Behaviour) -> Decision:
    """Decide on one pod; ``namespace`` is compared with the ignored namespaces."""
    if (pod.get("spec") or {}).get("hostNetwork") is True:
        return _no("host-network", "the pod uses the host's network")
    if namespace in behaviour.ignored_namespaces:
        return _no("ignored-namespace", f"namespace {namespace} is never injected")
    metadata: JSONObject = pod.get("metadata") or {}
    own = _own_switch(metadata, behaviour) or _selectors(metadata.get("labels") or {}, config)
    return _under_policy(own, config.policy)


def _no(rule: Rule, reason: str) -> Decision:
    return Decision(inject=False, rule=rule, reason=reason)


def _own_switch(metadata: JSONObject, behaviour: Behaviour) -> Decision | None:
    """Return what the pod's label or annotation says; None when it leaves the choice to the later rules."""
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    rule: Rule = "label" if behaviour.label_decides and SWITCH in labels else "annotation"
    value = (labels if rule == "label" else annotations).get(SWITCH) or ""
    if not value:
        return None
    verdict = _EXACT.get(value) if behaviour.exact_switch else value.lower() in _YES
    if verdict is None:
        return None
    return Decision(inject=verdict, rule=rule, reason=f"{rule} {SWITCH} is {value!r}")


def _selectors(labels: dict[str, str], config: InjectConfig) -> Decision | None:
    """Return what the configured selectors say; an empty selector matches nothing."""
    if _any_matches(config.never_inject_selectors, labels):
        return _no("never-selector", "the pod's labels match a neverInjectSelector")
    if _any_matches(config.always_inject_selectors, labels):
        reason = "the pod's labels match an alwaysInjectSelector"
        return Decision(inject=True, rule="always-selector", reason=reason)
    return None


def _any_matches(selectors: tuple[Selector, ...], labels: dict[str, str]) -> bool:
    return any(selector.requirements and selector.matches(labels) for selector in selectors)


def _under_policy(own: Decision | None, policy: str) -> Decision:
    """Return the pod's own choice where the policy lets pods choose, else the policy's."""
    if policy not in _POLICIES:
        return _no("policy", f"policy {policy!r} is neither enabled nor disabled, so nothing is injected")
    if own:
        return own
    return Decision(inject=_POLICIES[policy], rule="policy", reason=f"the policy is {policy}")
