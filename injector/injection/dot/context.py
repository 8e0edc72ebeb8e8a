"""Make the template's dot of a pod and of what is known at load.

Which fields a release has, and of which type, is a table. ``known_fields`` are those that no pod changes:
templates are compiled for them; ``dot_of`` makes the others. Values are views on the pod's JSON, not copies.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from injector.gotemplate import types
from injector.gotemplate.fmt import sprint
from injector.gotemplate.types import Int64, StructField, StructType, Type
from injector.gotemplate.values import Struct, Value, from_json
from injector.injection.owner import Workload
from injector.istio.facts import NEWEST, OLDEST, Fact, Span, inject
from injector.istio.go_types import OBJECT_META, POD_SPEC, struct
from injector.istio.mesh.descriptors import MESH_CONFIG, Message, schema_of
from injector.istio.mesh.loading import Mesh
from injector.istio.mesh.views import proxy_config_type, struct_type, view
from injector.istio.releases import Behaviour
from injector.json_types import JSONObject, Pod, at
from injector.patch.quantity import milli_value, quantity_fault

COMPLIANCE_POLICY: Final = "COMPLIANCE_POLICY"
PLATFORM: Final = "PLATFORM"
OPENSHIFT: Final = "openshift"

_TYPE_META: Final = StructType(
    name="v1.TypeMeta",
    fields={
        "Kind": StructField(json_name="kind", type=types.STRING),
        "APIVersion": StructField(json_name="apiVersion", type=types.STRING),
    },
)
_NAMESPACED_NAME: Final = StructType(
    name="types.NamespacedName",
    fields={
        "Namespace": StructField(json_name="namespace", type=types.STRING),
        "Name": StructField(json_name="name", type=types.STRING),
    },
    stringer=lambda value: f"{value.get('Namespace')}/{value.get('Name')}",
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
    _field("Revision", "string", "the revision", 9, exact=False),  # another struct has it from 1.6 on
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
    kubernetes, kinds = behaviour.kubernetes, _TYPE_META
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
    """What is the same for every pod, so that templates are compiled for it.

    ``env`` is istiod's environment as given, never the host's.
    """

    behaviour: Behaviour
    values: JSONObject
    mesh: Mesh
    revision: str = "default"
    env: Mapping[str, str] = field(default_factory=dict)


def known_fields(known: Known, proxy_config: Message | None = None) -> dict[str, Value]:
    """Return the fields that are the same for every pod.

    With ``proxy_config``, which most pods have, ProxyConfig counts among them.
    """
    fields: dict[str, Value] = {
        "Values": from_json(known.values),
        "MeshConfig": view(known.mesh.config),
        "Revision": known.revision,
        "CompliancePolicy": known.env.get(COMPLIANCE_POLICY, ""),
        "InboundTrafficPolicyMode": _inbound_mode(known.mesh),
    }
    if proxy_config is not None:
        fields["ProxyConfig"] = view(proxy_config)
    return _of_release(fields, known.behaviour)


def dot_of(
    pod: Pod,
    workload: Workload,
    proxy_config: Message,
    *,
    behaviour: Behaviour,
    values: JSONObject,
    namespace: JSONObject | None = None,
    native: bool = False,
) -> dict[str, Value]:
    """Return the fields that depend on the pod.

    ``pod`` is what the template shall see: from 1.9 the one without earlier injections. ``proxy_config`` is
    the pod's own; ``namespace`` is the Namespace object where Istio looks at it; ``native`` whether the
    pod's sidecars are native.
    """
    metadata: JSONObject = pod.get("metadata") or {}
    pointer, kubernetes = behaviour.metadata_pointers, behaviour.kubernetes
    type_meta = {"kind": workload.kind, "apiVersion": workload.api_version}
    fields: dict[str, Value] = {
        "TypeMeta": Struct(_TYPE_META, type_meta, pointer=behaviour.type_pointers),
        "DeploymentMeta": _deployment_meta(workload, behaviour),
        "ObjectMeta": Struct(struct(OBJECT_META, kubernetes), metadata, pointer=pointer),
        "Spec": Struct(struct(POD_SPEC, kubernetes), pod.get("spec") or {}, pointer=pointer),
        "ProxyConfig": view(proxy_config),
        "NativeSidecars": native,
    }
    annotations = metadata.get("annotations") or {}
    fields |= _about_the_proxy(annotations, proxy_config, namespace, behaviour, values)
    return _of_release(fields, behaviour)


def _about_the_proxy(
    annotations: Mapping[str, str],
    proxy_config: Message,
    namespace: JSONObject | None,
    behaviour: Behaviour,
    values: JSONObject,
) -> dict[str, Value]:
    fields: dict[str, Value] = {"EstimatedConcurrency": 0}  # 1.10 has the field and leaves it so
    if behaviour.estimates_concurrency:
        fields["EstimatedConcurrency"] = estimate_concurrency(proxy_config, annotations, values)
    names = dot_type(behaviour).fields
    if "ProxyImage" in names:
        fields["ProxyImage"] = proxy_image(values, proxy_config, annotations, behaviour)
    if "ProxyInitImage" in names:
        fields["ProxyInitImage"] = proxy_init_image(values, annotations)
    if "ProxyUID" in names:
        user, group = proxy_ids(namespace)
        fields |= {"ProxyUID": Int64(user), "ProxyGID": Int64(group)}
    return fields


def _of_release(fields: Mapping[str, Value], behaviour: Behaviour) -> dict[str, Value]:
    return {name: fields[name] for name in dot_type(behaviour).fields if name in fields}


def _inbound_mode(mesh: Mesh) -> str:
    policy: Mapping[str, Any] = mesh.config.get("inboundTrafficPolicy", {})
    return "localhost" if policy.get("mode") == 1 else "passthrough"  # 1 is LOCALHOST


def _deployment_meta(workload: Workload, behaviour: Behaviour) -> Struct:
    if behaviour.deployment_meta_is_name:
        return Struct(_NAMESPACED_NAME, workload.metadata)
    metadata = struct(OBJECT_META, behaviour.kubernetes)
    return Struct(metadata, workload.metadata, pointer=behaviour.type_pointers)


# ---- the proxy beyond its ProxyConfig: images
#
# Istio works this and what follows out in Go code of its own, from values, annotations and the namespace.

_IMAGE_TYPE: Final = "sidecar.istio.io/proxyImageType"
_DEFAULT_IMAGE: Final = "proxyv2"
_DEFAULT_TYPE: Final = "default"
_SUFFIXES: Final = ("-distroless", "-debug")


def proxy_image(
    values: JSONObject, proxy_config: Message, annotations: Mapping[str, str], behaviour: Behaviour
) -> str:
    """Return ``hub/image:tag``, the tag with the type of image that is wanted (``.ProxyImage``)."""
    kind = _text(values, "global", "variant") if behaviour.has_image_variant else ""
    image = proxy_config.get("image")
    if image is not None:
        own = image.get("imageType", "")
        kind = own or kind if behaviour.ignores_empty_image_type else own
    return _image(values, "proxy", annotations.get(_IMAGE_TYPE, kind))


def proxy_init_image(values: JSONObject, annotations: Mapping[str, str]) -> str:
    """Return the image of istio-init (``.ProxyInitImage``): a ProxyConfig has no say in it."""
    return _image(values, "proxy_init", annotations.get(_IMAGE_TYPE, _text(values, "global", "variant")))


def _image(values: JSONObject, section: str, kind: str) -> str:
    common = at(values, "global")
    name = _text(common, section, "image") or _DEFAULT_IMAGE
    return f"{_text(common, 'hub')}/{name}:{_tag(_text(common, 'tag'), kind)}"


def _tag(tag: str, kind: str) -> str:
    """Return the tag with ``kind`` as its suffix, in the place of the one that it has."""
    if not kind:
        return tag
    for suffix in _SUFFIXES:
        if tag.endswith(suffix):
            tag = tag.removesuffix(suffix)
            break
    return tag if kind == _DEFAULT_TYPE else f"{tag}-{kind}"


def _text(values: Any, *path: str) -> str:
    """Return what Go prints of the value at a path; "" when there is none."""
    found = values
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    if found.__class__ is str:
        return str(found)
    return "" if found is None else sprint(from_json(found))


# ---- the proxy: threads

_DEFAULT_THREADS: Final = 2
_CPU_ANNOTATIONS: Final = ("sidecar.istio.io/proxyCPULimit", "sidecar.istio.io/proxyCPU")


def estimate_concurrency(proxy_config: Message, annotations: Mapping[str, str], values: JSONObject) -> int:
    """Return what Istio 1.11 to 1.17 calls EstimatedConcurrency.

    It is the ProxyConfig's; where that is 0, enough for the proxy's CPU limit or request.
    """
    wanted = proxy_config.get("concurrency")
    if wanted is None:
        return _DEFAULT_THREADS
    if wanted > 0:
        return int(wanted)
    cpus = (cpu for cpu in _cpus(annotations, values) if not quantity_fault(cpu))
    return next((-(-milli_value(cpu) // 1000) for cpu in cpus), _DEFAULT_THREADS)


def _cpus(annotations: Mapping[str, str], values: JSONObject) -> Iterator[str]:
    """Yield what says how much CPU the proxy has, the strongest first; an annotation hides the values."""
    for annotation in _CPU_ANNOTATIONS:
        if annotation in annotations:
            yield annotations[annotation]
            return
    resources = at(values, "global", "proxy", "resources")
    for kind in ("limits", "requests"):
        cpu = at(resources, kind, "cpu")
        if cpu is not None:
            yield str(cpu)


# ---- the proxy: user and group
#
# OpenShift gives each namespace a range of them in annotations, and Istio takes the last.

DEFAULT_ID: Final = 1337
_USERS: Final = "openshift.io/sa.scc.uid-range"
_GROUPS: Final = "openshift.io/sa.scc.supplemental-groups"
_BLOCK: Final = re.compile(r"\s*([0-9]+)([/-])\s*([0-9]+)")  # what Sscanf reads; anything may follow
_IDS: Final = 1 << 32


def proxy_ids(namespace: JSONObject | None) -> tuple[int, int]:
    """Return user and group of the proxy in a namespace (its object, None when there is none to look at)."""
    if namespace is None:
        return DEFAULT_ID, DEFAULT_ID
    metadata: JSONObject = namespace.get("metadata") or {}
    annotations = metadata.get("annotations") or {}
    users = _end(annotations.get(_USERS, ""))
    groups = [_end(block) for block in str(annotations.get(_GROUPS, annotations.get(_USERS, ""))).split(",")]
    group = None if None in groups else groups[0]
    return DEFAULT_ID if users is None else users, DEFAULT_ID if group is None else group


def _end(block: str) -> int | None:
    """Return the last id of ``START/SIZE`` or ``START-END``; None when it is neither."""
    match = _BLOCK.match(block)
    if match is None or match[2] != ("/" if "/" in block else "-"):
        return None
    start, other = int(match[1]), int(match[3])
    if start >= _IDS or other >= _IDS:
        return None
    return (start + other - 1) % _IDS if match[2] == "/" else other
