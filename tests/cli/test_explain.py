"""explain as a user runs it: on files, with and without the registration among them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml

from tests.cli.conftest import Result, Run
from tests.conftest import ROOT

REGISTRATION = (ROOT / "k8s" / "base" / "webhook.yaml").read_text(encoding="utf-8")


def pod(*, namespace: str = "shop", host_network: bool = False, **metadata: Any) -> dict[str, Any]:
    spec: dict[str, Any] = {"containers": [{"name": "web", "image": "web"}]}
    if host_network:
        spec["hostNetwork"] = True
    metadata = {"name": "web", "namespace": namespace, **metadata}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def deployment(**metadata: Any) -> dict[str, Any]:
    template = {"metadata": metadata, "spec": {"containers": [{"name": "web", "image": "web"}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"template": template},
    }


def namespace(**labels: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": labels}}


def explain(run: Run, *documents: Any, options: tuple[str, ...] = ()) -> Result:
    texts = [each if isinstance(each, str) else yaml.safe_dump(each) for each in documents]
    return run("explain", "-f", "-", *options, stdin="---\n".join(texts))


def explained(run: Run, *documents: Any, options: tuple[str, ...] = ()) -> dict[str, Any]:
    result = explain(run, *documents, options=("-o", "json", *options))
    assert result.returncode in (0, 1), result.stderr
    return json.loads(result.stdout)


def only(found: dict[str, Any]) -> tuple[str, str, str]:
    (workload,) = found["workloads"]
    return workload["verdict"], workload["decidedBy"]["gate"], workload["decidedBy"]["rule"]


# ---- without a registration


def test_a_file_whose_name_is_no_text_is_named_in_json(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a\udcffb.yaml").write_text(json.dumps(pod()))
    result = run("explain", "-f", "a\udcffb.yaml", "-o", "json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["workloads"][0]["place"]["source"] == "a\ufffdb.yaml"


def test_without_a_registration_nobody_says_that_the_cluster_injects(run: Run) -> None:
    result = explain(run, pod())
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("1 workload: 1 injected if called\n")
    assert "not looked at: no MutatingWebhookConfiguration was given" in result.stdout
    assert "kubectl get mutatingwebhookconfigurations,namespaces -o yaml" in result.stdout


@pytest.mark.parametrize(
    ("workload", "rule"),
    [
        (pod(host_network=True), "host-network"),
        (pod(labels={"sidecar.istio.io/inject": "false"}), "label"),
        (pod(namespace="kube-system"), "ignored-namespace"),
    ],
)
def test_the_rule_of_the_policy_is_named(run: Run, workload: Any, rule: str) -> None:
    assert only(explained(run, workload)) == ("skipped", "policy", rule)


def test_a_pod_that_would_be_denied_ends_with_1(run: Run) -> None:
    annotations = {"traffic.sidecar.istio.io/includeInboundPorts": "many"}
    result = explain(run, pod(annotations=annotations), options=("-o", "json"))
    assert result.returncode == 1
    (workload,) = json.loads(result.stdout)["workloads"]
    assert workload["decidedBy"]["gate"] == "values"
    path = "metadata.annotations[traffic.sidecar.istio.io/includeInboundPorts]"
    assert workload["decidedBy"]["place"]["path"] == path


def test_a_template_that_is_not_there_stops_at_the_templates(run: Run) -> None:
    found = explained(run, pod(annotations={"inject.istio.io/templates": "nope"}))
    assert only(found) == ("denied", "templates", "templates")
    path = "metadata.annotations[inject.istio.io/templates]"
    assert found["workloads"][0]["decidedBy"]["place"]["path"] == path


@pytest.mark.parametrize(
    ("template", "gate"),
    [('spec: {{ index .Values.nothing "x" }}', "render"), ("spec: [", "merge")],
)
def test_a_template_that_fails_is_named_by_its_gate(
    run: Run, tmp_path: Path, template: str, gate: str
) -> None:
    config = {"policy": "enabled", "defaultTemplates": ["sidecar"], "templates": {"sidecar": template}}
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(config))
    found = explained(run, pod(), options=("--injectConfigFile", "c.yaml", "--release", "1.31"))
    assert only(found)[:2] == ("denied", gate)


def test_the_difference_is_shown_behind_the_summary(run: Run) -> None:
    result = explain(run, pod(), options=("--diff",))
    assert result.stdout.index("1 workload") < result.stdout.index("\n+")
    assert "name: istio-proxy" in result.stdout


def test_the_difference_is_in_json_too(run: Run) -> None:
    (workload,) = explained(run, pod(), options=("--diff",))["workloads"]
    assert any("istio-proxy" in line for line in workload["diff"])


def test_yaml_says_what_json_says(run: Run) -> None:
    result = explain(run, pod(), options=("-o", "yaml"))
    assert yaml.safe_load(result.stdout) == explained(run, pod())


def test_a_rule_of_the_configuration_has_its_line(run: Run, tmp_path: Path) -> None:
    text = "templates:\n  sidecar: 'spec: {}'\npolicy: disabled\ndefaultTemplates: [sidecar]\n"
    (tmp_path / "c.yaml").write_text(text)
    result = explain(run, pod(), options=("--injectConfigFile", "c.yaml"))
    assert "at c.yaml:3:1: policy" in result.stdout


# ---- with one


@pytest.mark.parametrize(
    ("documents", "verdict"),
    [
        ((deployment(), namespace(**{"istio-injection": "enabled"})), ("injected", "policy", "policy")),
        ((deployment(), namespace()), ("skipped", "registration", "namespaceSelector")),
        ((deployment(),), ("unknown", "registration", "namespaceSelector")),
        (
            (
                deployment(labels={"sidecar.istio.io/inject": "false"}),
                namespace(**{"istio-injection": "enabled"}),
            ),
            ("skipped", "registration", "objectSelector"),
        ),
        (
            (pod(host_network=True), namespace(**{"istio-injection": "enabled"})),
            ("skipped", "registration", "matchConditions"),
        ),
    ],
)
def test_the_first_gate_that_stops_a_workload_is_named(run: Run, documents: Any, verdict: Any) -> None:
    assert only(explained(run, *documents, REGISTRATION)) == verdict


def test_a_namespace_without_the_label_is_told_what_to_do_and_where(run: Run, tmp_path: Path) -> None:
    (tmp_path / "hook.yaml").write_text(REGISTRATION)
    result = explain(run, deployment(), namespace(), options=("-f", "hook.yaml"))
    assert result.returncode == 0
    assert "do: kubectl label namespace shop --overwrite istio-injection=enabled" in result.stdout
    line = REGISTRATION.splitlines().index("  namespaceSelector:") + 1
    assert f"at hook.yaml:{line}:3: webhooks[0].namespaceSelector" in result.stdout


def test_objects_may_be_in_a_list_and_in_files_of_namespaces(run: Run, tmp_path: Path) -> None:
    listed = {"apiVersion": "v1", "kind": "List", "items": [namespace(**{"istio-injection": "enabled"})]}
    (tmp_path / "ns.yaml").write_text(yaml.safe_dump(listed))
    both = {"apiVersion": "v1", "kind": "List", "items": [deployment(), yaml.safe_load(REGISTRATION)]}
    found = explained(run, both, options=("--namespace-file", "ns.yaml"))
    assert only(found) == ("injected", "policy", "policy")


def test_a_file_of_namespaces_is_read_once(run: Run, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "ns.yaml")
    written = yaml.safe_dump(namespace(**{"istio-injection": "enabled"}))
    Thread(target=(tmp_path / "ns.yaml").write_text, args=(written,), daemon=True).start()
    found = explained(run, deployment(), REGISTRATION, options=("--namespace-file", "ns.yaml"))
    assert only(found) == ("injected", "policy", "policy")


def test_what_is_no_namespace_is_refused_as_a_file_of_namespaces(run: Run, tmp_path: Path) -> None:
    (tmp_path / "ns.yaml").write_text("kind: Namespace\n---\nkind: Deployment\nmetadata: {name: web}\n")
    result = explain(run, deployment(), options=("--namespace-file", "ns.yaml"))
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "error: ns.yaml:1: this is not a Namespace with a name\n"


def test_every_document_that_is_no_yaml_is_told_in_one_run(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: [\n---\nb: c\n---\n\td: e\n")
    (tmp_path / "b.yaml").write_text("a: b\n--- what\nf: [\n")
    (tmp_path / "c.yaml").write_text("a: b: c\n")
    result = run("explain", "-f", "a.yaml", "-f", "b.yaml", "-f", "c.yaml")
    assert (result.returncode, result.stdout) == (1, "")
    assert [line.partition(": ")[0] for line in result.stderr.removeprefix("error: ").splitlines()] == [
        "a.yaml:2",
        "a.yaml:5",
        "b.yaml:2",
        "c.yaml:1",
    ]


def test_a_registration_without_our_entry_injects_nothing(run: Run) -> None:
    other = yaml.safe_load(REGISTRATION)
    other["webhooks"][0] |= {"name": "other.example.com", "clientConfig": {"url": "https://x.test/mutate"}}
    assert only(explained(run, deployment(), other)) == ("skipped", "registration", "unregistered")
    found = explained(run, deployment(), other, options=("--webhookName", "other.example.com"))
    assert only(found)[1:] == ("registration", "namespaceSelector")


def test_injection_can_be_required(run: Run) -> None:
    documents = deployment(), namespace(), REGISTRATION
    assert explain(run, *documents).returncode == 0
    assert explain(run, *documents, options=("--require-injection",)).returncode == 1
    documents = deployment(), namespace(**{"istio-injection": "enabled"}), REGISTRATION
    assert explain(run, *documents, options=("--require-injection",)).returncode == 0


# ---- bad input

FLEET = """\
apiVersion: games.test/v1
kind: GameServerFleet
metadata: {name: arena}
spec:
  pod:
    metadata: {labels: {app: arena}}
    spec:
      containers: [{name: game, image: game}]
"""


def test_an_unknown_kind_is_told_the_option_that_explains_it(run: Run) -> None:
    told = explain(run, FLEET)
    sentence = "GameServerFleet has containers at spec.pod.spec: `--pod-template-path spec.pod`"
    assert (told.returncode, told.stderr) == (1, f"error: no workload found; {sentence}\n")
    found = explained(run, FLEET, options=("--pod-template-path", "spec.pod"))
    assert only(found) == ("unknown", "registration", "unseen")
    injected = run("inject", "-f", "-", stdin=FLEET)
    assert (injected.returncode, sentence in injected.stderr) == (0, True)
    assert injected.stdout.startswith(FLEET)


def test_what_is_wrong_with_a_name_is_said_with_its_line_wherever_the_pods_stand(run: Run) -> None:
    text = FLEET.replace("labels:", "annotations: {sidecar.istio.io/proxyCpu: 1m}, labels:")
    (workload,) = explained(run, text, options=("--pod-template-path", "spec.pod"))["workloads"]
    (finding,) = workload["findings"]
    assert finding["rule"] == "SI401"
    path = "spec.pod.metadata.annotations[sidecar.istio.io/proxyCpu]"
    assert finding["place"] == {"source": "<stdin>", "line": 6, "column": 30, "path": path}


def test_files_without_a_workload_say_what_they_hold(run: Run) -> None:
    result = explain(run, namespace())
    assert (result.returncode, result.stderr) == (1, "error: no workload found, only Namespace\n")


@pytest.mark.parametrize("command", ["explain", "inject"])
def test_nothing_on_stdin_is_an_error(run: Run, command: str) -> None:
    result = run(command, "-f", "-", stdin="\n")
    assert (result.returncode, result.stdout) == (1, "")
    assert "<stdin> is empty" in result.stderr


@pytest.mark.parametrize("command", ["explain", "inject"])
def test_a_format_that_is_misspelt_is_no_file(run: Run, tmp_path: Path, command: str) -> None:
    result = run(command, "-f", "-", "-o", "jsn", stdin=yaml.safe_dump(pod()))
    assert result.returncode == 2
    assert "json" in result.stderr
    assert not (tmp_path / "jsn").exists()


def test_inject_and_explain_agree_on_a_namespace_that_is_a_boolean(run: Run) -> None:
    text = yaml.safe_dump(pod()).replace("namespace: shop", "namespace: off")
    told = explained(run, text)
    (workload,) = told["workloads"]
    assert (workload["namespace"], workload["verdict"]) == ("false", "unknown")
    (finding,) = workload["findings"]
    assert finding["message"] == "YAML reads a boolean here (false), and an API server takes only a string"
    injected = run("inject", "-f", "-", stdin=text)
    assert next(yaml.safe_load_all(injected.stdout))["metadata"]["namespace"] == "false"
    assert finding["message"] in injected.stderr


def test_a_value_of_a_wrong_type_is_a_finding_with_its_field(run: Run) -> None:
    broken = pod()
    broken["spec"]["containers"] = "none"
    (workload,) = explained(run, broken)["workloads"]
    assert workload["verdict"] == "denied"
    assert "spec.containers" in workload["decidedBy"]["message"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "nothing to explain"),
        (("deploy/web", "-f", "x.yaml"), "not both"),
        (("gadget/web",), "'gadget' is not a kind that is read from clusters: deploy, sts"),
        (("app.yaml",), "'app.yaml' is not a workload in the cluster; give a file as -f app.yaml\n"),
        (("a/b.json",), "'a/b.json' is not a workload in the cluster; give a file as -f a/b.json\n"),
        (("deploy/",), "'deploy/' names no workload"),
        (("-A", "deploy/web"), "-A is for all workloads"),
    ],
)
def test_a_call_that_means_nothing_is_a_usage_error(
    run: Run, arguments: tuple[str, ...], sentence: str
) -> None:
    result = run("explain", *arguments)
    assert (result.returncode, sentence in result.stderr) == (2, True), result.stderr


# ---- a cluster that cannot be read

KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {token: x}}]
contexts: [{name: a, context: {cluster: c, user: u, namespace: shop}}]
current-context: a
"""


WEBHOOKS = ("--old", "https://localhost:1", "--new", "https://localhost:1")


@pytest.mark.parametrize(
    ("arguments", "sentences"),
    [
        (("--kubeconfig", "kc"), ("https://127.0.0.1:1 cannot be reached", "/namespaces/shop/", "--context")),
        (("--kubeconfig", "kc", "--context", "b"), ("name b in kc/contexts",)),
        (("--kubeconfig", "nowhere"), ("the kubeconfig nowhere is not there",)),
    ],
)
def test_a_cluster_that_cannot_be_read_is_one_sentence(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], sentences: tuple[str, ...]
) -> None:
    (tmp_path / "kc").write_text(KUBECONFIG)
    result = run("explain", "deploy/web", *arguments)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert [each for each in sentences if each not in result.stderr] == []


@pytest.mark.parametrize("command", [("explain", "deploy/web"), ("compare", *WEBHOOKS, "-n", "shop")])
def test_a_kubeconfig_that_cannot_be_used_is_one_sentence(
    run: Run, tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "kc").write_text("contexts: 5\n")
    result = run(*command, "--kubeconfig", "kc")
    assert result.returncode == 1
    assert result.stderr.startswith("error: the kubeconfig kc cannot be used: contexts is not a list")
    assert result.stderr.count("\n") == 1


def test_without_any_kubeconfig_it_says_what_to_name(run: Run, tmp_path: Path) -> None:
    result = run("explain", "deploy/web", HOME=str(tmp_path), KUBECONFIG="")
    assert result.returncode == 1
    assert "--kubeconfig, $KUBECONFIG" in result.stderr


CONFIG_MAP = """\
apiVersion: v1
kind: ConfigMap
data:
  config: |
    policy: disabled
    templates: {sidecar: '{}'}
"""


def test_a_rule_of_a_whole_config_map_names_its_line_there(run: Run, tmp_path: Path) -> None:
    (tmp_path / "cm.yaml").write_text(CONFIG_MAP)
    ended = explain(run, pod(), options=("--inject-config-file", "cm.yaml"))
    assert "cm.yaml:5:" in ended.stdout, ended.stdout


@pytest.mark.parametrize(
    ("limit", "gate", "sentence"),
    [
        ("operations=1", "post-processing", " operations; at most 1"),
        ("patch=10", "post-processing", " bytes; at most 10"),
        ("containers=1", "render", "the pod has 2 containers; at most 1"),
    ],
)
def test_a_pod_past_a_limit_is_denied_as_the_webhook_denies_it(
    run: Run, limit: str, gate: str, sentence: str
) -> None:
    two = pod()
    two["spec"]["containers"] += [{"name": "other", "image": "other"}]
    options = ("-o", "json", "--review-limit", limit)
    (workload,) = explained(run, two, options=options)["workloads"]
    assert (workload["verdict"], workload["decidedBy"]["gate"]) == ("denied", gate)
    assert workload["decidedBy"]["message"].endswith(sentence)
    linted = run("lint", "-", *options, stdin=yaml.safe_dump(two))
    (denied,) = [each for each in json.loads(linted.stdout) if each["rule"] == "SI003"]
    assert (linted.returncode, denied["message"]) == (
        1,
        f"Pod web is denied: {workload['decidedBy']['message']}",
    )
