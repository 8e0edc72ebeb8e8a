"""The text of the annotation proxy.istio.io/config in, JSON or what is wrong with it out."""

from __future__ import annotations

from typing import Final

from injector.errors import YAMLError
from injector.istio.mesh.defaults import default_proxy_config
from injector.istio.mesh.message import MessageError
from injector.istio.mesh.reading import apply
from injector.istio.mesh.validation import multierror, proxy_config_faults
from injector.istio.releases import Behaviour
from injector.json_types import JSON
from injector.kubeyaml import load
from injector.memo import remembered

ANNOTATION: Final = "proxy.istio.io/config"


def parse_annotation(text: str) -> JSON:
    """Return the annotation as JSON. Raises MessageError, which says what Go's YAML library says."""
    try:
        return load(text)
    except YAMLError as error:
        raise MessageError(error.reason) from error


def proxy_config_fault(text: str, behaviour: Behaviour) -> str:
    """Return what Istio's webhook says about the annotation; "" when nothing is wrong with it."""
    return _fault(text, behaviour.minor)


@remembered("annotation_faults")
def _fault(text: str, minor: int) -> str:
    try:
        config = apply(default_proxy_config(minor), parse_annotation(text))
    except MessageError as error:
        return f"failed to convert to apply proxy config: {error}"
    return multierror(proxy_config_faults(config))
