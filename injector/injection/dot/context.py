"""Make the template's dot from a pod and from what is known at load.

A table says which fields a release has and of which type. Templates are compiled for ``known_fields``, which
are the same for all usual pods (see `template`). ``dot_of`` makes the other fields; a pod that is not usual
gets its own ``configured_fields`` besides. Values are views on the pod's JSON, not copies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from injector.gotemplate import types
from injector.gotemplate.types import Int64, Method, StructField, StructType, Type
from injector.gotemplate.values import Struct, Value, from_json
from injector.injection.dot.proxy import DEFAULT_ID, estimate_concurrency, proxy_image, proxy_init_image
from injector.injection.owner import Workload
from injector.istio.facts import NEWEST, OLDEST, Fact, Span, inject
from injector.istio.go_methods import TYPE_META, left_out
from injector.istio.go_types import OBJECT_META, POD_SPEC, struct
from injector.istio.mesh.descriptors import MESH_CONFIG, Message, schema_of
from injector.istio.mesh.loading import Mesh
from injector.istio.mesh.views import proxy_config_type, struct_type, view
from injector.istio.releases import Behaviour
from injector.json_types import JSONObject, Pod

COMPLIANCE_POLICY: Final = "COMPLIANCE_POLICY"
PLATFORM: Final = "PLATFORM"
OPENSHIFT: Final = "openshift"


def _qualified_name(value: Struct) -> str:
    return f"{value.get('Namespace')}/{value.get('Name')}"


_NAMESPACED_NAME: Final = StructType(
    name="types.NamespacedName",
    fields={
        "Namespace": StructField(json_name="Namespace", type=types.STRING),
        "Name": StructField(json_name="Name", type=types.STRING),
    },
    stringer=_qualified_name,
    methods={
        "String": Method(call=_qualified_name, result=types.STRING),
        **left_out(("MarshalLog",), "types.NamespacedName"),
    },
)


def _field(
    name: str, declared: str, meaning: str, since: int = OLDEST, until: int = NEWEST, *, exact: bool = True
) -> Fact:
    """Return a field of SidecarTemplateData; ``declared`` is its type, as a pattern."""
    source = inject(rf"^	{name} +{declared}$", exact=exact)
    return Fact(name=f".{name}", meaning=meaning, span=Span(since=since, until=until, source=source))


FACTS: Final = (
    _field("TypeMeta", r"\*?metav1\.TypeMeta", "kind and apiVersion of the workload", 3),
    _field("DeploymentMeta", r"(\*?metav1\.ObjectMeta|types\.NamespacedName)", "the workload", 1),
    _field("ObjectMeta", r"\*?metav1\.ObjectMeta", "the pod's metadata"),
    _field("Spec", r"\*?corev1\.PodSpec", "the pod's spec"),
    _field("ProxyConfig", r"\*meshconfig\.ProxyConfig", "the pod's ProxyConfig"),
    _field("MeshConfig", r"\*meshconfig\.MeshConfig", "the mesh's configuration"),
    _field("Values", r"map\[string\](interface\{\}|any)", "the injector's values", 2),
    _field("Revision", "string", "the revision", 9, exact=False),  # from 1.6 another struct has it
    _field("EstimatedConcurrency", "int", "threads of the proxy", 10, 17),
    _field("NativeSidecars", "bool", "whether sidecars are native", 27),
    _field("ProxyImage", "string", "the proxy's image", 13),
    _field("ProxyInitImage", "string", "the image of istio-init", 31),
    _field("ProxyUID", "int64", "the proxy's user", 20),
    _field("ProxyGID", "int64", "the proxy's group", 20),
    _field("InboundTrafficPolicyMode", "string", "how inbound traffic passes", 22),
    _field("CompliancePolicy", "string", "COMPLIANCE_POLICY of istiod's environment", 19),
)


def _types(behaviour: Behaviour) -> dict[str, Type]:
    """Return the Go types of the fields in one release."""
    kubernetes, kinds = behaviour.kubernetes, TYPE_META
    metadata, spec = struct(OBJECT_META, kubernetes), struct(POD_SPEC, kubernetes)
    workload = _NAMESPACED_NAME if behaviour.deployment_meta_is_name else metadata
    mesh = types.pointer_to(struct_type(schema_of(behaviour.minor).message(MESH_CONFIG)))
    return {
        "TypeMeta": types.pointer_to(kinds) if behaviour.type_pointers else kinds,
        "DeploymentMeta": types.pointer_to(workload) if behaviour.type_pointers else workload,
        "ObjectMeta": types.pointer_to(metadata) if behaviour.metadata_pointers else metadata,
        "Spec": types.pointer_to(spec) if behaviour.metadata_pointers else spec,
        "ProxyConfig": proxy_config_type(behaviour.minor),
        "MeshConfig": mesh,
        "Values": types.MAP_ANY,
        "EstimatedConcurrency": types.INT,
        "NativeSidecars": types.BOOL,
        "ProxyUID": types.INT64,
        "ProxyGID": types.INT64,
    }


@cache
def dot_type(behaviour: Behaviour) -> StructType:
    """Return the Go type of the dot, Istio's SidecarTemplateData of the release."""
    declared = _types(behaviour)
    names = [fact.name.removeprefix(".") for fact in FACTS if fact.span.covers(behaviour.minor)]
    fields = {name: StructField(json_name=name, type=declared.get(name, types.STRING)) for name in names}
    return StructType(name="inject.SidecarTemplateData", fields=fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is the same for every pod; templates are compiled for it.

    ``env`` is istiod's environment as given, never the host's.
    """

    behaviour: Behaviour
    values: JSONObject
    mesh: Mesh
    revision: str = "default"
    env: Mapping[str, str] = field(default_factory=dict)


def known_fields(known: Known, proxy_config: Message | None = None) -> dict[str, Value]:
    """Return the fields that are the same for every pod.

    With ``proxy_config``, which most pods have, they include the `configured_fields` of usual pods.
    """
    fields: dict[str, Value] = {
        "Values": from_json(known.values),
        "Revision": known.revision,
        "CompliancePolicy": known.env.get(COMPLIANCE_POLICY, ""),
        "InboundTrafficPolicyMode": _inbound_mode(known.mesh),
    }
    if known.env.get(PLATFORM) != OPENSHIFT:
        fields |= _ids_of(DEFAULT_ID, DEFAULT_ID)
    if proxy_config is not None:
        fields |= configured_fields(
            proxy_config, known.mesh.config, {}, behaviour=known.behaviour, values=known.values
        )
    return _of_release(fields, known.behaviour)


def dot_of(
    pod: Pod,
    workload: Workload,
    proxy_config: Message,
    *,
    behaviour: Behaviour,
    values: JSONObject,
    ids: tuple[int, int] | None = None,
    native: bool = False,
) -> dict[str, Value]:
    """Return the fields that depend on the pod.

    ``pod`` is what the template reads: from 1.9 the pod without earlier injections. ``proxy_config`` is the
    pod's own; ``ids`` are the proxy's user and group where the namespace sets them (OpenShift); ``native``
    says whether the pod's sidecars are native.
    """
    metadata: JSONObject = pod.get("metadata") or {}
    pointer, kubernetes = behaviour.metadata_pointers, behaviour.kubernetes
    type_meta = {"kind": workload.kind, "apiVersion": workload.api_version}
    fields: dict[str, Value] = {
        "TypeMeta": Struct(TYPE_META, type_meta, pointer=behaviour.type_pointers),
        "DeploymentMeta": _deployment_meta(workload, behaviour),
        "ObjectMeta": Struct(struct(OBJECT_META, kubernetes), metadata, pointer=pointer),
        "Spec": Struct(struct(POD_SPEC, kubernetes), pod.get("spec") or {}, pointer=pointer),
        "NativeSidecars": native,
        "EstimatedConcurrency": 0,  # 1.10 has the field and never sets it
    }
    if behaviour.estimates_concurrency:
        annotations = metadata.get("annotations") or {}
        fields["EstimatedConcurrency"] = estimate_concurrency(proxy_config, annotations, values)
    if ids is not None:
        fields |= _ids_of(*ids)
    return _of_release(fields, behaviour)


def configured_fields(
    proxy_config: Message,
    mesh_config: Message,
    annotations: Mapping[str, str],
    *,
    behaviour: Behaviour,
    values: JSONObject,
) -> dict[str, Value]:
    """Return the fields that are the same for all pods with one ProxyConfig and no image type of their own.

    ``mesh_config`` is the mesh's; in some releases its default ProxyConfig is the pod's.
    """
    fields = {
        "ProxyConfig": view(proxy_config),
        "MeshConfig": view(mesh_config),
        "ProxyImage": proxy_image(values, proxy_config, annotations, behaviour),
        "ProxyInitImage": proxy_init_image(values, annotations, behaviour),
    }
    return _of_release(fields, behaviour)


def _ids_of(user: int, group: int) -> dict[str, Value]:
    return {"ProxyUID": Int64(user), "ProxyGID": Int64(group)}


def _of_release(fields: Mapping[str, Value], behaviour: Behaviour) -> dict[str, Value]:
    return {name: fields[name] for name in dot_type(behaviour).fields if name in fields}


def _inbound_mode(mesh: Mesh) -> str:
    policy: Mapping[str, Any] = mesh.config.get("inboundTrafficPolicy", {})
    return "localhost" if policy.get("mode") == 1 else "passthrough"  # 1 is LOCALHOST


def _deployment_meta(workload: Workload, behaviour: Behaviour) -> Struct:
    if behaviour.deployment_meta_is_name:
        namespaced = {"Namespace": workload.metadata.get("namespace"), "Name": workload.metadata.get("name")}
        return Struct(_NAMESPACED_NAME, namespaced)
    metadata = struct(OBJECT_META, behaviour.kubernetes)
    return Struct(metadata, workload.metadata, pointer=behaviour.type_pointers)
