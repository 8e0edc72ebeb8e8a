"""Values, annotations and a ProxyConfig in, the images that templates name out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from injector.gotemplate.fmt import sprint
from injector.gotemplate.values import from_json
from injector.istio.mesh.message import Message
from injector.istio.releases import Behaviour
from injector.json_types import JSONObject, at

_ANNOTATION: Final = "sidecar.istio.io/proxyImageType"
_DEFAULT_IMAGE: Final = "proxyv2"
_DEFAULT_TYPE: Final = "default"
_SUFFIXES: Final = ("-distroless", "-debug")


def proxy_image(
    values: JSONObject, proxy_config: Message, annotations: Mapping[str, str], behaviour: Behaviour
) -> str:
    """Return ``hub/image:tag``, the tag with the type of image that is wanted (``.ProxyImage``)."""
    kind = _text(values, "global", "variant") if behaviour.has_image_variant else ""
    image = proxy_config.get("image")
    if image is not None:
        own = image.get("imageType", "")
        kind = own or kind if behaviour.ignores_empty_image_type else own
    return _image(values, "proxy", annotations.get(_ANNOTATION, kind))


def proxy_init_image(values: JSONObject, annotations: Mapping[str, str]) -> str:
    """Return the image of istio-init (``.ProxyInitImage``): a ProxyConfig has no say in it."""
    return _image(values, "proxy_init", annotations.get(_ANNOTATION, _text(values, "global", "variant")))


def _image(values: JSONObject, section: str, kind: str) -> str:
    name = _text(values, "global", section, "image") or _DEFAULT_IMAGE
    return f"{_text(values, 'global', 'hub')}/{name}:{_tag(values, kind)}"


def _tag(values: JSONObject, kind: str) -> str:
    """Return the tag with ``kind`` as its suffix, in the place of the one that it has."""
    tag = _text(values, "global", "tag")
    if not kind:
        return tag
    for suffix in _SUFFIXES:
        if tag.endswith(suffix):
            tag = tag.removesuffix(suffix)
            break
    return tag if kind == _DEFAULT_TYPE else f"{tag}-{kind}"


def _text(values: Any, *path: str) -> str:
    """Return what Go prints of the value at a path; "" when there is none."""
    found = at(values, *path)
    if found.__class__ is str:
        return str(found)
    return "" if found is None else sprint(from_json(found))
