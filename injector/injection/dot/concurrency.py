"""A ProxyConfig, annotations and values in, the number of the proxy's threads out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from injector.istio.mesh.message import Message
from injector.json_types import JSONObject, at
from injector.patch.quantity import milli_value, quantity_fault

_DEFAULT: Final = 2
_LIMIT: Final = "sidecar.istio.io/proxyCPULimit"
_REQUEST: Final = "sidecar.istio.io/proxyCPU"


def estimate_concurrency(proxy_config: Message, annotations: Mapping[str, str], values: JSONObject) -> int:
    """Return what Istio 1.11 to 1.17 calls EstimatedConcurrency.

    It is the ProxyConfig's; where that is 0, enough for the proxy's CPU limit or request.
    """
    wanted = proxy_config.get("concurrency")
    if wanted is None:
        return _DEFAULT
    if wanted > 0:
        return int(wanted)
    return next(
        (-(-milli_value(cpu) // 1000) for cpu in _cpus(annotations, values) if _is_quantity(cpu)), _DEFAULT
    )


def _is_quantity(text: str) -> bool:
    return not quantity_fault(text)


def _cpus(annotations: Mapping[str, str], values: JSONObject) -> Iterator[str]:
    """Yield what says how much CPU the proxy has, the strongest first; an annotation hides the values."""
    for annotation in (_LIMIT, _REQUEST):
        if annotation in annotations:
            yield annotations[annotation]
            return
    resources = at(values, "global", "proxy", "resources")
    for kind in ("limits", "requests"):
        cpu = at(resources, kind, "cpu")
        if cpu is not None:
            yield str(cpu)
