"""Render a template for one pod that is to be injected: what it sees, and the JSON of the YAML it makes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec

from injector.budget import Budget
from injector.errors import InjectionError
from injector.gotemplate.values import Struct, Value
from injector.injection.dot.context import OPENSHIFT, PLATFORM, configured_fields, dot_of
from injector.injection.dot.proxy import IMAGE_TYPE, proxy_ids
from injector.injection.dot.template import InjectionTemplate
from injector.injection.owner import Workload
from injector.injection.snapshot import Snapshot
from injector.istio.mesh.descriptors import Message, MessageError
from injector.istio.mesh.effective import ANNOTATION, mesh_for_templates
from injector.json_types import JSON, JSONObject, Pod
from injector.kubeyaml import Filled, count_nodes
from injector.rendering import Rendering


class InjectionRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One pod to inject.

    ``pod`` is the JSON as received; it is never mutated. ``namespace`` is the pod's own, else the
    one of the review or the command line. ``url_environment`` holds what the webhook's URL sets,
    names as environment variables, in the order of the URL (sorted where the release sorts).
    ``by_hand`` is a kube-inject, which differs from the webhook in ways that the release says.
    ``has_plain_spec`` says that the pod's spec was seen to be as the release's types write it. ``budget`` is
    what the pod may still cost.
    """

    pod: Pod
    namespace: str
    workload: Workload
    url_environment: Mapping[str, str] = {}
    by_hand: bool = False
    has_plain_spec: bool = False
    budget: Budget = msgspec.field(default_factory=Budget)


class TemplateData(msgspec.Struct, frozen=True, kw_only=True):
    """The dot for one pod, but for what its template was compiled for: the one for ``usual`` pods, or not."""

    fields: Mapping[str, Value]
    proxy_config: Message
    usual: bool


class Injected(NamedTuple):
    """The injected pod, and how it came to be where templates are overlays.

    ``data`` is what the templates were given, and remembers what they read; ``overlays`` what they made.
    """

    pod: Pod
    data: TemplateData | None = None
    overlays: tuple[JSON, ...] = ()


def template_data(
    request: InjectionRequest, snapshot: Snapshot, pod: Pod, *, native: bool = False
) -> TemplateData:
    """Return what templates see of ``pod``, which from 1.9 is the one without earlier injections.

    Raises InjectionError for an annotation that is no ProxyConfig.
    """
    proxy_config = proxy_config_of(request, snapshot)
    mesh_config = mesh_for_templates(snapshot.mesh, proxy_config)
    annotations: Mapping[str, str] = (pod.get("metadata") or {}).get("annotations") or {}
    configs = proxy_config, mesh_config
    usual = configs == (snapshot.usual_proxy_config, snapshot.mesh.config) and IMAGE_TYPE not in annotations
    behaviour, values = snapshot.behaviour, snapshot.values
    ids = _ids(request, snapshot)
    fields = dot_of(
        pod, request.workload, proxy_config, behaviour=behaviour, values=values, ids=ids, native=native
    )
    if not usual:
        fields |= configured_fields(*configs, annotations, behaviour=behaviour, values=values)
    return TemplateData(fields=fields, proxy_config=proxy_config, usual=usual)


def render_template(
    template: InjectionTemplate, data: TemplateData, snapshot: Snapshot, budget: Budget
) -> Filled:
    """Return the JSON of the YAML that the template makes of the data.

    Raises TemplateExecError where the template fails on it, YAMLError where it makes no YAML,
    LimitError where it makes too much.
    """
    rendering = template.for_pods(usual=data.usual).render(data.fields)
    _charge_rendering(rendering, budget)
    return snapshot.skeletons.filled(rendering, snapshot.untrusted_values)


def _charge_rendering(rendering: Rendering, budget: Budget) -> None:
    """Charge what a template has made, before it is parsed."""
    strings, values = rendering.strings, rendering.values
    size = sum(map(len, strings)) + sum(map(len, values))
    budget.charge("rendered", size, "the templates make {} characters of the pod")
    budget.hold("inserted", len(values), "a template inserts {} values of the pod")
    if size > 2 * budget.limits.nodes:  # a node takes two characters, or it is one of many brackets
        nodes = count_nodes(rendering.text, budget.limits.nodes)
        budget.hold("nodes", nodes, "a template makes too many YAML nodes of the pod")


_OWN_METADATA: Final = ("ManagedFields", "GenerateName", "OwnerReferences")
_OWN_CONTAINER: Final = ("VolumeMounts", "Image")
_OWN_SPEC: Final = ("Volumes", "EphemeralContainers", "Hostname", "Affinity")


def has_read_names(data: TemplateData) -> bool:
    """Return whether a template has read what tells replicas of a workload apart.

    That is the pod's name, its owners and managedFields, its host name, affinity, volumes and images. Structs
    are read through one door and remember what was asked for; whoever prints a whole one has asked for all.
    """
    pod, owner, spec = data.fields["ObjectMeta"], data.fields["DeploymentMeta"], data.fields["Spec"]
    if not (isinstance(pod, Struct) and isinstance(owner, Struct) and isinstance(spec, Struct)):
        return True
    if pod.has_read("Name", *_OWN_METADATA) or owner.has_read(*_OWN_METADATA) or spec.has_read(*_OWN_SPEC):
        return True
    for kind in ("Containers", "InitContainers"):
        for container in spec.get(kind) if spec.has_read(kind) else ():
            if isinstance(container, Struct) and container.has_read(*_OWN_CONTAINER):
                return True
    return False


def proxy_config_of(request: InjectionRequest, snapshot: Snapshot) -> Message:
    """Return the pod's ProxyConfig."""
    metadata: JSONObject = request.pod.get("metadata") or {}
    annotation = (metadata.get("annotations") or {}).get(ANNOTATION)
    try:
        if request.by_hand:
            return snapshot.proxy_configs.annotated(annotation)
        return snapshot.proxy_configs.of(request.namespace, metadata.get("labels") or {}, annotation)
    except MessageError as error:
        raise InjectionError(str(error)) from error


def _ids(request: InjectionRequest, snapshot: Snapshot) -> tuple[int, int] | None:
    """Return the proxy's user and group on OpenShift, where the webhook takes those of the namespace."""
    if snapshot.env.get(PLATFORM) != OPENSHIFT:
        return None
    return proxy_ids(None if request.by_hand else snapshot.namespaces.get(request.namespace))
