"""A release's name in, its Behaviour out: every difference between Istio 1.0 and 1.31 is a row here.

Knows no pod, no configuration and no code that acts on a fact. Facts are those of a minor's last
patch. Adding a release means raising NEWEST and adding the rows of what changed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, Final

OLDEST: Final = 0
NEWEST: Final = 31


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The minors of Istio 1.x in which something holds, both ends included."""

    since: int = OLDEST
    until: int = NEWEST

    def covers(self, minor: int) -> bool:
        """Tell whether it holds in 1.``minor``."""
        return self.since <= minor <= self.until


EVER: Final = Span()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Behaviour:
    """What one release does. A fact that no row sets is what it has as default here: not so."""

    release: str
    minor: int

    # configuration
    overlays: bool = False  # `templates` of pod overlays; else one `template` of a SidecarInjectionSpec
    delimiters: tuple[str, str] = ("{{", "}}")
    has_values: bool = False
    has_dns_config: bool = False
    explains_rendered_yaml: bool = False  # an error in a rendered template says where to look
    has_selectors: bool = False
    has_injected_annotations: bool = False

    # decision
    ignored_namespaces: tuple[str, ...] = ()
    namespace_from_request: bool = False  # a pod without a namespace is looked at in the request's
    label_decides: bool = False  # the label sidecar.istio.io/inject hides the annotation
    exact_switch: bool = False  # only "true" and "false" count, anything else is as if absent

    # the review
    reads_any_review: bool = False  # whatever apiVersion and kind say
    review_versions: tuple[str, ...] = ("v1beta1",)
    review_needs_kind: bool = False
    scheme: str = ""  # where Kubernetes' machinery says that a kind is unknown
    refuses_other_kinds: bool = False  # a Pod as body is an error, not a crash
    echoes_kind: bool = False  # answers carry kind and apiVersion
    always_has_patch_type: bool = False  # an empty one where there is no patch
    owner_needs_controller: bool = False  # an owner reference without `controller` is a crash
    needs_template_hash: bool = False  # a ReplicaSet without pod-template-hash is no Deployment's
    finds_deployment_configs: bool = False
    finds_rollouts: bool = False
    cron_job_version: str = ""  # what a Job with a time in its name is taken for; "" for a Job
    cron_jobs_by_minute: bool = False
    workload_has_no_owners: bool = False

    # the template's dot
    has_deployment_meta: bool = False
    deployment_meta_is_name: bool = False  # types.NamespacedName instead of ObjectMeta
    deployment_namespace_from_request: bool = False
    has_type_meta: bool = False
    reads_owners: bool = False  # the webhook finds the workload through owner references
    metadata_pointers: bool = False  # ObjectMeta and Spec are pointers
    has_revision: bool = False
    estimates_concurrency: bool = False
    has_proxy_image: bool = False
    has_image_type: bool = False
    has_image_variant: bool = False
    has_compliance_policy: bool = False
    has_proxy_ids: bool = False
    has_inbound_traffic_policy_mode: bool = False
    has_native_sidecars: bool = False
    has_proxy_init_image: bool = False

    # mesh configuration
    proxy_config_annotation: bool = False
    proxy_config_resources: bool = False
    cleans_proxy_config: bool = False
    cleans_proxy_metadata: bool = False

    # annotations
    checks_annotations_in_order: bool = False  # a list of them, not a Go map
    old_multierror: bool = False
    interception_none: bool = False  # NONE is an interception mode
    port_errors_show_text: bool = False  # the text, not the number that it did not become
    netip_prefixes: bool = False

    # environment from the URL
    url_environment: str = ""  # "" none, "positional" cluster/X/net/Y, "pairs" any KEY/VALUE
    url_env_marker: bool = False  # :ENV:k=v:ENV:…
    url_slash_escape: bool = False  # --slash-- is /
    url_environment_sorted: bool = False
    network_label: bool = False

    # in code up to 1.8
    api_defaults: bool = False  # injected containers get the API server's defaults
    sa_token_mount: bool = False
    concurrency_from_cpu: bool = False
    fs_group_with_sds: bool = False
    fs_group_needs_mount: bool = False  # and enableSdsTokenMount
    fs_group_replaces: bool = False  # the pod's security context is lost
    fs_group_by_feature: bool = False
    cni_annotations: bool = False  # podRedirectAnnot of the template, by kube-inject
    tls_mode_label: bool = False
    canonical_labels: bool = False
    revision_label: bool = False
    status_version: bool = False

    # probes and metrics
    rewrites_probes: bool = False
    probe_annotation: bool = False  # a pod may say itself whether its probes are rewritten
    status_port_of_mesh: bool = False  # the agent's port is the mesh's, not the proxy's argument
    probes_by_old_position: bool = False  # their containers are numbered before old ones are taken out
    probers_in_arguments: bool = False
    probers_have_timeout: bool = False
    tells_no_probers: bool = False  # the agent is told of probes even where there are none
    rewrites_startup_probes: bool = False
    rewrites_tcp_probes_by_feature: bool = False
    rewrites_tcp_probes: bool = False
    rewrites_grpc_probes: bool = False
    rewrites_init_probes: bool = False
    rewrites_lifecycle: bool = False
    merges_probers: bool = False
    adds_missing_probers: bool = False  # also where an earlier injection had nothing to tell
    merges_prometheus: bool = False
    merges_prometheus_by_default: bool = False
    prometheus_any_spelling: bool = False
    prometheus_respects_false: bool = False
    prometheus_targets: bool = False

    # overlays, from 1.9
    template_pod_first: bool = False  # an overlay is tried on the empty pod before the owner's
    overlays_are_yaml: bool = False  # not JSON first, so that faults of the YAML go unsaid
    loses_deployment_config_label: bool = False  # finding the owner takes the label from the pod itself
    prints_zero_timestamp: bool = False  # Go's JSON has `creationTimestamp: null` where it is unset

    # order and re-injection, from 1.9
    holds_application: bool = False
    validation_first: bool = False  # istio-validation goes before all other init containers
    status_revision: bool = False
    parses_status_always: bool = False
    drops_managed_fields: bool = False
    native_sidecars_by_feature: bool = False
    native_sidecar_annotation: bool = False
    native_sidecars_auto: bool = False
    adjusts_init_user: bool = False
    resets_openshift_user: bool = False
    compares_init_users: bool = False  # users of init containers count for that as well

    # kube-inject
    kube_inject_decides: bool = False  # it looks at the annotation and the namespace
    kube_inject_skips_injected: bool = False
    kube_inject_skip_needs_status: bool = False  # and only those with the status annotation
    kube_inject_pull_secrets: bool = False
    kube_inject_finds_owners: bool = False  # of a Pod, as the webhook does
    prints_available_replicas: bool = False  # in a StatefulSet's status, also where it is 0
    folds_yaml: bool = False  # lines of YAML end near column 80
    kube_inject_names_kind: bool = False  # a line about a skipped workload gives kind and namespace


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One fact: ``name`` of a Behaviour field has ``value`` in the minors of ``span``."""

    name: str
    span: Span
    value: Any = True


def _row(name: str, since: int = OLDEST, until: int = NEWEST, *, value: Any = True) -> Row:
    return Row(name=name, span=Span(since=since, until=until), value=value)


ROWS: Final[tuple[Row, ...]] = (
    _row("overlays", 9),
    _row("delimiters", 0, 1, value=("[[", "]]")),
    _row("has_values", 2),
    _row("has_dns_config", 1),
    _row("explains_rendered_yaml", 4),
    _row("has_selectors", 1),
    _row("has_injected_annotations", 4),
    _row("ignored_namespaces", 0, 8, value=("kube-system", "kube-public")),
    _row(
        "ignored_namespaces", 9, value=("kube-system", "kube-public", "kube-node-lease", "local-path-storage")
    ),
    _row("namespace_from_request", 1),
    _row("label_decides", 12),
    _row("exact_switch", 27),
    _row("reads_any_review", 0, 0),
    _row("review_versions", 7, value=("v1", "v1beta1")),
    _row("refuses_other_kinds", 11),
    _row("scheme", 0, 2, value="istio.io/istio/pilot/pkg/kube/inject/webhook.go:44"),
    _row("scheme", 3, 5, value="pkg/runtime/scheme.go:101"),
    _row("scheme", 6, 26, value="pkg/runtime/scheme.go:100"),
    _row("scheme", 27, 29, value="pkg/runtime/scheme.go:110"),
    _row("scheme", 30, value="pkg/runtime/scheme.go:111"),
    _row("review_needs_kind", 7),
    _row("echoes_kind", 7),
    _row("always_has_patch_type", 7, 7),
    _row("owner_needs_controller", 3, 7),
    _row("needs_template_hash", 8),
    _row("finds_deployment_configs", 12),
    _row("finds_rollouts", 22),
    _row("cron_job_version", 6, 21, value="batch/v1beta1"),
    _row("cron_job_version", 22, value="batch/v1"),
    _row("cron_jobs_by_minute", 10),
    _row("workload_has_no_owners", 11),
    _row("has_deployment_meta", 1),
    _row("deployment_meta_is_name", 22),
    _row("deployment_namespace_from_request", 3, 7),
    _row("has_type_meta", 3),
    _row("reads_owners", 3),
    _row("metadata_pointers", 0, 8),
    _row("has_revision", 9),
    _row("estimates_concurrency", 11, 17),
    _row("has_proxy_image", 13),
    _row("has_image_type", 13),
    _row("has_image_variant", 22),
    _row("has_compliance_policy", 19),
    _row("has_proxy_ids", 20),
    _row("has_inbound_traffic_policy_mode", 22),
    _row("has_native_sidecars", 27),
    _row("has_proxy_init_image", 31),
    _row("proxy_config_annotation", 6),
    _row("proxy_config_resources", 13),
    _row("cleans_proxy_config", 6),
    _row("cleans_proxy_metadata", 9),
    _row("checks_annotations_in_order", 0, 1),
    _row("old_multierror", 0, 1),
    _row("interception_none", 1),
    _row("port_errors_show_text", 11),
    _row("netip_prefixes", 16),
    _row("url_environment", 6, 7, value="positional"),
    _row("url_environment", 8, value="pairs"),
    _row("url_env_marker", 10),
    _row("url_slash_escape", 15),
    _row("url_environment_sorted", 10),
    _row("network_label", 8),
    _row("api_defaults", 0, 0),
    _row("sa_token_mount", 1, 8),
    _row("concurrency_from_cpu", 1, 8),
    _row("fs_group_with_sds", 1, 7),
    _row("fs_group_needs_mount", 1, 2),
    _row("fs_group_replaces", 1, 3),
    _row("fs_group_by_feature", 8, 8),
    _row("cni_annotations", 3, 7),
    _row("tls_mode_label", 4, 8),
    _row("canonical_labels", 5, 12),
    _row("revision_label", 6, 8),
    _row("status_version", 0, 8),
    _row("rewrites_probes", 1),
    _row("probe_annotation", 2),
    _row("status_port_of_mesh", 6),
    _row("probes_by_old_position", 6, 6),
    _row("probers_in_arguments", 1, 1),
    _row("probers_have_timeout", 6),
    _row("tells_no_probers", 1, 7),
    _row("rewrites_startup_probes", 7),
    _row("rewrites_tcp_probes_by_feature", 12, 18),
    _row("rewrites_tcp_probes", 19),
    _row("rewrites_grpc_probes", 13),
    _row("rewrites_init_probes", 19),
    _row("rewrites_lifecycle", 25),
    _row("merges_probers", 17),
    _row("adds_missing_probers", 27),
    _row("merges_prometheus", 6),
    _row("merges_prometheus_by_default", 6),
    _row("prometheus_any_spelling", 13),
    _row("prometheus_respects_false", 13),
    _row("prometheus_targets", 31),
    _row("template_pod_first", 19),
    _row("overlays_are_yaml", 14),
    _row("loses_deployment_config_label", 12, 18),
    _row("prints_zero_timestamp", 0, 27),
    _row("holds_application", 7),
    _row("validation_first", 6),
    _row("status_revision", 11),
    _row("parses_status_always", 17),
    _row("drops_managed_fields", 10),
    _row("native_sidecars_by_feature", 19),
    _row("native_sidecar_annotation", 24),
    _row("native_sidecars_auto", 27),
    _row("adjusts_init_user", 20),
    _row("resets_openshift_user", 23),
    _row("compares_init_users", 27),
    _row("kube_inject_decides", 8),
    _row("kube_inject_skips_injected", 2, 16),
    _row("kube_inject_skip_needs_status", 9),
    _row("kube_inject_pull_secrets", 6),
    _row("kube_inject_names_kind", 13),
    _row("kube_inject_finds_owners", 22),
    _row("prints_available_replicas", 13),
    _row("folds_yaml", 0, 6),
    _row("folds_yaml", 10),
)

RELEASES: Final = tuple(f"1.{minor}" for minor in range(OLDEST, NEWEST + 1))
NEWEST_RELEASE: Final = RELEASES[-1]
NEWEST_LEGACY_RELEASE: Final = "1.8"

_RELEASE_PATTERN = re.compile(r"v?1\.(?P<minor>\d+)(?:\.\d+)?(?:[-+].*)?")


@cache
def behaviour_of(release: str) -> Behaviour:
    """Return the Behaviour of ``release``, given as "1.4", "1.4.10" or "v1.31.0-rc.0".

    Raises ValueError, which names the first and the last one known.
    """
    match = _RELEASE_PATTERN.fullmatch(release)
    minor = int(match["minor"]) if match else -1
    if not OLDEST <= minor <= NEWEST:
        raise ValueError(f"release {release!r} is not known: give one of {RELEASES[0]} to {RELEASES[-1]}")
    facts = {row.name: row.value for row in ROWS if row.span.covers(minor)}
    return Behaviour(release=f"1.{minor}", minor=minor, **facts)


FACTS: Final = frozenset(field.name for field in fields(Behaviour)) - {"release", "minor"}
