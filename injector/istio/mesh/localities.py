"""The settings of locality load balancing in, Istio's sentences about their faults out.

A locality is ``region``, ``region/zone`` or ``region/zone/subzone``; ``*`` may stand for all that follows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from injector.istio.mesh.descriptors import Data
from injector.istio.releases import Span

_WHOLE: Final = 100
_UINT32: Final = 1 << 32
_TOPOLOGY: Final = (
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
    "topology.istio.io/subzone",
)

_NOT_IN_RANGE: Final = Span(until=4)  # what Istio wrote for "has to be in range"
_BOUNDS_WEIGHTS: Final = Span(since=12)
_REGIONS_ONLY: Final = Span(since=13)
_NAMES_ALL: Final = Span(since=14)  # before, only the first fault
_PRIORITY_AGAINST_FAILOVER: Final = Span(since=20)


def locality_faults(settings: Data, minor: int) -> list[str]:
    """Return what is wrong with a LocalityLoadBalancerSetting."""
    faults = _faults(settings, minor)
    return faults if _NAMES_ALL.covers(minor) else faults[:1]


def zone_aware_faults(settings: Data) -> list[str]:
    """Return what is wrong with a ZoneAwareLoadBalancerSetting (1.31)."""
    priorities = [
        f"'failover_priority' for zone aware lb must not use topology label '{label}'; "
        "region- and zone-level routing are handled automatically"
        for label in settings.get("failoverPriority", ())
        if label in _TOPOLOGY
    ]
    only_region = (
        "zone aware lb failover only specifies region; zone and subzone failover are handled automatically"
    )
    return [*priorities, *_failover_faults(settings, "zone aware lb", only_region, both_ends=True)]


def _faults(settings: Data, minor: int) -> list[str]:
    distribute, failover = settings.get("distribute") or (), settings.get("failover") or ()
    if distribute and failover:
        return ["can not simultaneously specify 'distribute' and 'failover'"]
    labels = settings.get("failoverPriority", ()) if _PRIORITY_AGAINST_FAILOVER.covers(minor) else ()
    if failover and (label := next((each for each in labels if each in _TOPOLOGY), "")):
        return [f"can not simultaneously set 'failover' and topology label '{label}' in 'failover_priority'"]
    found: list[str] = []
    for each in distribute:
        to = (each or {}).get("to", {})
        if fault := _weights_fault(to.values(), minor):
            return [*found, fault]
        found += filter(None, [_overlap_fault(sorted(to))])
    found += filter(None, [_overlap_fault([(each or {}).get("from", "") for each in distribute])])
    regions_only = _REGIONS_ONLY.covers(minor)
    only_region = "locality lb failover only specify region" if regions_only else ""
    return [*found, *_failover_faults(settings, "locality lb", only_region, both_ends=regions_only)]


def _weights_fault(weights: Iterable[int], minor: int) -> str:
    most = _WHOLE if _BOUNDS_WEIGHTS.covers(minor) else _UINT32
    total = 0
    for weight in weights:
        if not 0 < weight <= most:
            word = "not be" if _NOT_IN_RANGE.covers(minor) else "be"
            return f"locality weight must {word} in range [1, 100]"
        total = (total + weight) % _UINT32
    return "" if total == _WHOLE else f"total locality weight {total} != 100"


def _failover_faults(settings: Data, shown: str, only_region: str, *, both_ends: bool) -> list[str]:
    """Return the faults of a list of failovers; ``only_region`` is what is said of zones, "" for no check."""
    found = []
    for each in settings.get("failover") or ():
        start, end = (each or {}).get("from", ""), (each or {}).get("to", "")
        if start == end:
            found.append(f"{shown} failover settings must specify different regions")
        if only_region and "/" in start + end:
            found.append(only_region)
        if "*" in end or (both_ends and "*" in start):
            found.append(f"{shown} failover region should not contain '*' wildcard")
    return found


def _overlap_fault(localities: Iterable[str]) -> str:
    """Return the first fault of localities that have to be apart from each other; "" when there is none."""
    seen: list[tuple[str, str, str]] = []
    for locality in localities:
        if "*" in locality[:-1]:
            return f"locality {locality} wildcard '*' number can not exceed 1 and must be in the end"
        parts = locality.split("/", 2)
        if ("*", "*", "*") not in seen and "" in parts:
            return f"locality {locality} must not contain empty region/zone/subzone info"
        if any(_overlaps(parts, other) for other in seen):
            return f"locality {locality} overlap with previous specified ones"
        region, zone, subzone = (*parts, "*", "*")[:3]
        seen.append((region, zone, subzone))
    return ""


def _overlaps(parts: Sequence[str], seen: tuple[str, str, str]) -> bool:
    """Return whether a locality is in one that was seen, or a whole region has a part that was.

    As in Istio it is no overlap when a ``*`` comes behind what it includes.
    """
    region, zone, subzone = seen
    if region in ("*", parts[0]):
        if region == "*" or len(parts) == 1 or zone == "*":
            return True
        return zone == parts[1] and (len(parts) == 2 or subzone in ("*", parts[2]))
    return False
