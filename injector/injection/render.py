"""Render a template for one pod: build its data, and parse the YAML that it makes."""

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

    ``pod`` is the JSON as received; it is never mutated. ``namespace`` is the pod's own, else the one of the
    review or the command line. ``url_environment`` holds the environment variables that the webhook's URL
    sets, in the order of the URL (sorted where the release sorts). ``by_hand`` means kube-inject, which
    differs from the webhook in ways that the release says. ``has_plain_spec`` says that the pod's spec is
    known to be written as the release's types write it. ``budget`` is what the review may still cost.
    """

    pod: Pod
    namespace: str
    workload: Workload
    url_environment: Mapping[str, str] = {}
    by_hand: bool = False
    has_plain_spec: bool = False
    budget: Budget = msgspec.field(default_factory=Budget)


class TemplateData(msgspec.Struct, frozen=True, kw_only=True):
    """The part of the dot that is made for each pod; ``usual`` says which compiled form it is for."""

    fields: Mapping[str, Value]
    proxy_config: Message
    usual: bool


class Injected(NamedTuple):
    """The injected pod and, where templates are overlays, how it was made.

    ``data`` is the templates' data, which records what they read; ``overlays`` are what they made.
    """

    pod: Pod
    data: TemplateData | None = None
    overlays: tuple[JSON, ...] = ()


def template_data(
    request: InjectionRequest, snapshot: Snapshot, pod: Pod, *, native: bool = False
) -> TemplateData:
    """Return what templates see of ``pod``, which from 1.9 is the one without earlier injections.

    Raises InjectionError for an annotation that is not a valid ProxyConfig.
    """
    proxy_config = proxy_config_of(request, snapshot)
    mesh_config = mesh_for_templates(snapshot.mesh, proxy_config)
    annotations: Mapping[str, str] = (pod.get("metadata") or {}).get("annotations") or {}
    expected = snapshot.usual_proxy_config, snapshot.mesh.config
    usual = (proxy_config, mesh_config) == expected and IMAGE_TYPE not in annotations
    behaviour, values = snapshot.behaviour, snapshot.values
    ids = _ids(request, snapshot)
    fields = dot_of(
        pod, request.workload, proxy_config, behaviour=behaviour, values=values, ids=ids, native=native
    )
    if not usual:
        settled = snapshot.proxy_configs.settled_mesh(mesh_config)
        fields |= configured_fields(proxy_config, settled, annotations, behaviour=behaviour, values=values)
    return TemplateData(fields=fields, proxy_config=proxy_config, usual=usual)


def render_template(
    template: InjectionTemplate, data: TemplateData, snapshot: Snapshot, budget: Budget
) -> Filled:
    """Return the parsed YAML that the template makes of the data.

    Raises TemplateExecError where the template fails, YAMLError where its output is not YAML, LimitError
    where its output is too large.
    """
    rendering = template.for_pods(usual=data.usual).render(data.fields)
    if not data.usual:
        rendering = rendering.settled()
    _charge_rendering(rendering, budget)
    return snapshot.skeletons.filled(rendering, snapshot.untrusted_values)


def _charge_rendering(rendering: Rendering, budget: Budget) -> None:
    """Charge what a template has rendered, before it is parsed."""
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
    """Return whether a template has read anything that differs between replicas of a workload.

    These are the pod's name, owners, managedFields, host name, affinity, volumes and images. All access to a
    struct's fields is recorded by the struct; printing a whole struct counts as reading all of it.
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
    """Return the proxy's user and group on OpenShift, where the webhook takes the namespace's."""
    if snapshot.env.get(PLATFORM) != OPENSHIFT:
        return None
    return proxy_ids(None if request.by_hand else snapshot.namespaces.get(request.namespace))
