"""explain of a cluster: the command as a process, an API server in memory on the other side."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from injector import Injector
from tests.conftest import PATIENCE
from tests.fake_api import FakeApi, connected, fake_api, kubeconfig, refusal

APPS = "/apis/apps/v1/namespaces/shop"
REGISTRATIONS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
CONFIG_MAPS = "/api/v1/namespaces/mesh/configmaps"
CONFIG = """\
policy: enabled
defaultTemplates: [sidecar]
templates:
  sidecar: |
    spec:
      containers:
      - name: istio-proxy
        image: proxy:2
"""


def deployment() -> dict[str, Any]:
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": "web"}]},
    }
    return {"metadata": {"name": "web", "namespace": "shop", "uid": "1"}, "spec": {"template": template}}


def a_pod(name: str, *, config: str = "", created: str = "2026-01-01") -> Any:
    """Return a running pod of the deployment, injected with ``config`` where one is given."""
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-6d4", "controller": True}
    metadata: dict[str, Any] = {
        "name": name,
        "generateName": "web-6d4-",
        "namespace": "shop",
        "uid": name,
        "creationTimestamp": f"{created}T00:00:00Z",
        "labels": {"pod-template-hash": "6d4"},
        "ownerReferences": [owner],
    }
    pod = {"metadata": metadata, "spec": {"containers": [{"name": "web", "image": "web"}]}}
    if config:
        pod, _ = Injector.load(config).inject_pod(pod, "shop")
    return pod | {"status": {"phase": "Running"}}


def registration(**selector: Any) -> dict[str, Any]:
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    service = {"name": "sidecar-injector", "namespace": "mesh", "path": "/inject"}
    entry = {"name": "sidecar-injector.istio.io", "clientConfig": {"service": service}, "rules": [rule]}
    metadata = {"name": "sidecar-injector", "creationTimestamp": "2026-06-01T00:00:00Z"}
    return {"metadata": metadata, "webhooks": [{**entry, "namespaceSelector": selector}]}


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    async with fake_api() as api:
        api.objects |= {
            f"{APPS}/deployments": {"web": deployment()},
            "/api/v1/namespaces/shop/pods": {},
            REGISTRATIONS: {"sidecar-injector": registration()},
            "/api/v1/namespaces": {"shop": {"metadata": {"name": "shop", "labels": {}}}},
            "/api/v1/nodes": {},
            CONFIG_MAPS: {"sidecar-injector": {"metadata": {}, "data": {"config": CONFIG}}},
        }
        yield api


async def run(api: FakeApi, folder: Path, *arguments: str) -> tuple[int, str, str]:
    path = kubeconfig(api, folder)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "injector", "explain", "--kubeconfig", str(path), *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=folder,
    )
    async with asyncio.timeout(PATIENCE):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def explained(api: FakeApi, folder: Path, *arguments: str) -> dict[str, Any]:
    code, out, err = await run(api, folder, "-n", "shop", "-o", "json", *arguments)
    assert code == 0, err
    found: dict[str, Any] = json.loads(out)
    return found


async def test_a_workload_is_judged_by_what_the_cluster_has(api: FakeApi, tmp_path: Path) -> None:
    found = await explained(api, tmp_path, "deploy/web")
    (workload,) = found["workloads"]
    assert (workload["verdict"], workload["decidedBy"]["gate"]) == ("injected", "policy")
    assert workload["decidedBy"]["place"]["source"] == "ConfigMap mesh/sidecar-injector config"
    api.objects[REGISTRATIONS] = {"sidecar-injector": registration(matchLabels={"mesh": "on"})}
    (workload,) = (await explained(api, tmp_path, "deployment", "web"))["workloads"]
    assert (workload["verdict"], workload["decidedBy"]["rule"]) == ("skipped", "namespaceSelector")
    source = "MutatingWebhookConfiguration sidecar-injector"
    assert workload["decidedBy"]["place"]["source"] == source


async def test_values_in_a_file_are_tried_with_the_configuration_of_the_cluster(
    api: FakeApi, tmp_path: Path
) -> None:
    config = CONFIG.replace("proxy:2", "{{ .Values.global.hub }}/proxy")
    data = {"config": config, "values": '{"global": {"hub": "there"}}'}
    api.objects[CONFIG_MAPS] = {"sidecar-injector": {"metadata": {}, "data": data}}
    (tmp_path / "values.yaml").write_text("global: {hub: here}\n")
    for option, image in ((), "there/proxy"), (("--values-file", "values.yaml"), "here/proxy"):
        code, out, err = await run(api, tmp_path, "deploy/web", "-n", "shop", "--diff", *option)
        assert (code, f"image: {image}" in out) == (0, True), (out, err)


async def test_running_pods_say_what_they_have_and_since_when(api: FakeApi, tmp_path: Path) -> None:
    pods = [
        a_pod("old"),
        a_pod("new", created="2026-07-01"),
        a_pod("good", config=CONFIG),
        a_pod("stale", config=CONFIG.replace("proxy:2", "proxy:1")),
    ]
    done = a_pod("done") | {"status": {"phase": "Succeeded"}}
    api.objects["/api/v1/namespaces/shop/pods"] = {each["metadata"]["name"]: each for each in (*pods, done)}
    code, out, err = await run(api, tmp_path, "deploy/web", "-n", "shop")
    assert code == 0, err
    change = "today's configuration would change /spec/containers/1/image: restart it"
    lines = [line.strip() for line in out.splitlines() if line.strip().startswith("pod ")]
    assert lines == [
        "pod old has no sidecar; it is older than MutatingWebhookConfiguration sidecar-injector: restart it",
        "pod new has no sidecar",
        "pod good has istio-proxy; injected by revision default",
        f"pod stale has istio-proxy; injected by revision default; {change}",
    ]


async def test_all_namespaces_have_each_workload_once(api: FakeApi, tmp_path: Path) -> None:
    pods = {"web-1": a_pod("web-1"), "alone": a_pod("alone")}
    del pods["alone"]["metadata"]["ownerReferences"]
    api.objects |= {f"/apis/apps/v1/{each}": {} for each in ("statefulsets", "daemonsets", "replicasets")}
    api.objects |= {f"/apis/batch/v1/{each}": {} for each in ("jobs", "cronjobs")}
    api.objects |= {
        "/apis/apps/v1/deployments": {"web": deployment()},
        "/api/v1/replicationcontrollers": {},
        "/api/v1/pods": pods,
    }
    code, out, err = await run(api, tmp_path, "-A", "-o", "json")
    assert code == 0, err
    found = [(each["kind"], each["name"], len(each["pods"])) for each in json.loads(out)["workloads"]]
    assert found == [("Deployment", "web", 1), ("Pod", "alone", 1)]


def refusing(what: str, sentence: str) -> Any:
    def refuse(_method: str, path: str) -> web.Response | None:
        if not path.endswith(what):
            return None
        status = {"kind": "Status", "code": 403, "reason": "Forbidden", "message": sentence}
        return web.Response(body=orjson.dumps(status), status=403, content_type="application/json")

    return refuse


async def test_a_registration_that_may_not_be_read_is_not_guessed(api: FakeApi, tmp_path: Path) -> None:
    sentence = 'User "me" cannot list resource "mutatingwebhookconfigurations"'
    api.refuse = refusing("/mutatingwebhookconfigurations", sentence)
    guess = "/api/v1/namespaces/sidecar-injector/configmaps"
    api.objects[guess] = {"sidecar-injector": {"metadata": {}, "data": {"config": CONFIG}}}
    found = await explained(api, tmp_path, "deploy/web")
    (workload,) = found["workloads"]
    assert (workload["verdict"], workload["decidedBy"]["rule"]) == ("unknown", "unseen")
    assert sentence in workload["decidedBy"]["message"]
    assert found["remarks"] == [f"the registration cannot be read: {sentence} (403)"]


@pytest.mark.parametrize(
    ("arguments", "objects", "sentence"),
    [
        (("deploy/none",), {}, "Deployment none in namespace shop: NotFound (404)"),
        (("deploy/web", "--config-map", "mesh/other"), {}, "there is no ConfigMap mesh/other"),
        (
            ("deploy/web",),
            {CONFIG_MAPS: {}},
            "there is no ConfigMap mesh/sidecar-injector, mesh/istio-sidecar-injector: give --config-map",
        ),
        (
            ("deploy/web",),
            {CONFIG_MAPS: {"sidecar-injector": {"metadata": {}, "data": {"cfg": "", "values": ""}}}},
            "ConfigMap mesh/sidecar-injector has no key config; its keys: cfg, values",
        ),
        (("sts",), {f"{APPS}/statefulsets": {}}, "no workload found in the namespace"),
    ],
)
async def test_what_is_not_there_is_one_sentence(
    api: FakeApi, tmp_path: Path, arguments: tuple[str, ...], objects: dict[str, Any], sentence: str
) -> None:
    api.objects |= objects
    code, out, err = await run(api, tmp_path, "-n", "shop", *arguments)
    assert (code, out, err.count("\n")) == (1, "", 1), err
    assert sentence in err


async def test_workloads_that_may_not_be_read_name_verb_and_resource(api: FakeApi, tmp_path: Path) -> None:
    sentence = 'User "me" cannot get resource "deployments" in API group "apps" in the namespace "shop"'
    api.refuse = refusing("/deployments/web", sentence)
    code, _, err = await run(api, tmp_path, "-n", "shop", "deploy/web")
    assert (code, err) == (1, f"error: deployments cannot be read: {sentence} (403)\n")


async def test_an_api_server_that_is_ill_is_one_sentence(api: FakeApi, tmp_path: Path) -> None:
    api.refuse = lambda _method, path: refusal(503, text="upstream is down") if "nodes" in path else None
    code, _, err = await run(api, tmp_path, "-n", "shop", "deploy/web")
    assert (code, err.count("\n")) == (1, 1), err
    assert "upstream is down" in err


async def test_a_long_list_is_read_page_by_page(api: FakeApi, tmp_path: Path) -> None:
    pages = iter(
        ({"metadata": {"continue": "more"}, "items": [{"n": 1}]}, {"metadata": {}, "items": [{"n": 2}]})
    )
    api.refuse = lambda *_: web.Response(body=orjson.dumps(next(pages)), content_type="application/json")
    async with connected(api, tmp_path) as client:
        assert [item async for item in client.list("/api/v1/pods")] == [{"n": 1}, {"n": 2}]


async def test_a_context_without_a_user_leads_to_the_api_server_all_the_same(tmp_path: Path) -> None:
    cluster = {"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}
    context = {"name": "here", "context": {"cluster": "c", "namespace": "shop"}}
    there = {"current-context": "here", "contexts": [context], "clusters": [cluster]}
    path = tmp_path / "anonymous"
    path.write_bytes(orjson.dumps(there))
    code, _, err = await run(FakeApi(), tmp_path, "deploy/web", "--kubeconfig", str(path))
    assert (code, err.count("\n")) == (1, 1), err
    assert "Cannot connect to host 127.0.0.1:1" in err


@pytest.mark.parametrize("plugin", [{"command": "no-such-plugin", "apiVersion": "v1"}, None])
async def test_a_plugin_that_gives_no_login_is_one_sentence_without_what_is_secret(
    tmp_path: Path, plugin: dict[str, str] | None
) -> None:
    there = {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"client-key-data": "a-secret", "exec": plugin}}],
    }
    path = tmp_path / "broken"
    path.write_bytes(orjson.dumps(there))
    code, _, err = await run(FakeApi(), tmp_path, "deploy/web", "--kubeconfig", str(path))
    assert (code, err.count("\n")) == (1, 1), err
    assert err.startswith(f"error: cannot find the API server through {path}: ")
    assert "a-secret" not in err
