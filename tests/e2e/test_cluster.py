"""Everything a cluster sees of the injector, shown on a real kube-apiserver."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
import yaml

from tests.conftest import PATIENCE, ROOT
from tests.e2e.conftest import (
    ADVICE,
    CONFIGURATION,
    NAMESPACE,
    Cluster,
    Replica,
    container_names,
    until,
)

pytestmark = [
    pytest.mark.e2e,
    # The first of them may have to build Kubernetes, which is no fault of its own.
    pytest.mark.timeout(600, func_only=True),
]

SIDECARS = {"istio-init", "istio-proxy"}


@pytest.fixture(scope="module")
def shop(cluster: Cluster) -> str:
    return cluster.namespace("shop")


@pytest.fixture
def replica(cluster: Cluster) -> Replica:
    (only,) = cluster.replicas
    return only


@pytest.fixture
def second(cluster: Cluster) -> Iterator[Replica]:
    replica = cluster.start("replica-2")
    yield replica
    cluster.leave(replica)
    replica.kill()
    cluster.replicas.remove(replica)


def bundle(cluster: Cluster) -> bytes:
    entry = cluster.get(CONFIGURATION)["webhooks"][0]
    return base64.b64decode(entry["clientConfig"].get("caBundle", ""))


ELSEWHERE = ("cert-manager.io", "monitoring.coreos.com")
"""Groups of kinds that other programs bring."""


@pytest.mark.parametrize("overlay", sorted(each.name for each in (ROOT / "k8s" / "overlays").iterdir()))
def test_the_api_server_accepts_every_object_of_an_overlay(cluster: Cluster, overlay: str) -> None:
    manifest = cluster.kubectl("kustomize", str(ROOT / "k8s" / "overlays" / overlay)).stdout
    cluster.kubectl("create", "namespace", "istio-system", check=False)
    objects = [each for each in yaml.safe_load_all(manifest) if not each["apiVersion"].startswith(ELSEWHERE)]
    for each in objects:
        if each["kind"] == "MutatingWebhookConfiguration":
            # The one that is there has an entry in which the injector owns caBundle: an apply cannot take it away.
            each["metadata"]["name"] = overlay
    result = cluster.kubectl(
        *("apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "-f", "-"),
        input=objects,
    )
    assert "deployment.apps/sidecar-injector" in result.stdout


def test_the_pods_of_a_deployment_arrive_injected(cluster: Cluster, shop: str) -> None:
    cluster.kubectl("-n", shop, "apply", "-f", str(ROOT / "k8s" / "samples" / "hello.yaml"))
    pods = until(lambda: cluster.get("-n", shop, "pods", "-l", "app=hello")["items"], str)
    assert set(container_names(pods[0])) == SIDECARS | {"hello"}
    labels = pods[0]["metadata"]["labels"]
    assert labels["service.istio.io/canonical-name"] == "hello"
    # A replica that is ready has heard that there are no nodes, of which none is too old for a native sidecar.
    proxy = next(each for each in pods[0]["spec"]["initContainers"] if each["name"] == "istio-proxy")
    names = {each["name"]: each.get("value") for each in proxy["env"]}
    assert names["ISTIO_META_WORKLOAD_NAME"] == "hello"
    status = json.loads(pods[0]["metadata"]["annotations"]["sidecar.istio.io/status"])
    assert "istio-proxy" in status["initContainers"]


def test_a_namespace_without_the_label_is_left_alone(cluster: Cluster) -> None:
    other = cluster.namespace("other", colour="red")
    cluster.create_pod(other, "plain")
    assert container_names(cluster.get("-n", other, "pod", "plain")) == ["app"]


@pytest.mark.parametrize(
    ("name", "metadata"),
    [
        ("by-label", {"labels": {"sidecar.istio.io/inject": "false"}}),
        ("by-annotation", {"annotations": {"sidecar.istio.io/inject": "false"}}),
        ("by-host-network", {"spec": {"hostNetwork": True}}),
    ],
)
def test_a_pod_can_opt_out(cluster: Cluster, shop: str, name: str, metadata: dict[str, object]) -> None:
    cluster.create_pod(shop, name, **metadata)
    assert container_names(cluster.get("-n", shop, "pod", name)) == ["app"]


def test_what_the_policy_would_skip_is_not_even_asked(cluster: Cluster, shop: str, replica: Replica) -> None:
    cluster.create_pod(shop, "not-asked", labels={"sidecar.istio.io/inject": "false"})
    cluster.create_pod(shop, "not-asked-either", spec={"hostNetwork": True})
    cluster.create_pod(shop, "asked")
    assert [name for namespace, name in replica.asked() if namespace == shop and "asked" in name] == ["asked"]


def test_a_denial_tells_the_user_what_to_change(cluster: Cluster, shop: str) -> None:
    annotations = {"traffic.sidecar.istio.io/includeInboundPorts": "many"}
    result = cluster.create_pod(shop, "denied", check=False, annotations=annotations)
    assert result.returncode == 1
    assert 'admission webhook "sidecar-injector.istio.io" denied the request' in result.stderr
    assert "includeInboundPorts" in result.stderr


def test_a_dry_run_is_answered_the_same_and_changes_nothing(cluster: Cluster, shop: str) -> None:
    result = cluster.create_pod(shop, "dry", "--dry-run=server", "-o", "yaml")
    assert set(container_names(yaml.safe_load(result.stdout))) == SIDECARS | {"app"}
    assert cluster.kubectl("-n", shop, "get", "pod", "dry", check=False).returncode == 1


def test_an_injected_pod_that_is_created_again_is_the_same(cluster: Cluster, shop: str) -> None:
    cluster.create_pod(shop, "once")
    first = cluster.get("-n", shop, "pod", "once")
    again = {
        **first,
        "metadata": {
            "name": "twice",
            **{key: first["metadata"][key] for key in ("labels", "annotations")},
        },
        "spec": {key: value for key, value in first["spec"].items() if key != "volumes"}
        | {"volumes": first["spec"]["volumes"]},
    }
    again.pop("status")
    cluster.kubectl("-n", shop, "create", "-f", "-", input=again)
    second = cluster.get("-n", shop, "pod", "twice")
    assert container_names(second) == container_names(first)
    assert second["metadata"]["annotations"] == first["metadata"]["annotations"]


def test_unknown_fields_of_the_users_pod_are_not_our_business(cluster: Cluster, shop: str) -> None:
    spec = {
        "dnsPolicy": "None",
        "dnsConfig": {"nameservers": ["10.0.0.1"]},
        "hostAliases": [{"ip": "1.2.3.4"}],
    }
    cluster.create_pod(shop, "rich", spec=spec)
    found = cluster.get("-n", shop, "pod", "rich")["spec"]
    assert found["hostAliases"] == spec["hostAliases"]
    assert found["dnsConfig"] == spec["dnsConfig"]


# ---- the registration


def test_our_manager_owns_ca_bundle_and_nothing_else(cluster: Cluster) -> None:
    managed = cluster.get(CONFIGURATION, "--show-managed-fields")["metadata"]["managedFields"]
    (ours,) = [each for each in managed if each["manager"] == "sidecar-injector-ca-bundle"]
    assert ours["operation"] == "Apply"
    (entry,) = ours["fieldsV1"]["f:webhooks"].values()
    assert set(entry) - {".", "f:name"} == {"f:clientConfig"}
    assert set(entry["f:clientConfig"]) == {"f:caBundle"}


def test_the_installer_applies_again_and_the_bundle_stays(cluster: Cluster) -> None:
    before = bundle(cluster)
    assert before
    manifest = cluster.kubectl("kustomize", str(ROOT / "k8s" / "overlays" / "self-signed")).stdout
    mine = [
        each
        for each in yaml.safe_load_all(manifest)
        if each and each["kind"] == "MutatingWebhookConfiguration"
    ]
    mine[0]["webhooks"][0]["clientConfig"]["service"]["port"] = cluster.balancer.port
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=mine)
    assert bundle(cluster) == before


@pytest.mark.parametrize("value", ["", base64.b64encode(b"nonsense").decode()])
def test_a_bundle_that_somebody_overwrote_comes_back(cluster: Cluster, value: str) -> None:
    before = bundle(cluster)
    patch = [{"op": "replace", "path": "/webhooks/0/clientConfig/caBundle", "value": value or None}]
    cluster.kubectl("patch", CONFIGURATION, "--type=json", "-p", json.dumps(patch), check=not value)
    until(lambda: bundle(cluster) == before, lambda: repr(bundle(cluster)))


def test_a_configuration_that_was_deleted_is_repaired_when_it_is_made_again(
    cluster: Cluster, shop: str
) -> None:
    before = cluster.get(CONFIGURATION)
    cluster.kubectl("delete", CONFIGURATION)
    for key in ("resourceVersion", "uid", "creationTimestamp", "generation"):
        before["metadata"].pop(key)
    del before["webhooks"][0]["clientConfig"]["caBundle"]
    cluster.kubectl("create", "-f", "-", input=before)
    until(lambda: bool(bundle(cluster)), str)
    until(lambda: cluster.create_pod(shop, "after-deletion", check=False).returncode == 0, str)
    assert set(container_names(cluster.get("-n", shop, "pod", "after-deletion"))) >= SIDECARS


def test_the_service_makes_a_registration_of_its_own_and_brings_its_ca(cluster: Cluster) -> None:
    """For namespaces of a revision, which none is here; `create` is not granted by our manifests."""
    made = "mutatingwebhookconfiguration/made"
    backends = cluster.balancer.backends
    own = ("--service-name=made", "--self-signed-secret=made", "--revision=made")
    options = (*own, "--create-webhook", "--webhook-config-name=made")
    maker = cluster.start("maker", f"--kubeconfig={cluster.kube.kubeconfig}", *options)
    try:
        (entry,) = cluster.get(made)["webhooks"]
        secret = cluster.get("-n", NAMESPACE, "secret", "made")
        assert entry["clientConfig"]["caBundle"] == secret["data"]["ca.crt"]
        assert entry["namespaceSelector"]["matchExpressions"][0]["values"] == ["made"]
        managers = {
            each["manager"]
            for each in cluster.get(made, "--show-managed-fields")["metadata"]["managedFields"]
        }
        assert managers == {"sidecar-injector", "sidecar-injector-ca-bundle"}
    finally:
        cluster.balancer.backends = backends
        maker.kill()
        cluster.replicas.remove(maker)
        cluster.kubectl("delete", made, check=False)


# ---- change


def test_an_edited_configuration_changes_the_next_pod_and_a_broken_one_does_not(
    cluster: Cluster, shop: str, replica: Replica
) -> None:
    values = cluster.config / "values"
    config = cluster.config / "config"
    before, good = values.read_text(), config.read_text()
    try:
        values.write_text(before.replace("logLevel: warning", "logLevel: trace"))
        until(lambda: replica.metric("sidecar_injector_configuration_generation") >= 2, str)
        cluster.create_pod(shop, "edited")
        assert "--proxyLogLevel=trace" in json.dumps(cluster.get("-n", shop, "pod", "edited"))

        config.write_text(good.replace("{{ .ProxyImage | quote }}", "{{ nope }}"))
        until(lambda: "configuration" in replica.page("/healthz/ready?verbose")[1], str)
        cluster.create_pod(shop, "not-broken")
        assert set(container_names(cluster.get("-n", shop, "pod", "not-broken"))) >= SIDECARS
        rejected = "reason=ConfigurationRejected"
        event = until(
            lambda: cluster.get("-n", NAMESPACE, "events", "--field-selector", rejected)["items"],
            replica.log.read_text,
        )[0]
        assert event["involvedObject"]["name"] == "sidecar-injector"
        assert "nope" in event["message"]
    finally:
        config.write_text(good)
        values.write_text(before)


def test_two_replicas_share_one_ca_and_a_rolling_restart_loses_no_pod(
    cluster: Cluster, shop: str, second: Replica
) -> None:
    assert bundle(cluster).count(b"BEGIN CERTIFICATE") == 1
    first = cluster.replicas[0]
    created = 0
    first.process.terminate()
    cluster.leave(first)
    while first.process.poll() is None:
        cluster.create_pod(shop, f"rolling-{created}")
        created += 1
    assert first.process.returncode == 0
    assert created > 5
    cluster.replicas.remove(first)
    cluster.start("replica-1")
    pods = cluster.get("-n", shop, "pods")["items"]
    rolled = [each for each in pods if each["metadata"]["name"].startswith("rolling-")]
    assert all(set(container_names(each)) >= SIDECARS for each in rolled)


def test_a_ca_that_was_lost_is_made_anew_and_pods_go_on(cluster: Cluster, shop: str) -> None:
    before = bundle(cluster)
    cluster.kubectl("-n", NAMESPACE, "delete", "secret", "sidecar-injector-certs")
    # A replica was killed before this: its Lease runs for another 15 s.
    until(lambda: bundle(cluster) != before, str)
    until(lambda: cluster.create_pod(shop, "new-ca", check=False).returncode == 0, str)
    assert before in bundle(cluster), "the old CA stays trusted for its grace"


def test_a_secret_that_somebody_damaged_is_repaired(cluster: Cluster, shop: str) -> None:
    before = bundle(cluster)
    damage = {"data": {"ca.crt": base64.b64encode(b"nonsense").decode()}}
    name = "secret/sidecar-injector-certs"
    cluster.kubectl("-n", NAMESPACE, "patch", name, "-p", json.dumps(damage))
    until(lambda: bundle(cluster) != before, str)
    until(lambda: cluster.create_pod(shop, "repaired", check=False).returncode == 0, str)


def test_certificates_rotate_while_pods_are_created(cluster: Cluster, shop: str) -> None:
    """A CA of 24 s and a grace of 2 s: the next CA is made after 16 s and signs 2 s later."""
    (first,) = cluster.replicas
    cluster.leave(first)
    first.stop()
    cluster.replicas.clear()
    cluster.kubectl("-n", NAMESPACE, "delete", "secret", "sidecar-injector-certs")
    short = ("--caLifetime", "24s", "--certLifetime", "20s", "--rotationGrace", "2s")
    replica = cluster.start("rotating", *short)
    created, bundles = 0, []
    deadline = time.monotonic() + PATIENCE
    while len(bundles) < 3 and time.monotonic() < deadline:
        cluster.create_pod(shop, f"rotating-{created}")
        created += 1
        if (now := bundle(cluster)) not in bundles:
            bundles.append(now)
    assert len(bundles) >= 3, "one CA, both, the next one alone"
    assert any(each.count(b"BEGIN CERTIFICATE") == 2 for each in bundles)
    assert replica.process.poll() is None
    cluster.leave(replica)
    replica.kill()
    cluster.replicas.clear()
    # The CA that is left lives for seconds, too few for the settle of a replica with the default lives.
    cluster.kubectl("-n", NAMESPACE, "delete", "secret", "sidecar-injector-certs")
    cluster.start("replica-1")
    until(lambda: cluster.create_pod(shop, "rotated", check=False).returncode == 0, str)


def test_a_webhook_that_is_down_fails_pods_under_fail_and_not_under_ignore(
    cluster: Cluster, shop: str
) -> None:
    backends, cluster.balancer.backends = cluster.balancer.backends, []
    cluster.point_at(1)
    try:
        result = cluster.create_pod(shop, "down", check=False)
        assert result.returncode == 1
        assert "failed calling webhook" in result.stderr
        policy = [{"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Ignore"}]
        cluster.kubectl("patch", CONFIGURATION, "--type=json", "-p", json.dumps(policy))
        until(lambda: cluster.create_pod(shop, "down", check=False).returncode == 0, str)
        assert container_names(cluster.get("-n", shop, "pod", "down")) == ["app"]
    finally:
        policy = [{"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Fail"}]
        cluster.kubectl("patch", CONFIGURATION, "--type=json", "-p", json.dumps(policy))
        cluster.balancer.backends = backends
        cluster.point_at(cluster.balancer.port)


# ---- advice


@pytest.fixture(scope="module")
def advised(cluster: Cluster) -> None:
    """Wait until the API server knows whom to ask for advice."""
    until(lambda: cluster.get(ADVICE)["webhooks"][0]["clientConfig"].get("caBundle"), str)


def applied(cluster: Cluster, namespace: str, name: str, **more: Any) -> str:
    """Apply a Deployment without replicas; return what kubectl prints beside its result."""
    return cluster.kubectl("-n", namespace, "apply", "-f", "-", input=deployment(name, **more)).stderr


def deployment(name: str, **template: Any) -> dict[str, Any]:
    own = template.pop("own", {})
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, **own},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {**template, "labels": {"app": name, **template.get("labels", {})}},
                "spec": {"containers": [{"name": "app", "image": "app:1"}]},
            },
        },
    }


@pytest.mark.usefixtures("advised")
def test_kubectl_prints_what_becomes_of_the_pods_of_a_deployment(cluster: Cluster, shop: str) -> None:
    gets = "Warning: pods will get istio-proxy (revision default)"
    # The API server takes a new configuration and its CA into use within a second or two.
    attempts = count()
    until(lambda: gets in applied(cluster, shop, f"advised-{next(attempts)}"), str)
    bare = cluster.namespace("bare", colour="red")
    missing = "Warning: pods will NOT be injected: namespace bare has no label istio-injection"
    until(lambda: missing in applied(cluster, bare, f"missing-{next(attempts)}"), str)
    misspelt = applied(cluster, shop, "quantity", annotations={"sidecar.istio.io/proxyCPU": "1O0m"})
    assert "invalid value '1O0m' for annotation 'sidecar.istio.io/proxyCPU'" in misspelt
    misplaced = applied(cluster, shop, "misplaced", own={"labels": {"sidecar.istio.io/inject": "true"}})
    assert "sidecar.istio.io/inject" in misplaced
    assert "spec.template.metadata" in misplaced


@pytest.mark.usefixtures("advised")
def test_an_unchanged_deployment_is_not_commented_on_again(cluster: Cluster, shop: str) -> None:
    attempts = count()
    until(lambda: "Warning" in applied(cluster, shop, f"again-{next(attempts)}"), str)
    name = f"again-{next(attempts) - 1}"
    scaled = deployment(name)
    scaled["spec"]["revisionHistoryLimit"] = 3
    result = cluster.kubectl("-n", shop, "apply", "-f", "-", input=scaled)
    assert "configured" in result.stdout
    assert "Warning" not in result.stderr


@pytest.mark.usefixtures("advised")
def test_the_review_of_a_pod_warns_whoever_creates_it(cluster: Cluster, shop: str) -> None:
    result = cluster.create_pod(shop, "misspelt", labels={"sidecar.istio.io/inject": "flase"})
    assert "Warning: " in result.stderr
    assert "flase" in result.stderr
    assert set(container_names(cluster.get("-n", shop, "pod", "misspelt"))) >= SIDECARS


# ---- rights


def test_proxy_configs_are_watched_once_their_kind_exists(cluster: Cluster, replica: Replica) -> None:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1beta1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"kind": "ProxyConfig", "plural": "proxyconfigs", "singular": "proxyconfig"}
    group = "networking.istio.io"
    cluster.kubectl(
        *("apply", "-f", "-"),
        input={
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"proxyconfigs.{group}"},
            "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [version]},
        },
    )
    stale = "sidecar_injector_proxyconfigs_staleness_seconds"
    until(lambda: replica.metric(stale) < 60, replica.log.read_text)


def test_what_is_granted_is_used_and_what_is_used_is_granted(cluster: Cluster) -> None:
    """Runs last: the audit log then holds everything that the tests above have made the replicas do."""
    granted = set()
    for kind, name in (
        ("clusterrole", "sidecar-injector"),
        ("role", "sidecar-injector"),
        ("role", "sidecar-injector-certs"),
        ("clusterrole", "sidecar-injector-advice"),
    ):
        for rule in cluster.get("-n", NAMESPACE, kind, name)["rules"]:
            granted |= {(verb, resource) for verb in rule["verbs"] for resource in rule["resources"]}
    used, refused = set(), []
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and granted - used:
        used.clear()
        refused.clear()
        for line in (cluster.folder / "audit.log").read_text().splitlines():
            event = json.loads(line)
            call = (event["verb"], event["objectRef"]["resource"])
            used.add(call)
            if event["responseStatus"]["code"] == 403:
                refused.append(call)
        time.sleep(0.2)
    assert refused == []
    assert used == granted
