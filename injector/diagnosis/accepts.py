"""What an API server refuses of a pod, in the words of Kubernetes' own validation (pkg/apis/core/validation).

It has the rules that templates and merges break; a pod that passes may still be refused for another reason.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, Final, TypeAlias

from injector.errors import TypedError
from injector.json_types import JSONObject, Pod
from injector.patch import canonical_quantity, milli_value

REFUSED: Final = "SI302"

Fault: TypeAlias = tuple[str, str]
"""A field's path and what is wrong with it."""

_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_NAME_PART: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_PORT_NAME: Final = re.compile(r"(?=.*[a-z])(?!.*--)[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_LONGEST_LABEL, _LONGEST_SUBDOMAIN, _LONGEST_PORT_NAME = 63, 253, 15
_LAST_PORT: Final = 65535
_MOST_ANNOTATIONS: Final = 256 << 10
"""Bytes of all names and values: apimachinery's TotalAnnotationSizeLimitB."""

_LISTS: Final = ("containers", "initContainers")
"""In Kubernetes' order: of two equal names the second is the fault."""
PROBES: Final = ("livenessProbe", "readinessProbe", "startupProbe")
_HANDLERS: Final = ("exec", "grpc", "httpGet", "sleep", "tcpSocket")
_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "imagePullPolicy": ("Always", "IfNotPresent", "Never"),
    "restartPolicy": ("Always", "Never", "OnFailure"),
    "dnsPolicy": ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"),
    "protocol": ("SCTP", "TCP", "UDP"),
    "terminationMessagePolicy": ("FallbackToLogsOnError", "File"),
}
_NOT_ON_WINDOWS: Final = (
    *("allowPrivilegeEscalation", "appArmorProfile", "capabilities", "privileged", "procMount"),
    *("readOnlyRootFilesystem", "runAsGroup", "runAsUser", "seLinuxOptions", "seccompProfile"),
)


def accepted(pod: Pod) -> list[Fault]:
    """Return what an API server would refuse of ``pod``, each fault once."""
    return [(path, f"the API server refuses this: {what}") for path, what in dict.fromkeys(_faults(pod))]


def _faults(pod: Pod) -> Iterator[Fault]:
    spec: JSONObject = pod.get("spec") or {}
    yield from _metadata(pod.get("metadata") or {})
    yield from _choices(spec, "spec", "restartPolicy", "dnsPolicy")
    if not spec.get("containers"):
        yield "spec.containers", "Required value"
    volumes = _places(spec, "volumes", "spec")
    yield from _duplicates(volumes, "name")
    for path, volume in volumes:
        yield from _volume(volume, path)
    mountable = [volume.get("name") for _, volume in volumes]
    containers = containers_with_paths(spec)
    names = Counter[Any]()
    for path, container in containers:
        names[name := container.get("name")] += 1
        if name and names[name] > 1:
            yield f"{path}.name", f'Duplicate value: "{name}"'
        yield from _container(container, path, mountable)
        if _is_initial(path) and container.get("restartPolicy") != "Always":
            for field in (*PROBES, "lifecycle"):
                if container.get(field):
                    yield f"{path}.{field}", "may not be set for init containers without restartPolicy=Always"
    yield from _host_ports(spec, containers)
    yield from _pod_resources(spec, containers)
    if (spec.get("os") or {}).get("name") == "windows":
        yield from _windows(spec, containers)


def containers_with_paths(spec: JSONObject) -> list[tuple[str, JSONObject]]:
    """Return path and container of all containers of a pod, the init containers last."""
    return [each for key in _LISTS for each in _places(spec, key, "spec")]


def _is_initial(path: str) -> bool:
    return path.startswith("spec.initContainers")


# ---- names and values


def _metadata(metadata: JSONObject) -> Iterator[Fault]:
    if (name := metadata.get("name")) and not _matches(_SUBDOMAIN, name, _LONGEST_SUBDOMAIN):
        yield "metadata.name", f'Invalid value: "{name}": a lowercase RFC 1123 subdomain is expected'
    for key, value in (metadata.get("labels") or {}).items():
        path = f"metadata.labels[{key}]"
        yield from _qualified(path, key)
        if len(value or "") > _LONGEST_LABEL:
            yield path, f'Invalid value: "{value}": must be no more than {_LONGEST_LABEL} characters'
        elif value and not _NAME_PART.fullmatch(value):
            yield path, f'Invalid value: "{value}": must start and end with an alphanumeric character'
    annotations = metadata.get("annotations") or {}
    for key in annotations:
        yield from _qualified(f"metadata.annotations[{key}]", key.lower())
    size = sum(len(text.encode(errors="replace")) for text in chain(*annotations.items()) if text)
    if size > _MOST_ANNOTATIONS:
        yield "metadata.annotations", f"Too long: must have at most {_MOST_ANNOTATIONS} bytes"


def _qualified(path: str, key: str) -> Iterator[Fault]:
    prefix, slash, name = key.rpartition("/")
    if slash and not _matches(_SUBDOMAIN, prefix, _LONGEST_SUBDOMAIN):
        yield path, f'Invalid value: "{key}": its prefix is not a lowercase RFC 1123 subdomain'
    if not _matches(_NAME_PART, name, _LONGEST_LABEL):
        yield path, f'Invalid value: "{key}": name part must be 1 to 63 characters, alphanumeric at both ends'


def _matches(pattern: re.Pattern[str], text: str, longest: int) -> bool:
    return len(text) <= longest and pattern.fullmatch(text) is not None


def _named(item: JSONObject, path: str) -> Iterator[Fault]:
    name = item.get("name")
    if not name:
        yield f"{path}.name", "Required value"
    elif not _matches(_LABEL, name, _LONGEST_LABEL):
        yield f"{path}.name", f'Invalid value: "{name}": a lowercase RFC 1123 label is expected'


def _choices(item: JSONObject, path: str, *fields: str) -> Iterator[Fault]:
    for field in fields:
        if (value := item.get(field)) and value not in _CHOICES[field]:
            supported = ", ".join(f'"{choice}"' for choice in _CHOICES[field])
            yield f"{path}.{field}", f'Unsupported value: "{value}": supported values: {supported}'


def _duplicates(items: Iterable[tuple[str, JSONObject]], field: str, words: str = "") -> Iterator[Fault]:
    met: set[Any] = set()
    for path, item in items:
        value = item.get(field)
        if value and value in met:
            yield f"{path}.{field}", words or f'Duplicate value: "{value}"'
        met.add(value)


# ---- containers


def _container(container: JSONObject, path: str, volumes: list[Any]) -> Iterator[Fault]:
    yield from _named(container, path)
    image = container.get("image")
    if not image:
        yield f"{path}.image", "Required value"
    elif image != image.strip():
        yield f"{path}.image", f'Invalid value: "{image}": must not have leading or trailing whitespace'
    yield from _choices(container, path, "imagePullPolicy", "terminationMessagePolicy")
    ports = _places(container, "ports", path)
    yield from _duplicates(ports, "name")
    for place, port in ports:
        yield from _port(port, place)
    for place, variable in _places(container, "env", path):
        yield from _variable(variable, place)
    yield from _mounts(container, path, volumes)
    yield from _resources(container.get("resources") or {}, f"{path}.resources")
    for field in PROBES:
        if probe := container.get(field):
            yield from _probe(probe, f"{path}.{field}", once=field != "readinessProbe")
    for hook in ("postStart", "preStop"):
        if (handler := (container.get("lifecycle") or {}).get(hook)) is not None:
            yield from _handler(handler, f"{path}.lifecycle.{hook}")
    yield from _security(container.get("securityContext") or {}, f"{path}.securityContext")


def _port(port: JSONObject, path: str) -> Iterator[Fault]:
    number = port.get("containerPort")
    if not number:
        yield f"{path}.containerPort", "Required value"
    elif not 0 < number <= _LAST_PORT:
        yield f"{path}.containerPort", f"Invalid value: {number}: must be between 1 and {_LAST_PORT}"
    if (name := port.get("name")) and not _matches(_PORT_NAME, name, _LONGEST_PORT_NAME):
        words = "at most 15 of a-z, 0-9 and -, with a letter"
        yield f"{path}.name", f'Invalid value: "{name}": must be {words}'
    yield from _choices(port, path, "protocol")


def _variable(variable: JSONObject, path: str) -> Iterator[Fault]:
    name, given = variable.get("name"), variable.get("valueFrom")
    if not name:
        yield f"{path}.name", "Required value"
    elif "=" in name:
        yield f"{path}.name", f'Invalid value: "{name}": must not contain ='
    if given and variable.get("value"):
        yield f"{path}.valueFrom", "may not be specified when `value` is not empty"
    if given is not None and len([source for source in given.values() if source is not None]) != 1:
        words = "must specify one of fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef"
        yield f"{path}.valueFrom", words


def _mounts(container: JSONObject, path: str, volumes: list[Any]) -> Iterator[Fault]:
    mounts = _places(container, "volumeMounts", path)
    yield from _duplicates(mounts, "mountPath", "must be unique")
    for place, mount in mounts:
        if not mount.get("mountPath"):
            yield f"{place}.mountPath", "Required value"
        if (name := mount.get("name")) not in volumes:
            yield f"{place}.name", f'Not found: "{name or ""}"'


def _probe(probe: JSONObject, path: str, *, once: bool) -> Iterator[Fault]:
    yield from _handler(probe, path)
    for field in ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "failureThreshold"):
        if (value := probe.get(field) or 0) < 0:
            yield f"{path}.{field}", f"Invalid value: {value}: must be greater than or equal to 0"
    if once and (value := probe.get("successThreshold") or 1) != 1:
        yield f"{path}.successThreshold", f"Invalid value: {value}: must be 1"


def _handler(handler: JSONObject, path: str) -> Iterator[Fault]:
    given = [field for field in _HANDLERS if handler.get(field) is not None]
    if not given:
        yield path, "must specify a handler type"
    for field in given[1:]:
        yield f"{path}.{field}", f"may not specify more than 1 handler type ({' and '.join(given)})"
    if "exec" in given and not handler["exec"].get("command"):
        yield f"{path}.exec.command", "Required value"
    for field in ("httpGet", "tcpSocket"):
        port = (handler.get(field) or {}).get("port", 0)
        if field in given and (not port or (isinstance(port, int) and not 0 < port <= _LAST_PORT)):
            yield f"{path}.{field}.port", f"Invalid value: {port!r}: must be between 1 and {_LAST_PORT}"


def _security(context: JSONObject, path: str) -> Iterator[Fault]:
    if context.get("allowPrivilegeEscalation") is False:
        added = (context.get("capabilities") or {}).get("add") or ()
        if context.get("privileged"):
            yield path, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
        if any(capability in ("SYS_ADMIN", "CAP_SYS_ADMIN") for capability in added):
            yield path, "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"


# ---- volumes, ports of the node, resources, Windows


def _volume(volume: JSONObject, path: str) -> Iterator[Fault]:
    yield from _named(volume, path)
    sources = sorted(key for key, value in volume.items() if key != "name" and value is not None)
    for source in sources[1:]:
        yield f"{path}.{source}", f"may not specify more than 1 volume type ({' and '.join(sources)})"


def _host_ports(spec: JSONObject, containers: list[tuple[str, JSONObject]]) -> Iterator[Fault]:
    met: set[tuple[Any, ...]] = set()
    for path, container in containers:
        for place, port in _places(container, "ports", path):
            number = port.get("hostPort")
            if spec.get("hostNetwork") and number and number != port.get("containerPort"):
                yield f"{place}.hostPort", "must match `containerPort` when `hostNetwork` is true"
            known = number, port.get("protocol") or "TCP", port.get("hostIP") or ""
            if number and not _is_initial(path):
                if known in met:
                    yield f"{place}.hostPort", f'Duplicate value: "{number}"'
                met.add(known)


def _resources(resources: JSONObject, path: str) -> Iterator[Fault]:
    limits = resources.get("limits") or {}
    for name, request in (resources.get("requests") or {}).items():
        wanted, most = _milli(request), _milli(limits.get(name))
        if wanted is not None and wanted < 0:
            words = "must be greater than or equal to 0"
            yield f"{path}.requests[{name}]", f'Invalid value: "{request}": {words}'
        if wanted is not None and most is not None and wanted > most:
            words = f"must be less than or equal to {name} limit of {limits[name]}"
            yield f"{path}.requests", f'Invalid value: "{request}": {words}'


def _pod_resources(spec: JSONObject, containers: list[tuple[str, JSONObject]]) -> Iterator[Fault]:
    """Check the resources of a whole pod (KEP-2837) against those of its containers."""
    whole: JSONObject = spec.get("resources") or {}
    yield from _resources(whole, "spec.resources")
    for name, given in (whole.get("requests") or {}).items():
        # The pod's own containers and the native sidecars run together.
        wanted = sum(
            _requested(each, name)
            for path, each in containers
            if not _is_initial(path) or each.get("restartPolicy") == "Always"
        )
        if (most := _milli(given)) is not None and wanted > most:
            total = canonical_quantity(f"{wanted}m")
            words = f"must be greater than or equal to aggregate container requests of {total}"
            yield f"spec.resources.requests[{name}]", f'Invalid value: "{given}": {words}'
    for name, given in (whole.get("limits") or {}).items():
        for path, container in containers:
            limit = ((container.get("resources") or {}).get("limits") or {}).get(name)
            over, most = _milli(limit), _milli(given)
            if over is not None and most is not None and over > most:
                words = f"must be less than or equal to pod limits of {given}"
                yield f"{path}.resources.limits[{name}]", f'Invalid value: "{limit}": {words}'


def _requested(container: JSONObject, name: str) -> int:
    resources: JSONObject = container.get("resources") or {}
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    return _milli(requests.get(name, limits.get(name))) or 0


def _milli(quantity: Any) -> int | None:
    """Return a quantity in thousandths, None for a missing and for an unreadable one."""
    try:
        return None if quantity is None else int(milli_value(str(quantity)))
    except (TypedError, ValueError):
        return None


def _windows(spec: JSONObject, containers: list[tuple[str, JSONObject]]) -> Iterator[Fault]:
    every = [("spec.securityContext", spec.get("securityContext") or {})]
    every += [(f"{path}.securityContext", each.get("securityContext") or {}) for path, each in containers]
    for path, context in every:
        for field in _NOT_ON_WINDOWS:
            if context.get(field) is not None:
                yield f"{path}.{field}", "cannot be set for a windows pod"


def _places(holder: JSONObject, key: str, path: str) -> list[tuple[str, JSONObject]]:
    """Return path and object of each element of a list."""
    return [(f"{path}.{key}[{index}]", item or {}) for index, item in enumerate(holder.get(key) or ())]
