"""What Pod Security (`baseline`, `restricted`) refuses of containers and volumes that were injected.

What a pod may set for all of its containers (runAsNonRoot, seccompProfile) is left to the pod. The rules are
those of k8s.io/pod-security-admission, policy version 1.31.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from injector.json_types import JSONObject

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
    """Yield level and sentence of each rule that a container breaks; `restricted` has those of `baseline`."""
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
