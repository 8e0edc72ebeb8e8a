"""The behaviours of Istio 1.0 to 1.32: where releases differ from one another.

Each field is one fact: its minors, its meaning, and where Istio's source shows it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Final

from injector.istio.facts import (
    BUILT_WITH,
    NEWEST,
    OLDEST,
    RELEASED,
    between,
    facts_of,
    features,
    form,
    inject,
    modules,
    since,
    source_in,
    util,
    varies,
)

_SYSTEM: Final = ("kube-system", "kube-public")
_WEBHOOK: Final = "istio.io/istio/pilot/pkg/kube/inject/webhook.go"
_MACHINERY: Final = r"k8s\.io/apimachinery v0\."  # with more of the version following

_adapter = source_in("pkg/kube/adapter.go")
_vendored = source_in("vendor/github.com/hashicorp/go-multierror/format.go")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Behaviour:
    """The behaviour of one release; a fact that does not hold in it is False, or empty."""

    release: str
    minor: int

    kubernetes: int = varies(
        0, "the minor version of Kubernetes (k8s.io/api) whose types it was built with", *BUILT_WITH
    )

    # configuration
    overlays: bool = since(
        9,
        "`templates` of pod overlays; before, one `template` of a SidecarInjectionSpec",
        inject('json:"templates"'),
    )
    delimiters: tuple[str, str] = varies(
        ("{{", "}}"),
        "what stands around an action of a template",
        form(("[[", "]]"), 0, 1, inject(r'sidecarTemplateDelimBegin += "\[\["')),
    )
    has_dns_config: bool = between(
        1, 8, "a template may set `dnsConfig`", inject(r"DNSConfig +\*corev1\.PodDNSConfig")
    )
    explains_rendered_yaml: bool = since(
        3,
        "an error in a rendered template says where to look",
        inject("failed parsing generated injected YAML"),
    )
    has_selectors: bool = since(
        1, "`neverInjectSelector` and `alwaysInjectSelector`", inject(r"NeverInjectSelector +\[\]metav1")
    )
    has_injected_annotations: bool = since(
        4, "`injectedAnnotations`", inject(r"InjectedAnnotations +map\[string\]string")
    )

    needs_values: bool = since(
        23,
        "values that are empty or null deny each pod; before, they are as {}",
        inject(r"valuesConfig\.asMap == nil"),
    )

    # decision
    ignored_namespaces: tuple[str, ...] = varies(
        (),
        "namespaces in which nothing is injected",
        form(_SYSTEM, 0, 8, inject("KubeNodeLeaseNamespace", absent=True)),
        form(
            (*_SYSTEM, "kube-node-lease", "local-path-storage"), 9, NEWEST, inject("KubeNodeLeaseNamespace")
        ),
    )
    namespace_from_request: bool = since(
        1,
        "a pod without a namespace is looked at in the request's",
        inject(r"pod\.ObjectMeta\.Namespace = req\.Namespace"),
    )
    label_decides: bool = since(
        12, "the label `sidecar.istio.io/inject` hides the annotation", inject("labelPresent")
    )
    exact_switch: bool = since(
        27,
        'only "true" and "false" count, anything else is as if absent',
        inject("Only 'true' and 'false' are accepted"),
    )

    # the review
    reads_any_review: bool = between(
        0,
        0,
        "whatever apiVersion and kind say",
        inject(r"_ += admissionregistrationv1beta1\.AddToScheme"),
    )
    review_versions: tuple[str, ...] = varies(
        ("v1beta1",),
        "versions of AdmissionReview that are read",
        form(("v1", "v1beta1"), 7, NEWEST, _adapter("admissionAPIV1 +=")),
    )
    review_needs_kind: bool = since(
        7, "a review without kind and apiVersion is an error", inject("AdmissionReviewKubeToAdapter")
    )
    scheme: str = varies(
        "",
        "where Kubernetes' machinery says that a kind is unknown; before 1.2 it does not say",
        form(f"{_WEBHOOK}:44", 2, 2, modules(f"{_MACHINERY}0.0-20190221213512", exact=False)),
        form(f"{_WEBHOOK}:46", 3, 3, modules(f"{_MACHINERY}0.0-20190221213512", exact=False)),
        form("pkg/runtime/scheme.go:101", 4, 8, modules(rf"{_MACHINERY}(0\.0-20190913|1[789])")),
        form("pkg/runtime/scheme.go:100", 9, 25, modules(rf"{_MACHINERY}(2[0-9]|3[0-2])\.")),
        form("pkg/runtime/scheme.go:110", 26, 28, modules(rf"{_MACHINERY}3[34]\.")),
        form("pkg/runtime/scheme.go:111", 29, NEWEST, modules(rf"{_MACHINERY}3[56]\.")),
    )
    refuses_other_kinds: bool = since(
        17,
        "a Pod as body is an error, not a crash",
        # The line after the one that logs it, with the depth of an `if` inside an `else`.
        inject(r"^			reviewResponse = toAdmissionResponse\(err\)"),
    )
    echoes_kind: bool = since(
        7, "answers carry kind and apiVersion", inject(r"response\.TypeMeta = ar\.TypeMeta")
    )
    always_has_patch_type: bool = between(
        7, 7, "an empty `patchType` where there is no patch", _adapter("PatchType: +&patchType")
    )
    owner_needs_controller: bool = between(
        3, 7, "an owner reference without `controller` is a crash", inject(r"if \*ref\.Controller \{")
    )
    needs_template_hash: bool = since(
        8, "a ReplicaSet without pod-template-hash is no Deployment's", util(r'pod-template-hash"\] != ""')
    )
    finds_deployment_configs: bool = since(
        12,
        "a ReplicationController of OpenShift stands for its DeploymentConfig",
        util('Kind = "DeploymentConfig"'),
    )
    finds_rollouts: bool = since(
        22, "a ReplicaSet of Argo stands for its Rollout", util("rollouts-pod-template-hash")
    )
    cron_job_version: str = varies(
        "",
        "the apiVersion of the CronJob that a Job with a time in its name stands for; empty for a Job",
        form(
            "batch/v1beta1",
            6,
            21,
            source_in("pkg/kube/util.go pkg/kube/inject/webhook.go")('"batch/v1beta1"'),
        ),
        form("batch/v1", 22, NEWEST, util('APIVersion = "batch/v1"')),
    )
    cron_jobs_by_minute: bool = since(
        10, "the time is 8 to 10 digits, not always 10", util("cronJobNameRegexp")
    )
    workload_has_no_owners: bool = since(
        11,
        "DeploymentMeta has neither ownerReferences nor managedFields",
        util(r"deployMeta\.OwnerReferences = nil|deployMeta := types\.NamespacedName"),
    )

    # the template's dot; its fields are in `context`
    deployment_meta_is_name: bool = since(
        22,
        "DeploymentMeta is a types.NamespacedName, not an ObjectMeta",
        inject(r"DeploymentMeta +types\.NamespacedName"),
    )
    deployment_namespace_from_request: bool = between(
        3, 7, "DeploymentMeta has the request's namespace", inject(r"deployMeta\.Namespace = req\.Namespace")
    )
    reads_owners: bool = since(
        3,
        "the webhook finds the workload through owner references",
        source_in("pkg/kube/util.go pkg/kube/inject/*.go pilot/pkg/kube/inject/*.go")(
            r"GetOwnerReferences\(\)"
        ),
    )
    metadata_pointers: bool = between(
        0, 8, "ObjectMeta and Spec are pointers", inject(r"^	ObjectMeta +\*metav1\.ObjectMeta")
    )
    type_pointers: bool = between(
        0,
        10,
        "TypeMeta and DeploymentMeta are pointers",
        inject(r"^	(TypeMeta|typeMeta|ObjectMeta) +\*metav1\.(TypeMeta|ObjectMeta)"),
    )
    estimates_concurrency: bool = between(
        11, 17, "EstimatedConcurrency is set; 1.10 leaves it 0", inject("EstimatedConcurrency: +estimate")
    )
    prints_null_tag: bool = since(
        14, "a `global.tag` of null is the tag `<nil>`", inject(r"GetTag\(\)\.AsInterface\(\)")
    )
    has_image_variant: bool = since(
        22, "`global.variant` is the type of images", inject(r"global\.GetVariant\(\)")
    )
    ignores_empty_image_type: bool = since(
        31, "an empty imageType of a ProxyConfig leaves the variant", inject("func proxyImageURL")
    )

    # annotations
    checks_annotations_in_order: bool = between(
        0, 1, "annotations are checked in the order of a list", inject(r"\[\]\*registeredAnnotation\{")
    )
    old_multierror: bool = between(
        0, 1, "go-multierror's layout of before its 1.0", _vendored(r"1 error occurred:\\n\\n\* ")
    )
    interception_none: bool = since(1, "NONE is an interception mode", inject(r"use REDIRECT,TPROXY,NONE"))
    port_errors_show_text: bool = since(
        11,
        "a wrong port is shown as its text, not as the number that it did not become",
        inject("failed parsing port '%s'"),
    )
    netip_prefixes: bool = since(16, "CIDRs are read by net/netip, not by net", inject(r"netip\.ParsePrefix"))

    # environment from the URL
    url_environment: str = varies(
        "",
        "how the webhook's path sets variables: cluster/X/net/Y, or any KEY/VALUE",
        form("positional", 6, 7, inject(r"overwriteClusterInfo\(containers \[\]corev1.Container, path")),
        form("pairs", 8, NEWEST, inject("func parseInjectEnvs")),
    )
    url_env_marker: bool = since(10, "`:ENV:k=v:ENV:…`", inject('":ENV:"'))
    url_slash_escape: bool = since(15, "`--slash--` is a slash", inject("--slash--"))
    network_label: bool = between(8, 8, "the network's label is added by code", inject("func topologyValues"))
    namespaces_by_cluster: bool = since(
        22,
        "a pod's namespace is looked up in the cluster of the URL, not in istiod's own",
        inject(r"namespaces\.ForCluster"),
    )

    # in code up to 1.8
    api_defaults: bool = between(
        0, 0, "injected containers get the API server's defaults", inject(r"^	applyDefaultsWorkaround\(")
    )
    sa_token_mount: bool = between(
        1,
        8,
        "the proxy mounts the service account's token as the application does",
        inject("saJwtSecretMount"),
    )
    concurrency_from_cpu: bool = between(
        1, 8, "`--concurrency` follows the proxy's CPU", inject("applyConcurrency")
    )
    fs_group_with_sds: bool = between(
        1, 7, "the pod gets fsGroup 1337 where the mesh has an SDS socket", inject(r'SdsUdsPath != ""')
    )
    fs_group_needs_mount: bool = between(1, 2, "and enableSdsTokenMount", inject(r"EnableSdsTokenMount && "))
    fs_group_replaces: bool = between(
        1,
        3,
        "the pod's security context is lost by it",
        # One `if` around it, not two.
        inject(r"^		pod\.Spec\.SecurityContext = &corev1\.PodSecurityContext"),
    )
    fs_group_by_feature: bool = between(
        8,
        8,
        "ENABLE_LEGACY_FSGROUP_INJECTION decides on fsGroup",
        inject("features.EnableLegacyFSGroupInjection"),
    )
    cni_annotations: bool = between(
        3, 7, "kube-inject sets `podRedirectAnnot` of the template", inject("func rewriteCniPodS[Pp]ec")
    )
    tls_mode_label: bool = between(
        4, 8, "`security.istio.io/tlsMode` is added by code", inject(r"model\.IstioMutualTLSModeLabel")
    )
    canonical_labels: bool = between(
        5,
        8,
        "the labels of the canonical service are added by code",
        inject("canonicalSvc, canonicalRev := "),
    )
    revision_label: bool = between(6, 8, "`istio.io/rev` is added by code", inject(r"label\.IstioRev\b"))
    holds_application: bool = between(
        7, 8, "the proxy may go in front of the application", inject("func shouldBeInjectedInFront")
    )
    validation_first: bool = between(
        6,
        8,
        "istio-validation goes in front",
        inject('add.Name == "istio-validation"|func shouldBeInjectedInFront'),
    )

    # probes and metrics
    rewrites_probes: bool = since(1, "probes are led through the agent", inject("func DumpAppProbers"))
    probe_annotation: bool = since(
        2, "a pod may say itself whether its probes are rewritten", inject("func ShouldRewriteAppHTTPProbers")
    )
    probes_lose_tls: bool = since(
        2, "an HTTPS probe becomes one by HTTP to the agent", inject("URISchemeHTTPS")
    )
    status_port_of_mesh: bool = since(
        6, "the agent's port is the mesh's, not the proxy's argument", inject(r"GetStatusPort\(\)")
    )
    probes_by_old_position: bool = between(
        5,
        6,
        "rewritten probes land where their containers were before old ones were taken out",
        inject(r"spec/containers/%v/readinessProbe", exact=False),
    )
    probers_have_timeout: bool = since(
        5, "the agent is told of timeouts", inject(r"TimeoutSeconds: +probe\.TimeoutSeconds")
    )
    tells_no_probers: bool = between(
        0,
        7,
        "the agent is told of probes even where there are none",
        inject(r"prevent generate '\{\}'", absent=True),
    )
    rewrites_startup_probes: bool = since(7, "startup probes as well", inject(r"c\.StartupProbe"))
    rewrites_tcp_probes_by_feature: bool = between(
        12, 18, "TCP probes where REWRITE_TCP_PROBES says so", inject(r"features\.RewriteTCPProbes")
    )
    rewrites_tcp_probes: bool = since(19, "TCP probes as well", inject(r"else if probe\.TCPSocket != nil \{"))
    rewrites_grpc_probes: bool = since(13, "gRPC probes as well", inject("func convertAppProberGRPC"))
    rewrites_init_probes: bool = since(
        19, "probes of init containers as well", inject(r"range allContainers\(pod\)")
    )
    rewrites_lifecycle: bool = since(25, "lifecycle hooks as well", inject("func convertAppLifecycleHandler"))
    merges_probers: bool = since(
        17, "a pod that was injected before keeps the probers it had", inject("func mergeOrAppendProbers")
    )
    adds_missing_probers: bool = since(
        27,
        "and gets them where it had none",
        inject(r"^	return append\(envVars, corev1\.EnvVar\{Name: status\.KubeAppProberEnvName"),
    )
    merges_prometheus: bool = since(
        6, "metrics are merged, unless mesh or pod refuse", inject("func enablePrometheusMerge")
    )
    prometheus_any_spelling: bool = since(
        13, "Prometheus' annotations count in every spelling", inject(r"strutil\.SanitizeLabelName")
    )
    prometheus_respects_false: bool = since(
        13, "a pod that is not to be scraped stays so", inject("func getPrometheusScrape\\(")
    )
    prometheus_targets: bool = since(
        31, "`prometheus.istio.io/scrape-targets`, and checks of ports", inject("scrape-targets")
    )

    # overlays, from 1.9
    template_pod_first: bool = since(
        19,
        "an overlay is tried on the empty pod before the owner's",
        inject("So if we see the proxy container in `containers` in the original pod"),
    )
    overlays_are_yaml: bool = since(
        14,
        "overlays are not made JSON first, so that faults of the YAML go unsaid",
        inject("func applyOverlayYAML"),
    )
    loses_deployment_config_label: bool = between(
        12,
        18,
        "finding the DeploymentConfig takes its label from the pod itself",
        util(r'delete\(deployMeta\.Labels, "deploymentconfig"\)'),
    )

    # order and re-injection, from 1.9
    status_revision: bool = since(
        11, "the status annotation has the revision", inject(r"stat\.Revision = revision")
    )
    parses_status_always: bool = since(
        17, "an earlier status is read before containers are merged", inject("func parseStatus")
    )
    native_sidecars_by_feature: bool = since(
        19, "native sidecars by ENABLE_NATIVE_SIDECARS", features('"ENABLE_NATIVE_SIDECARS"')
    )
    native_sidecar_annotation: bool = since(
        24, "and by the pod's annotation", inject(r"sidecar\.istio\.io/nativeSidecar")
    )
    native_sidecars_auto: bool = since(27, "and by the kubelets' versions", features("NativeSidecarModeAuto"))
    adjusts_init_user: bool = since(
        20,
        "istio-validation follows the user of the owner's istio-proxy",
        inject("func adjustInitContainerUser"),
    )
    resets_openshift_user: bool = since(
        23,
        "OpenShift's user of istio-proxy goes where it is the application's",
        inject("func isSidecarUserMatchingAppUser"),
    )
    compares_init_users: bool = since(
        27,
        "users of init containers count for that as well",
        inject(r"func isSidecarUserMatchingAppUser\(pod "),
    )

    # kube-inject
    kube_inject_decides: bool = since(
        8, "it looks at the annotation and the namespace", inject("sidecar injection disabled")
    )
    kube_inject_skips_injected: bool = between(
        2, 16, "it skips a pod that has an istio-proxy", inject("skip injection for injected pods")
    )
    kube_inject_skip_needs_status: bool = between(
        9, 16, "and only one with the status annotation", inject("ProxyContainerName && hasStatus")
    )
    kube_inject_names_kind: bool = since(
        13, "a line about a skipped workload gives kind and namespace", inject(r"fullName = fmt\.Sprintf")
    )
    kube_inject_lays_over_mesh: bool = since(
        13,
        "proxy.istio.io/config is laid over the mesh itself: its statusPort counts everywhere",
        inject(r"meshconfig, merr = mesh\.ApplyProxyConfig"),
    )
    kube_inject_says_decoding: bool = since(
        12, "an error about a file's value says `while decoding JSON`", inject("ghodss/yaml", absent=True)
    )
    kube_inject_pull_secrets: bool = between(
        6, 7, "it adds imagePullSecrets", inject(r"podSpec\.ImagePullSecrets = append")
    )
    kube_inject_merges_metrics: bool = between(
        7, 7, "it sets Prometheus' annotations", inject("This duplicates the enablePrometheusMerge function")
    )
    kube_inject_finds_owners: bool = since(
        21, "the workload of a Pod is found as the webhook finds it", inject("sync from webhook inject")
    )


FACTS: Final = facts_of(Behaviour)

RELEASES: Final = tuple(f"1.{minor}" for minor in range(OLDEST, NEWEST + 1))
NEWEST_RELEASE: Final = RELEASES[RELEASED]

_RELEASE_PATTERN = re.compile(r"v?1\.(?P<minor>\d{1,3})(?:\.\d+)?(?:[-+].*)?")


@cache
def behaviour_of(release: str) -> Behaviour:
    """Return the Behaviour of "1.4", "1.4.10" or "v1.31.0-rc.0"; ValueError names the first and last one."""
    match = _RELEASE_PATTERN.fullmatch(release)
    minor = int(match["minor"]) if match else -1
    if not OLDEST <= minor <= NEWEST:
        raise ValueError(f"release {release!r} is not known: give one of {RELEASES[0]} to {RELEASES[-1]}")
    facts = {fact.name: fact.value for fact in FACTS if fact.span.covers(minor)}
    return Behaviour(release=f"1.{minor}", minor=minor, **facts)
