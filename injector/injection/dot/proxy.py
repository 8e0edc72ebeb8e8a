"""What the dot says about the proxy beyond its ProxyConfig: images, threads, user and group.

Istio computes these in its Go code from values, annotations and the namespace.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from injector.golang.strconv import to_int
from injector.golang.unicode import SPACES
from injector.gotemplate.fmt import sprint
from injector.gotemplate.values import from_json
from injector.istio.mesh.descriptors import Message
from injector.istio.releases import Behaviour
from injector.json_types import JSONObject, at
from injector.patch.quantity import milli_value, quantity_fault

# ---- images

IMAGE_TYPE: Final = "sidecar.istio.io/proxyImageType"
_DEFAULT_IMAGE: Final = "proxyv2"
_DEFAULT_TYPE: Final = "default"
_SUFFIXES: Final = ("-distroless", "-debug")


def proxy_image(
    values: JSONObject, proxy_config: Message, annotations: Mapping[str, str], behaviour: Behaviour
) -> str:
    """Return ``hub/image:tag``, the tag with the wanted image type (``.ProxyImage``)."""
    kind = _text(values, "global", "variant") if behaviour.has_image_variant else ""
    image = proxy_config.get("image")
    if image is not None:
        own = image.get("imageType", "")
        kind = own or kind if behaviour.ignores_empty_image_type else own
    return _image(values, "proxy", annotations.get(IMAGE_TYPE, kind), behaviour)


def proxy_init_image(values: JSONObject, annotations: Mapping[str, str], behaviour: Behaviour) -> str:
    """Return the image of istio-init (``.ProxyInitImage``), on which a ProxyConfig has no influence."""
    kind = annotations.get(IMAGE_TYPE, _text(values, "global", "variant"))
    return _image(values, "proxy_init", kind, behaviour)


def _image(values: JSONObject, section: str, kind: str, behaviour: Behaviour) -> str:
    found = at(values, "global")
    common = found if isinstance(found, dict) else {}
    name = _text(common, section, "image") or _DEFAULT_IMAGE
    is_null = "tag" in common and common["tag"] is None
    tag = sprint(None) if is_null and behaviour.prints_null_tag else _text(common, "tag")
    return f"{_text(common, 'hub')}/{name}:{_tag(tag, kind)}"


def _tag(tag: str, kind: str) -> str:
    """Return the tag with ``kind`` as its suffix, in place of the suffix that it has."""
    if not kind:
        return tag
    for suffix in _SUFFIXES:
        if tag.endswith(suffix):
            tag = tag.removesuffix(suffix)
            break
    return tag if kind == _DEFAULT_TYPE else f"{tag}-{kind}"


def _text(values: Any, *path: str) -> str:
    """Return what Go prints of the value at a path; "" when there is none."""
    found = values
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    if found.__class__ is str:
        return str(found)
    return "" if found is None else sprint(from_json(found))


# ---- threads

_DEFAULT_THREADS: Final = 2
_CPU_ANNOTATIONS: Final = ("sidecar.istio.io/proxyCPULimit", "sidecar.istio.io/proxyCPU")


def estimate_concurrency(proxy_config: Message, annotations: Mapping[str, str], values: JSONObject) -> int:
    """Return the field that Istio 1.11 to 1.17 calls EstimatedConcurrency.

    It is the ProxyConfig's concurrency; where that is 0, the threads for the proxy's CPU limit or request.
    """
    wanted = proxy_config.get("concurrency")
    if wanted is None:
        return _DEFAULT_THREADS
    if wanted > 0:
        return int(wanted)
    cpus = (cpu for cpu in _cpus(annotations, values) if not quantity_fault(cpu))
    return next((-(-milli_value(cpu) // 1000) for cpu in cpus), _DEFAULT_THREADS)


def _cpus(annotations: Mapping[str, str], values: JSONObject) -> Iterator[str]:
    """Yield the CPU limits and requests of the proxy by precedence; an annotation hides the values."""
    for annotation in _CPU_ANNOTATIONS:
        if annotation in annotations:
            yield annotations[annotation]
            return
    resources = at(values, "global", "proxy", "resources")
    for kind in ("limits", "requests"):
        cpu = at(resources, kind, "cpu")
        if cpu is not None:
            yield str(cpu)


# ---- user and group, which OpenShift gives each namespace in annotations: Istio takes the last of the range

DEFAULT_ID: Final = 1337

_USERS: Final = "openshift.io/sa.scc.uid-range"
_GROUPS: Final = "openshift.io/sa.scc.supplemental-groups"
_BLANK: Final = f"[{SPACES}]*".replace("\n", "")
_BLOCK: Final = re.compile(f"{_BLANK}([0-9]+)([/-]){_BLANK}([0-9]+)")
"""What Sscanf reads: spaces, but no newline, before a number; anything may follow."""
_IDS: Final = 1 << 32


def proxy_ids(namespace: JSONObject | None) -> tuple[int, int]:
    """Return the proxy's user and group in a namespace (its object, None when there is none to read)."""
    if namespace is None:
        return DEFAULT_ID, DEFAULT_ID
    metadata: JSONObject = namespace.get("metadata") or {}
    annotations = metadata.get("annotations") or {}
    users = _end(annotations.get(_USERS, ""))
    groups = [_end(block) for block in str(annotations.get(_GROUPS, annotations.get(_USERS, ""))).split(",")]
    group = None if None in groups else groups[0]
    return DEFAULT_ID if users is None else users, DEFAULT_ID if group is None else group


def _end(block: str) -> int | None:
    """Return the last id of ``START/SIZE`` or ``START-END``; None when the text is neither."""
    match = _BLOCK.match(block)
    if match is None or match[2] != ("/" if "/" in block else "-"):
        return None
    start, other = to_int(match[1]), to_int(match[3])
    if start >= _IDS or other >= _IDS:
        return None
    return (start + other - 1) % _IDS if match[2] == "/" else other
