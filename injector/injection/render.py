"""A request and a compiled template in, the JSON that the template makes out.

Templates are compiled once, for what is known by then; most pods have the mesh's own ProxyConfig, so
each is compiled for that as well, and once more without it when the first other pod comes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from injector.budget import Budget
from injector.errors import InjectionError
from injector.gotemplate import Function, Template, compile_template, parse
from injector.gotemplate.builtins import BUILTINS
from injector.gotemplate.values import Struct, Value
from injector.injection.dot.context import dot_of, dot_type, known_fields
from injector.injection.request import InjectionRequest
from injector.injection.snapshot import Snapshot
from injector.istio.mesh.annotation import ANNOTATION
from injector.istio.mesh.message import Message, MessageError
from injector.json_types import JSON, JSONObject, Pod
from injector.kubeyaml import Filled, count_nodes
from injector.rendering import Rendering

_NAME = "inject"
"""What Istio calls every template; it stands in error messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateData:
    """The dot for one pod, but for what the template was compiled for."""

    fields: Mapping[str, Value]
    proxy_config: Message | None


class Injected(NamedTuple):
    """The injected pod, and how it came to be where templates are overlays.

    ``data`` is what the templates were given, and remembers what they read; ``overlays`` what they made.
    """

    pod: Pod
    data: TemplateData | None = None
    overlays: tuple[JSON, ...] = ()


class InjectionTemplate:
    """One template of the configuration, compiled."""

    def __init__(
        self, text: str, snapshot: Snapshot, functions: Mapping[str, Function], *, compiled: bool = True
    ) -> None:
        """Take it for a snapshot; raises TemplateSyntaxError.

        Unless ``compiled`` it is only parsed, and compiled when the first pod asks for it: charts bring
        templates along that istiod runs elsewhere.
        """
        self._text = text
        self._snapshot = snapshot
        self._functions = functions
        self.proxy_config = _usual_proxy_config(snapshot)
        if compiled:
            self.usual  # noqa: B018 - made now, so that no pod has to wait for it
        else:
            parse(_NAME, text, BUILTINS.keys() | functions.keys(), snapshot.behaviour.delimiters)

    @cached_property
    def usual(self) -> Template:
        """The template for pods with the mesh's own ProxyConfig."""
        return self._compile(self.proxy_config)

    @cached_property
    def general(self) -> Template:
        """The template for pods whose ProxyConfig is their own."""
        return self._compile(None)

    def _compile(self, proxy_config: Message | None) -> Template:
        snapshot = self._snapshot
        return compile_template(
            _NAME,
            self._text,
            functions=self._functions,
            known=known_fields(
                behaviour=snapshot.behaviour,
                values=snapshot.values,
                mesh=snapshot.mesh,
                revision=snapshot.revision,
                env=snapshot.env,
                proxy_config=proxy_config,
            ),
            dot_type=dot_type(snapshot.behaviour),
            delimiters=snapshot.behaviour.delimiters,
        )

    def for_config(self, proxy_config: Message | None) -> Template:
        """Return the compiled form that serves a pod with this ProxyConfig."""
        usual = proxy_config is self.proxy_config or proxy_config == self.proxy_config
        return self.usual if usual and proxy_config is not None else self.general


def template_data(
    request: InjectionRequest, snapshot: Snapshot, pod: Pod, *, native: bool = False
) -> TemplateData:
    """Return what templates see of ``pod``, which from 1.9 is the one without earlier injections.

    Raises InjectionError for an annotation that is no ProxyConfig, or one of too many nodes.
    """
    _charge_annotation(request)
    proxy_config = proxy_config_of(request, snapshot)
    fields = dot_of(request, snapshot, pod, proxy_config, native=native)
    return TemplateData(fields=fields, proxy_config=proxy_config)


def render_template(
    template: InjectionTemplate, data: TemplateData, snapshot: Snapshot, budget: Budget
) -> Filled:
    """Return the JSON of the YAML that the template makes of the data.

    Raises TemplateExecError where the template fails on it, YAMLError where it makes no YAML,
    LimitError where it makes too much.
    """
    rendering = template.for_config(data.proxy_config).render(data.fields)
    _charge_rendering(rendering, budget)
    return snapshot.skeletons.filled(rendering, snapshot.untrusted_values)


def _charge_annotation(request: InjectionRequest) -> None:
    annotations = (request.pod.get("metadata") or {}).get("annotations") or {}
    text = annotations.get(ANNOTATION)
    if text:
        nodes = count_nodes(text, request.budget.limits.annotation_nodes)
        request.budget.charge("annotation_nodes", nodes, f"annotation {ANNOTATION} has too many YAML nodes")


def _charge_rendering(rendering: Rendering, budget: Budget) -> None:
    """Charge what a template has made, before it is parsed."""
    strings, values = rendering.strings, rendering.values
    size = sum(map(len, strings)) + sum(map(len, values))
    budget.charge("rendered", size, "the templates make {} characters of the pod")
    budget.hold("inserted", len(values), "a template inserts {} values of the pod")
    if size > 2 * budget.limits.nodes:  # a node takes two characters, or it is one of many brackets
        nodes = count_nodes(rendering.text, budget.limits.nodes)
        budget.hold("nodes", nodes, "a template makes too many YAML nodes of the pod")


def has_read_names(data: TemplateData) -> bool:
    """Tell whether a template has read what tells replicas of a workload apart.

    That is the pod's name and managedFields, and the names of volumes. Structs are read through one door
    and remember what was asked for; whoever prints a whole one has asked for all of it.
    """
    pod, owner, spec = (data.fields[name] for name in ("ObjectMeta", "DeploymentMeta", "Spec"))
    if not (isinstance(pod, Struct) and isinstance(owner, Struct) and isinstance(spec, Struct)):
        return True
    if pod.has_read("Name") or pod.has_read("ManagedFields") or owner.has_read("ManagedFields"):
        return True
    if spec.has_read("Volumes") or spec.has_read("EphemeralContainers"):
        return True
    return any(
        isinstance(container, Struct) and container.has_read("VolumeMounts")
        for kind in ("Containers", "InitContainers")
        if spec.has_read(kind)
        for container in spec.get(kind)
    )


def proxy_config_of(request: InjectionRequest, snapshot: Snapshot) -> Message | None:
    """Return the pod's ProxyConfig; None where there is no mesh."""
    configs = snapshot.proxy_configs
    if configs is None:
        return None
    metadata: JSONObject = request.pod.get("metadata") or {}
    annotation = (metadata.get("annotations") or {}).get(ANNOTATION)
    try:
        if request.by_hand:
            return configs.annotated(annotation)
        return configs.of(request.namespace, metadata.get("labels") or {}, annotation)
    except MessageError as error:
        raise InjectionError(str(error)) from error


def _usual_proxy_config(snapshot: Snapshot) -> Message | None:
    return snapshot.proxy_configs.of("", {}, None) if snapshot.proxy_configs else None
