"""Set the API server's defaults on injected containers and volumes, as Istio 1.0 does.

Later releases leave defaults to the API server. Source: SetDefaults_* and SetObjectDefaults_Pod of
Kubernetes' core/v1 of that time.
"""

from __future__ import annotations

from typing import Any, Final

from injector.json_types import JSONObject

_PROBE_NUMBERS: Final = {
    "timeoutSeconds": 1,
    "periodSeconds": 10,
    "successThreshold": 1,
    "failureThreshold": 3,
}
_FILE_MODE: Final = 0o644
_MODED: Final = ("secret", "configMap", "downwardAPI", "projected")
_FIELD_VERSION: Final = "v1"


def with_container_defaults(container: JSONObject) -> JSONObject:
    """Return a container as the API server would store it."""
    found = {
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": _pull_policy(container.get("image") or ""),
    } | container
    changes: dict[str, Any] = {
        key: _with_probe_defaults(container[key])
        for key in ("livenessProbe", "readinessProbe")
        if container.get(key) is not None
    }
    if container.get("ports"):
        changes["ports"] = [{"protocol": "TCP"} | port for port in container["ports"]]
    if container.get("env"):
        changes["env"] = [_with_field_version(variable) for variable in container["env"]]
    if container.get("lifecycle"):
        changes["lifecycle"] = {
            key: _with_http_defaults(hook) for key, hook in container["lifecycle"].items()
        }
    if container.get("resources"):
        changes["resources"] = _with_requests(container["resources"])
    return found | changes


def _pull_policy(image: str) -> str:
    """Return Always for the tag latest, explicit or implied; an empty image has no tag."""
    name = image.partition("@")[0].rpartition("/")[2]
    tag = name.partition(":")[2]
    if "@" in image or not image:
        return "IfNotPresent"
    return "Always" if tag in ("", "latest") else "IfNotPresent"


def _with_probe_defaults(probe: JSONObject) -> JSONObject:
    return _with_http_defaults(_PROBE_NUMBERS | {key: value for key, value in probe.items() if value != 0})


def _with_http_defaults(handler: JSONObject) -> JSONObject:
    action = handler.get("httpGet")
    return handler if action is None else handler | {"httpGet": {"path": "/", "scheme": "HTTP"} | action}


def _with_field_version(item: JSONObject) -> JSONObject:
    """Return an environment variable whose reference to a field names the API version."""
    source = item.get("valueFrom")
    if not source or source.get("fieldRef") is None:
        return item
    reference = {"apiVersion": _FIELD_VERSION} | source["fieldRef"]
    return item | {"valueFrom": source | {"fieldRef": reference}}


def _with_requests(resources: JSONObject) -> JSONObject:
    """Return resources whose missing requests are set to the limits."""
    limits = resources.get("limits")
    if not limits:
        return resources
    return resources | {"requests": limits | (resources.get("requests") or {})}


def with_volume_defaults(volume: JSONObject) -> JSONObject:
    """Return a volume as the API server would store it."""
    if set(volume) <= {"name"}:
        return volume | {"emptyDir": {}}
    moded = {key: {"defaultMode": _FILE_MODE} | volume[key] for key in _MODED if volume.get(key) is not None}
    if volume.get("hostPath") is not None:
        moded["hostPath"] = {"type": ""} | volume["hostPath"]
    if "downwardAPI" in moded:
        moded["downwardAPI"] = _with_item_versions(moded["downwardAPI"])
    return volume | moded


def _with_item_versions(source: JSONObject) -> JSONObject:
    items = [
        item | {"fieldRef": {"apiVersion": _FIELD_VERSION} | item["fieldRef"]}
        if item.get("fieldRef")
        else item
        for item in source.get("items") or ()
    ]
    return source | ({"items": items} if items else {})
