"""Read once from a cluster what explains its pods: workloads, registration, namespaces, ConfigMaps."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from injector.errors import InjectorError
from injector.json_types import JSONObject
from injector.kube.client import KubeClient
from injector.kube.cluster import kubelet_version
from injector.kube.errors import ApiError, Forbidden, NotFound, Unreachable

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A kind of object: the path of its objects, and its names for kubectl."""

    kind: str
    version: str
    plural: str
    names: tuple[str, ...]

    def path(self, namespace: str, name: str = "") -> str:
        """Return the path of one object, of all in a namespace, or of all."""
        root = f"/apis/{self.version}" if "/" in self.version else f"/api/{self.version}"
        inside = f"/namespaces/{namespace}" if namespace else ""
        return f"{root}{inside}/{self.plural}" + (f"/{name}" if name else "")

    def typed(self, item: JSONObject) -> JSONObject:
        """Return an item of a list with the kind and apiVersion that items of a list lack."""
        return {"apiVersion": self.version, "kind": self.kind, **item}


def _resource(kind: str, version: str, *names: str) -> Resource:
    plural = f"{kind.lower()}s"
    return Resource(kind=kind, version=version, plural=plural, names=(kind.lower(), plural, *names))


POD: Final = _resource("Pod", "v1", "po")
NAMESPACE: Final = _resource("Namespace", "v1")
NODE: Final = _resource("Node", "v1")
REGISTRATION: Final = _resource("MutatingWebhookConfiguration", "admissionregistration.k8s.io/v1")
PROXY_CONFIG: Final = _resource("ProxyConfig", "networking.istio.io/v1beta1")

RESOURCES: Final = (
    _resource("Deployment", "apps/v1", "deploy"),
    _resource("StatefulSet", "apps/v1", "sts"),
    _resource("DaemonSet", "apps/v1", "ds"),
    _resource("ReplicaSet", "apps/v1", "rs"),
    _resource("Job", "batch/v1"),
    _resource("CronJob", "batch/v1", "cj"),
    _resource("ReplicationController", "v1", "rc"),
    POD,
)
"""Kinds of workloads."""

MADE_BY_OTHERS: Final = ("ReplicaSet", "Job", "ReplicationController", "Pod")
"""Kinds that other workloads create: of these only objects without an owner are subjects."""


class SurveyError(InjectorError):
    """The cluster could not be read; the sentence says what to check."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What to look at: one object, or all of a kind if ``name`` is empty."""

    resource: Resource
    name: str = ""


@dataclass(slots=True, kw_only=True)
class Survey:
    """What was read. ``registration`` is None if reading it is forbidden, which ``remarks`` say."""

    workloads: list[JSONObject] = field(default_factory=list)
    pods: list[JSONObject] = field(default_factory=list)
    registration: list[JSONObject] | None = None
    namespaces: list[JSONObject] = field(default_factory=list)
    proxy_configs: list[JSONObject] = field(default_factory=list)
    nodes: dict[str, str] | None = None
    remarks: list[str] = field(default_factory=list)


async def survey(client: KubeClient, subjects: Sequence[Subject], namespace: str) -> Survey:
    """Return what explains the subjects in ``namespace``, "" for all of them; SurveyError with advice.

    Other objects than the subjects that may not be read are left out, with a remark.
    """
    found = Survey()
    for subject in subjects:
        found.workloads += await _subject(client, subject, namespace)
    found.pods = await _optional(found, "pods", _all(client, POD, namespace)) or []
    found.registration = await _optional(found, "the registration", _all(client, REGISTRATION))
    found.namespaces = await _namespaces(client, found, namespace)
    found.proxy_configs = await _optional(found, "ProxyConfigs", _all(client, PROXY_CONFIG)) or []
    nodes = await _optional(found, "nodes", _all(client, NODE))
    if nodes is not None:
        found.nodes = {str(each["metadata"]["name"]): kubelet_version(each) for each in nodes}
    return found


async def config_map(client: KubeClient, namespace: str, name: str) -> dict[str, str] | None:
    """Return the data of a ConfigMap, None where there is none; SurveyError with advice."""
    path = f"/api/v1/namespaces/{namespace}/configmaps/{name}"
    try:
        found = await _reached(client, client.get(path))
    except NotFound:
        return None
    except ApiError as error:
        raise SurveyError(f"ConfigMap {namespace}/{name} cannot be read: {error}") from error
    return found.get("data") or {}


async def _subject(client: KubeClient, subject: Subject, namespace: str) -> list[JSONObject]:
    resource = subject.resource
    try:
        if subject.name:
            one = await _reached(client, client.get(resource.path(namespace, subject.name)))
            return [resource.typed(one)]
        every = await _all(client, resource, namespace)
    except NotFound as error:
        where = f" in namespace {namespace}" if namespace else ""
        raise SurveyError(f"{resource.kind} {subject.name}{where}: {error}") from error
    except ApiError as error:
        raise SurveyError(f"{resource.plural} cannot be read: {error}") from error
    if resource.kind not in MADE_BY_OTHERS:
        return every
    return [each for each in every if not each["metadata"].get("ownerReferences")]


async def _namespaces(client: KubeClient, found: Survey, namespace: str) -> list[JSONObject]:
    if not namespace:
        return await _optional(found, "namespaces", _all(client, NAMESPACE)) or []
    reading = _reached(client, client.get(NAMESPACE.path("", namespace)))
    one = await _optional(found, f"namespace {namespace}", reading)
    return [NAMESPACE.typed(one)] if one else []


async def _all(client: KubeClient, resource: Resource, namespace: str = "") -> list[JSONObject]:
    async def read() -> list[JSONObject]:
        return [resource.typed(each) async for each in client.list(resource.path(namespace))]

    return await _reached(client, read())


async def _optional(found: Survey, what: str, reading: Awaitable[Result]) -> Result | None:
    """Return what was read; None if reading is forbidden, or the cluster has no such kind."""
    try:
        return await reading
    except NotFound:
        return None
    except Forbidden as error:
        found.remarks.append(f"{what} cannot be read: {error}")
        return None


async def _reached(client: KubeClient, reading: Awaitable[Result]) -> Result:
    try:
        return await reading
    except Unreachable as error:
        advice = "is it the right --context, and is its network (VPN, proxy) up?"
        raise SurveyError(f"the API server {client.host} cannot be reached: {error}; {advice}") from error
