"""Find what is wrong with an injected pod, compared with the pod before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeAlias

from injector.diagnosis.accepts import PROBES, REFUSED, accepted, containers_with_paths
from injector.errors import InjectorError
from injector.injection.injector import Injector
from injector.injection.steps.metrics import PORT
from injector.injection.steps.pods import PROXY
from injector.json_types import JSONObject, Pod
from injector.patch import go_type

Said: TypeAlias = tuple[str, str, str]
"""Rule, message and the path of a field of the injected pod."""

_HANDLERS: Final = ("httpGet", "grpc", "tcpSocket")


def result_rules(original: Pod, injected: Pod, injector: Injector, namespace: str) -> Iterator[Said]:
    """Yield what is wrong with ``injected`` that was not wrong with ``original``."""
    before = accepted(original)
    known = {message for _, message in before}
    for path, message in accepted(injected):
        if (path, message) not in before and (message not in known or "Duplicate" in message):
            yield REFUSED, message, path
    yield from _again(injected, injector, namespace)
    added = [*_added(original, injected)]
    yield from _unrequested(added)
    yield from _foreign(original, injected, added)
    yield from _lost_probe_fields(original, injected, injector)


def security_rules(original: Pod, injected: Pod) -> Iterator[Said]:
    """Yield what Pod Security refuses of what was injected, a sentence for each container and volume."""
    for path, container in _added(original, injected):
        yield from _violations("container", path, container, [*container_violations(container)])
    before = {(volume or {}).get("name") for volume in (original.get("spec") or {}).get("volumes") or ()}
    for index, volume in enumerate((injected.get("spec") or {}).get("volumes") or ()):
        if volume and volume.get("name") not in before:
            yield from _violations("volume", f"spec.volumes[{index}]", volume, [*volume_violations(volume)])


def _violations(noun: str, path: str, item: JSONObject, broken: list[tuple[str, str]]) -> Iterator[Said]:
    for level in ("baseline", "restricted"):
        reasons = [words for of_level, words in broken if of_level == level]
        if reasons:
            yield "SI303", f"{level} refuses {noun} {item.get('name')}: {', '.join(reasons)}", path


def _again(injected: Pod, injector: Injector, namespace: str) -> Iterator[Said]:
    try:
        twice, decision = injector.inject_pod(injected, namespace)
    except InjectorError as error:
        yield "SI301", f"the injected pod is denied when it is reviewed again: {error}", ""
        return
    if decision.inject and twice != injected:
        path = _first_difference(injected, twice)
        yield "SI301", "injecting the injected pod changes it again", path


def _first_difference(before: Any, after: Any, path: str = "") -> str:
    """Return the path of the first part that differs, "" for the whole."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in before | after:
            if before.get(key) != after.get(key):
                return _first_difference(before.get(key), after.get(key), f"{path}.{key}".lstrip("."))
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (first, second) in enumerate(zip(before, after, strict=True)):
            if first != second:
                return _first_difference(first, second, f"{path}[{index}]")
    return path


# ---- injected containers


def _added(original: Pod, injected: Pod) -> Iterator[tuple[str, JSONObject]]:
    """Yield path and container of those whose names the pod did not have."""
    before = _names(original)
    for path, container in containers_with_paths(injected.get("spec") or {}):
        if container and container.get("name") not in before:
            yield path, container


def _names(pod: Pod) -> set[Any]:
    return {container.get("name") for _, container in containers_with_paths(pod.get("spec") or {})}


def _unrequested(added: list[tuple[str, JSONObject]]) -> Iterator[Said]:
    for path, container in added:
        if "initContainers" in path and container.get("restartPolicy") != "Always":
            continue
        resources: JSONObject = container.get("resources") or {}
        if not any("cpu" in (resources.get(kind) or {}) for kind in ("requests", "limits")):
            yield "SI304", f"container {container.get('name')} has no CPU request", f"{path}.resources"


def _foreign(original: Pod, injected: Pod, added: list[tuple[str, JSONObject]]) -> Iterator[Said]:
    if PROXY in _names(injected) or not added:
        return
    before, after = (each.get("metadata", {}).get("annotations") or {} for each in (original, injected))
    if after.get(PORT) != before.get(PORT):
        words = (
            f"the pod has no {PROXY} and is to be scraped at port {after.get(PORT)}, where nothing listens"
        )
        yield "SI305", words, f"metadata.annotations[{PORT}]"


def _lost_probe_fields(original: Pod, injected: Pod, injector: Injector) -> Iterator[Said]:
    """Yield fields of probes that go through the agent, and that the agent does not know."""
    version = injector.snapshot.behaviour.kubernetes
    after = {
        container.get("name"): container for _, container in containers_with_paths(injected.get("spec") or {})
    }
    for path, container in containers_with_paths(original.get("spec") or {}):
        for kind in PROBES:
            probe = container.get(kind) or {}
            if probe and (after.get(container.get("name")) or {}).get(kind) != probe:
                yield from _unknown_to_agent(probe, f"{path}.{kind}", version)


def _unknown_to_agent(probe: JSONObject, path: str, version: int) -> Iterator[Said]:
    declared = go_type("core/v1.Probe", version)
    for handler in _HANDLERS:
        field = declared.field(handler)
        action = probe.get(handler)
        if field is None or not isinstance(action, dict):
            continue
        for name in action:
            if field.type.target.field(name) is None:
                words = f"{handler}.{name} is not known to this release: the agent probes without it"
                yield "SI306", words, f"{path}.{handler}.{name}"


# ---- Pod Security: the rules of k8s.io/pod-security-admission, policy version 1.31
# Settings of a pod for all of its containers (runAsNonRoot, seccompProfile) are left to the pod.


_BASELINE_CAPABILITIES: Final = frozenset(
    {
        *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE"),
        *("SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
    }
)
_RESTRICTED_VOLUMES: Final = frozenset(
    {
        *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected"),
        "secret",
    }
)


def container_violations(container: JSONObject) -> Iterator[tuple[str, str]]:
    """Yield level and sentence of each rule that a container breaks; `restricted` includes `baseline`."""
    context: JSONObject = container.get("securityContext") or {}
    capabilities: JSONObject = context.get("capabilities") or {}
    added = capabilities.get("add") or ()
    if more := sorted(set(added) - _BASELINE_CAPABILITIES):
        yield "baseline", f"it adds capabilities {', '.join(more)}"
    if context.get("privileged"):
        yield "baseline", "it is privileged"
    if any((port or {}).get("hostPort") for port in container.get("ports") or ()):
        yield "baseline", "it has host ports"
    if context.get("procMount") not in (None, "Default"):
        yield "baseline", "its procMount is not Default"
    if (context.get("seccompProfile") or {}).get("type") == "Unconfined":
        yield "baseline", "its seccomp profile is Unconfined"
    yield from _restricted(context, added)


def _restricted(context: JSONObject, added: Sequence[str]) -> Iterator[tuple[str, str]]:
    if context.get("allowPrivilegeEscalation") is not False:
        yield "restricted", "it allows privilege escalation"
    if "ALL" not in ((context.get("capabilities") or {}).get("drop") or ()):
        yield "restricted", "it does not drop ALL capabilities"
    if (_BASELINE_CAPABILITIES - {"NET_BIND_SERVICE"}).intersection(added):
        yield "restricted", "it adds more capabilities than NET_BIND_SERVICE"
    if context.get("runAsNonRoot") is False:
        yield "restricted", "its runAsNonRoot is false"
    if context.get("runAsUser") == 0:
        yield "restricted", "it runs as user 0"


def volume_violations(volume: JSONObject) -> Iterator[tuple[str, str]]:
    """Yield level and sentence of each rule that a volume breaks."""
    for source in sorted(key for key, value in volume.items() if key != "name" and value is not None):
        if source == "hostPath":
            yield "baseline", "it is a hostPath"
        elif source not in _RESTRICTED_VOLUMES:
            yield "restricted", f"it is a {source}"
