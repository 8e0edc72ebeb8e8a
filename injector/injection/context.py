"""A pod and what is known by load in, the template's dot out. Knows no template and no text.

Which fields a release has, and of which type, is a table. ``known_fields`` are those that no pod changes:
templates are compiled for them; ``dot_of`` makes the others. Values are views on the pod's JSON, not copies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from injector.gotemplate import types
from injector.gotemplate.types import Field, StructType, Type
from injector.gotemplate.values import Int64, NilPointer, Struct, Value, from_json
from injector.injection.concurrency import estimate_concurrency
from injector.injection.go_types import OBJECT_META, POD_SPEC, struct
from injector.injection.images import proxy_image, proxy_init_image
from injector.injection.mesh.descriptors import MESH_CONFIG, schema_of
from injector.injection.mesh.loading import Mesh
from injector.injection.mesh.message import Message
from injector.injection.mesh.views import proxy_config_type, struct_type, view
from injector.injection.openshift import OPENSHIFT, PLATFORM, proxy_ids
from injector.injection.releases import Behaviour, Span
from injector.injection.request import InjectionRequest, Workload
from injector.injection.snapshot import Snapshot
from injector.json_types import JSONObject, Pod

COMPLIANCE_POLICY: Final = "COMPLIANCE_POLICY"

_TYPE_META: Final = StructType(
    name="v1.TypeMeta",
    fields={
        "Kind": Field(json_name="kind", type=types.STRING),
        "APIVersion": Field(json_name="apiVersion", type=types.STRING),
    },
)
_NAMESPACED_NAME: Final = StructType(
    name="types.NamespacedName",
    fields={
        "Namespace": Field(json_name="namespace", type=types.STRING),
        "Name": Field(json_name="name", type=types.STRING),
    },
    stringer=lambda value: f"{value.get('Namespace')}/{value.get('Name')}",
)
_POINTED: Final = Span(until=10)  # DeploymentMeta and TypeMeta were pointers for longer than ObjectMeta


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    name: str
    span: Span
    type: Type


def _rows(minor: int) -> tuple[_Row, ...]:
    """Return the fields of SidecarTemplateData, in Go's order, with their types in one minor."""
    metadata, spec = struct(OBJECT_META), struct(POD_SPEC)
    old = Span(until=8)
    mesh = types.pointer_to(struct_type(schema_of(minor).message(MESH_CONFIG)))
    return (
        _Row(name="TypeMeta", span=Span(since=3, until=10), type=types.pointer_to(_TYPE_META)),
        _Row(name="TypeMeta", span=Span(since=11), type=_TYPE_META),
        _Row(name="DeploymentMeta", span=Span(since=1, until=10), type=types.pointer_to(metadata)),
        _Row(name="DeploymentMeta", span=Span(since=11, until=21), type=metadata),
        _Row(name="DeploymentMeta", span=Span(since=22), type=_NAMESPACED_NAME),
        _Row(name="ObjectMeta", span=old, type=types.pointer_to(metadata)),
        _Row(name="ObjectMeta", span=Span(since=9), type=metadata),
        _Row(name="Spec", span=old, type=types.pointer_to(spec)),
        _Row(name="Spec", span=Span(since=9), type=spec),
        _Row(name="ProxyConfig", span=Span(), type=proxy_config_type(minor)),
        _Row(name="MeshConfig", span=Span(), type=mesh),
        _Row(name="Values", span=Span(since=2), type=types.MAP_ANY),
        _Row(name="Revision", span=Span(since=9), type=types.STRING),
        _Row(name="EstimatedConcurrency", span=Span(since=10, until=17), type=types.INT),
        _Row(name="NativeSidecars", span=Span(since=27), type=types.BOOL),
        _Row(name="ProxyImage", span=Span(since=13), type=types.STRING),
        _Row(name="ProxyInitImage", span=Span(since=31), type=types.STRING),
        _Row(name="ProxyUID", span=Span(since=20), type=types.INT64),
        _Row(name="ProxyGID", span=Span(since=20), type=types.INT64),
        _Row(name="InboundTrafficPolicyMode", span=Span(since=22), type=types.STRING),
        _Row(name="CompliancePolicy", span=Span(since=19), type=types.STRING),
    )


@cache
def dot_type(behaviour: Behaviour) -> StructType:
    """Return the Go type of the dot, Istio's SidecarTemplateData of the release."""
    minor = behaviour.minor
    fields = {
        row.name: Field(json_name=row.name, type=row.type) for row in _rows(minor) if row.span.covers(minor)
    }
    return StructType(name="inject.SidecarTemplateData", fields=fields)


def known_fields(
    *,
    behaviour: Behaviour,
    values: JSONObject,
    mesh: Mesh | None,
    revision: str,
    env: Mapping[str, str],
    proxy_config: Message | None = None,
) -> dict[str, Value]:
    """Return the fields that are the same for every pod.

    With ``proxy_config``, which most pods have, ProxyConfig counts among them.
    """
    fields: dict[str, Value] = {
        "Values": from_json(values),
        "MeshConfig": _mesh_config(mesh, behaviour),
        "Revision": revision,
        "CompliancePolicy": env.get(COMPLIANCE_POLICY, ""),
        "InboundTrafficPolicyMode": _inbound_mode(mesh),
    }
    if proxy_config is not None:
        fields["ProxyConfig"] = view(proxy_config)
    return _of_release(fields, behaviour)


def dot_of(
    request: InjectionRequest,
    snapshot: Snapshot,
    pod: Pod,
    proxy_config: Message | None,
    *,
    native: bool = False,
) -> dict[str, Value]:
    """Return the fields that depend on the pod.

    ``pod`` is what the template shall see: from 1.9 the one without earlier injections. ``proxy_config`` is
    the pod's own, None where there is no mesh; ``native`` whether its sidecars are native.
    """
    behaviour = snapshot.behaviour
    metadata: JSONObject = pod.get("metadata") or {}
    pointer = behaviour.metadata_pointers
    fields: dict[str, Value] = {
        "TypeMeta": _type_meta(request.workload, behaviour),
        "DeploymentMeta": _deployment_meta(request.workload, behaviour),
        "ObjectMeta": Struct(struct(OBJECT_META), metadata, pointer=pointer),
        "Spec": Struct(struct(POD_SPEC), pod.get("spec") or {}, pointer=pointer),
        "ProxyConfig": _proxy_config(proxy_config, behaviour),
        "NativeSidecars": native,
    }
    fields |= _about_the_proxy(request, snapshot, metadata.get("annotations") or {}, proxy_config)
    return _of_release(fields, behaviour)


def _about_the_proxy(
    request: InjectionRequest,
    snapshot: Snapshot,
    annotations: Mapping[str, str],
    proxy_config: Message | None,
) -> dict[str, Value]:
    behaviour, values = snapshot.behaviour, snapshot.values
    fields: dict[str, Value] = {"EstimatedConcurrency": 0}  # 1.10 has the field and leaves it so
    if behaviour.estimates_concurrency:
        fields["EstimatedConcurrency"] = estimate_concurrency(proxy_config, annotations, values)
    if behaviour.has_proxy_image:
        fields["ProxyImage"] = proxy_image(values, proxy_config, annotations, behaviour)
    if behaviour.has_proxy_init_image:
        fields["ProxyInitImage"] = proxy_init_image(values, annotations)
    if behaviour.has_proxy_ids:
        user, group = proxy_ids(_namespace(request, snapshot))
        fields |= {"ProxyUID": Int64(user), "ProxyGID": Int64(group)}
    return fields


def _of_release(fields: Mapping[str, Value], behaviour: Behaviour) -> dict[str, Value]:
    return {name: fields[name] for name in dot_type(behaviour).fields if name in fields}


def _namespace(request: InjectionRequest, snapshot: Snapshot) -> JSONObject | None:
    """Return the pod's namespace where Istio looks at it: on OpenShift."""
    if snapshot.env.get(PLATFORM) != OPENSHIFT or request.by_hand:
        return None
    return snapshot.namespaces.get(request.namespace)


def _mesh_config(mesh: Mesh | None, behaviour: Behaviour) -> Value:
    if mesh is not None:
        return view(mesh.config)
    return NilPointer(types.pointer_to(struct_type(schema_of(behaviour.minor).message(MESH_CONFIG))))


def _proxy_config(config: Message | None, behaviour: Behaviour) -> Value:
    return NilPointer(proxy_config_type(behaviour.minor)) if config is None else view(config)


def _inbound_mode(mesh: Mesh | None) -> str:
    policy: Mapping[str, Any] = {} if mesh is None else mesh.config.get("inboundTrafficPolicy", {})
    return "localhost" if policy.get("mode") == 1 else "passthrough"  # 1 is LOCALHOST


def _type_meta(workload: Workload, behaviour: Behaviour) -> Struct:
    data = {"kind": workload.kind, "apiVersion": workload.api_version}
    return Struct(_TYPE_META, data, pointer=_POINTED.covers(behaviour.minor))


def _deployment_meta(workload: Workload, behaviour: Behaviour) -> Struct:
    if behaviour.deployment_meta_is_name:
        return Struct(_NAMESPACED_NAME, workload.metadata)
    return Struct(struct(OBJECT_META), workload.metadata, pointer=_POINTED.covers(behaviour.minor))
