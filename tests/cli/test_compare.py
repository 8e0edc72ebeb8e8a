"""compare as a user runs it: a process, two webhooks over TLS, and an API server where workloads run."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from injector import Injector
from injector.diagnosis.arrival import HASH
from injector.templates import built_in
from tests.cli.conftest import Run
from tests.fake_api import fake_api, kubeconfig
from tests.stand_in import Answer, StandIn

WORKLOADS = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web:1}]}
---
apiVersion: v1
kind: Pod
metadata: {name: quiet, namespace: shop, labels: {sidecar.istio.io/inject: "false"}}
spec: {containers: [{name: web, image: web:1}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: none}
"""


Begin = Callable[[Answer], StandIn]


@pytest.fixture
def webhook(tmp_path: Path) -> Iterator[Begin]:
    running: list[StandIn] = []

    def begin(answer: Answer) -> StandIn:
        running.append(StandIn(answer, tmp_path))
        return running[-1]

    yield begin
    for each in running:
        each.close()


def injecting(log_level: str = "warning") -> Answer:
    texts = built_in()
    injector = Injector.load(
        texts.config, texts.values.replace("logLevel: warning", f"logLevel: {log_level}")
    )
    return lambda body, path: (200, injector.review(body, path=path.partition("?")[0]))


def answering(**response: Any) -> Answer:
    def answer(body: bytes, _: str) -> tuple[int, bytes]:
        uid = json.loads(body)["request"]["uid"]
        return 200, json.dumps({"response": {"uid": uid, **response}}).encode()

    return answer


def test_two_that_answer_the_same_are_the_same(run: Run, webhook: Begin) -> None:
    old, new = webhook(injecting()), webhook(injecting())
    result = run("compare", *old.flags("old"), *new.flags("new"), "-f", "-", stdin=WORKLOADS)
    assert (result.returncode, result.stdout, result.stderr) == (
        0,
        "2 pods are the same from both webhooks: 1 injected, 1 left alone\n",
        "",
    )
    assert old.reviews == new.reviews
    request = old.reviews[0]["request"]
    assert (request["namespace"], request["operation"]) == ("shop", "CREATE")
    assert request["object"]["metadata"]["ownerReferences"][0]["kind"] == "ReplicaSet"
    assert request["object"]["metadata"]["generateName"] == f"web-{HASH}-"
    assert request["object"]["metadata"]["labels"] == {"app": "web", "pod-template-hash": HASH}


def test_two_that_deny_everything_are_not_taken_for_two_that_inject(run: Run, webhook: Begin) -> None:
    denying = answering(allowed=False, status={"message": "no template"})
    old, new = webhook(denying), webhook(denying)
    flags = (*old.flags("old"), *new.flags("new"))
    result = run("compare", *flags, "-f", "-", stdin=WORKLOADS.partition("---")[0])
    said = "1 pod is the same from both webhooks: 1 denied: no template\n"
    assert (result.returncode, result.stdout) == (0, said)


LEGACY = "policy: enabled\ntemplate: |\n  containers:\n  - name: istio-proxy\n    image: proxy\n"


def test_webhooks_that_read_only_v1beta1_are_asked_in_it(run: Run, webhook: Begin) -> None:
    injector = Injector.load(LEGACY, release="1.4")
    old, new = (webhook(lambda body, _: (200, injector.review(body))) for _ in range(2))
    two = WORKLOADS.replace('sidecar.istio.io/inject: "false"', "app: quiet")
    result = run("compare", *old.flags("old"), *new.flags("new"), "-f", "-", stdin=two)
    said = "2 pods are the same from both webhooks: 2 injected\n"
    assert (result.returncode, result.stdout, result.stderr) == (0, said, "")
    versions = [review["apiVersion"].rpartition("/")[2] for review in old.reviews]
    assert versions == ["v1", "v1beta1", "v1beta1"], "it is found out once"
    assert [each["request"]["uid"] for each in old.reviews] == ["compare-0", "compare-0", "compare-1"]


def test_a_difference_is_shown_once_with_the_pods_that_have_it(run: Run, webhook: Begin) -> None:
    old, new = webhook(injecting()), webhook(injecting("debug"))
    more = WORKLOADS.replace("name: web, namespace", "name: more, namespace").partition("---")[0]
    flags = (*old.flags("old"), *new.flags("new"))
    result = run("compare", *flags, "-f", "-", stdin=f"{more}---\n{WORKLOADS}")
    assert result.returncode == 1
    assert "2 of 3: shop/Deployment/more, shop/Deployment/web" in result.stdout
    assert '- "--proxyLogLevel=warning"' in result.stdout
    assert '+ "--proxyLogLevel=debug"' in result.stdout
    assert result.stdout.endswith("2 of 3 pods differ, in 1 way; by both: 2 injected, 1 left alone\n")
    document = json.loads(run("compare", *flags, "-o", "json", "-f", "-", stdin=WORKLOADS).stdout)
    (difference,) = document["differences"]
    assert difference["pods"] == ["shop/Deployment/web"]
    assert document["decisions"] == {"injected": 1, "left alone": 1}
    ignored = run("compare", *flags, "--ignore", "*args*", "-f", "-", stdin=WORKLOADS)
    assert ignored.returncode == 0


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (answering(allowed=True), "left alone"),
        (answering(allowed=False, status={"message": "no template"}), "denied: no template"),
        (answering(allowed=False, status="no"), "denied: "),
    ],
    ids=["left alone", "denied", "denied with a status that is none"],
)
def test_another_decision_is_one_difference(run: Run, webhook: Begin, answer: Answer, words: str) -> None:
    old, new = webhook(injecting()), webhook(answer)
    result = run(
        "compare", *old.flags("old"), *new.flags("new"), "-f", "-", stdin=WORKLOADS.partition("---")[0]
    )
    assert result.returncode == 1
    assert result.stdout.splitlines() == [
        "(answer)",
        "  - injected",
        f"  + {words}",
        "  1 of 1: shop/Deployment/web",
        "1 of 1 pods differ, in 1 way",
    ]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda body, path: (503, b"full"), "HTTP 503: full"),
        (lambda body, path: (200, b"hello"), "what it answers is not an AdmissionReview"),
        (
            lambda body, path: (200, b'{"response":{"uid":"other"}}'),
            "what it answers is not an AdmissionReview",
        ),
    ],
    ids=["an error", "no JSON", "another uid"],
)
def test_a_webhook_without_an_answer_is_named(run: Run, webhook: Begin, answer: Answer, words: str) -> None:
    old, new = webhook(injecting()), webhook(answer)
    result = run("compare", *old.flags("old"), *new.flags("new"), "-f", "-", stdin=WORKLOADS)
    assert (result.returncode, result.stderr) == (1, f"error: https://127.0.0.1:{new.port}: {words}\n")


def encoded(patch: bytes) -> str:
    return base64.b64encode(patch).decode()


@pytest.mark.parametrize(
    ("patch", "words"),
    [
        (5, "its patch is not a string"),
        ("!!!", "its patch is not JSON in base64: "),
        ("a", "its patch is not JSON in base64: "),
        ("ä", "its patch is not JSON in base64: "),
        (encoded(b"no JSON"), "its patch is not JSON in base64: "),
        (encoded(b'{"a": 1}'), "its patch is not a list of operations"),
        (encoded(b"[5]"), "its patch is not a list of operations"),
        (encoded(b'[{"op": "remove", "path": "/a"}]'), "its patch does not apply: /a: there is no 'a'"),
    ],
)
def test_a_webhook_whose_patch_is_none_is_named(run: Run, webhook: Begin, patch: object, words: str) -> None:
    old, new = webhook(answering(allowed=True)), webhook(answering(allowed=True, patch=patch))
    result = run("compare", *old.flags("old"), *new.flags("new"), "-f", "-", stdin=WORKLOADS)
    assert result.returncode == 1
    assert result.stderr.startswith(f"error: https://127.0.0.1:{new.port}: {words}")
    assert len(result.stderr.splitlines()) == 1


def test_a_host_that_cannot_be_one_is_named(run: Run) -> None:
    flags = ("--old", "https://a..b", "--new", "https://localhost:1")
    result = run("compare", *flags, "-f", "-", stdin=WORKLOADS)
    assert result.returncode == 1
    assert result.stderr.startswith("error: https://a..b: it cannot be asked: ")
    assert len(result.stderr.splitlines()) == 1


def test_a_port_where_nobody_listens_is_told_with_the_way_there(
    run: Run, webhook: Begin, unused_tcp_port: int
) -> None:
    old = webhook(injecting())
    flags = ("--new", f"https://127.0.0.1:{unused_tcp_port}")
    result = run("compare", *old.flags("old"), *flags, "-f", "-", stdin=WORKLOADS)
    assert result.returncode == 1
    assert "Connection refused; inside a cluster it is reached by kubectl port-forward" in result.stderr


def test_a_certificate_of_another_name_is_refused(run: Run, webhook: Begin) -> None:
    old = webhook(injecting())
    flags = ("--new", f"https://localhost:{old.port}", "--new-ca", str(old.ca))
    result = run("compare", *old.flags("old"), *flags, "-f", "-", stdin=WORKLOADS)
    assert result.returncode == 1
    assert "its certificate does not do: Hostname mismatch" in result.stderr


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--old", "http://x", "--new", "https://x", "-f", "-"], "'http://x' is not the URL of a webhook"),
        (["--old", "https://[x", "--new", "https://x"], "'https://[x' is not the URL of a webhook"),
        (["--old", "https://x", "--new", "https://x:99999"], "'https://x:99999' is not the URL of a webhook"),
        (["--old", "https://x", "--new", "https://x"], "nothing to compare"),
        (
            ["--old", "https://me:secret@x?k=secret", "--new", "https://x"],
            "'https://x?…' has a login in front",
        ),
    ],
)
def test_a_call_that_cannot_be_meant_is_refused(run: Run, flags: list[str], words: str) -> None:
    result = run("compare", *flags, stdin="")
    assert result.returncode == 2
    assert words in result.stderr


async def test_all_pages_of_a_long_list_are_asked_about(run: Run, webhook: Begin, tmp_path: Path) -> None:
    from injector.kube.client import LIST_LIMIT

    old, new = webhook(answering(allowed=True)), webhook(answering(allowed=True))
    async with fake_api() as api:
        for path in (
            "apps/v1/{}/statefulsets",
            "apps/v1/{}/daemonsets",
            "batch/v1/{}/jobs",
            "batch/v1/{}/cronjobs",
        ):
            api.objects[f"/apis/{path.format('namespaces/shop')}"] = {}
        api.objects["/apis/apps/v1/namespaces/shop/deployments"] = {
            f"web-{number}": {
                "metadata": {"name": f"web-{number}", "namespace": "shop"},
                "spec": {"template": {}},
            }
            for number in range(LIST_LIMIT + 1)
        }
        config = str(kubeconfig(api, tmp_path))
        command = ("compare", *old.flags("old"), *new.flags("new"), "-n", "shop", "--kubeconfig", config)
        result = await asyncio.to_thread(run, *command)
    assert (
        result.stdout
        == f"{LIST_LIMIT + 1} pods are the same from both webhooks: {LIST_LIMIT + 1} left alone\n"
    )


@pytest.mark.parametrize("everywhere", [False, True])
async def test_workloads_that_run_are_asked_about(
    run: Run, webhook: Begin, tmp_path: Path, everywhere: bool
) -> None:
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": "web:1"}]},
    }
    where = "" if everywhere else "namespaces/shop/"
    old, new = webhook(injecting()), webhook(injecting("debug"))
    async with fake_api() as api:
        for path in (f"/apis/apps/v1/{where}{kind}" for kind in ("statefulsets", "daemonsets")):
            api.objects[path] = {}
        api.objects[f"/apis/batch/v1/{where}cronjobs"] = {}
        for path, name, owners in (
            (f"/apis/apps/v1/{where}deployments", "web", []),
            (f"/apis/batch/v1/{where}jobs", "once", []),
            (f"/apis/batch/v1/{where}jobs", "of-a-cronjob", [{"kind": "CronJob", "name": "nightly"}]),
        ):
            metadata = {"name": name, "namespace": "shop", "ownerReferences": owners}
            await api.put(path, {"metadata": metadata, "spec": {"template": template}})
        flags = ["-A"] if everywhere else ["-n", "shop"]
        config = str(kubeconfig(api, tmp_path))
        command = ("compare", *old.flags("old"), *new.flags("new"), *flags)
        # kubectl's own variable does as well as the option.
        given: dict[str, str] = {"KUBECONFIG": config} if everywhere else {}
        option = () if everywhere else ("--kubeconfig", config)
        result = await asyncio.to_thread(run, *command, *option, **given)
    assert result.returncode == 1, result.stderr
    assert "2 of 2: shop/Deployment/web, shop/Job/once" in result.stdout


def test_what_a_pod_is_sent_as_is_what_was_given(run: Run, webhook: Begin) -> None:
    patch = base64.b64encode(b'[{"op":"add","path":"/spec/priority","value":1}]').decode()
    old, new = webhook(answering(allowed=True, patch=patch)), webhook(answering(allowed=True, patch=patch))
    pod = WORKLOADS.split("---")[1]
    assert run("compare", *old.flags("old"), *new.flags("new"), "-f", "-", stdin=pod).returncode == 0
    (review,) = old.reviews
    assert review["request"]["object"] == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "quiet", "namespace": "shop", "labels": {"sidecar.istio.io/inject": "false"}},
        "spec": {"containers": [{"name": "web", "image": "web:1"}]},
    }


def test_a_pod_of_a_cron_job_is_sent_with_its_own_labels(run: Run, webhook: Begin) -> None:
    old, new = webhook(answering(allowed=True)), webhook(answering(allowed=True))
    job = """\
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec:
  schedule: "@daily"
  jobTemplate:
    metadata: {labels: {of: the-job}}
    spec:
      template:
        metadata: {labels: {of: the-pod}}
        spec: {containers: [{name: job, image: job:1}]}
"""
    assert run("compare", *old.flags("old"), *new.flags("new"), "-f", "-", stdin=job).returncode == 0
    (review,) = old.reviews
    metadata = review["request"]["object"]["metadata"]
    assert (metadata["labels"]["of"], metadata["ownerReferences"][0]["kind"]) == ("the-pod", "Job")


def test_every_document_that_is_no_yaml_is_told_in_one_run(run: Run) -> None:
    webhooks = ("--old", "https://localhost:1", "--new", "https://localhost:2")
    result = run("compare", *webhooks, "-f", "-", stdin="a: [\n---\nb: c\n---\n\td: e\n")
    assert (result.returncode, result.stdout) == (1, "")
    lines = result.stderr.removeprefix("error: ").splitlines()
    assert [line.partition(": ")[0] for line in lines] == ["<stdin>:2", "<stdin>:5"]
