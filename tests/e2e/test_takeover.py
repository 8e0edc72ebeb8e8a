"""From istiod's injector to ours and back, as docs/move-from-istiod.md has it: its own commands, on a real API server.

istiod is a stand-in that injects with the same configuration and remembers whom it was asked about. After each step a
pod is created in every combination of namespace and pod labels, as a dry run, and each must have been injected by
exactly the one that should.
"""

from __future__ import annotations

import base64
import http.client
import json
import shutil
import ssl
import threading
import urllib.request
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any, Self

import pytest
import yaml

from injector import Injector
from injector.templates import built_in
from tests.conftest import PATIENCE, ROOT
from tests.e2e.conftest import (
    Balancer,
    assets,
    container_names,
    control_plane_class,
    reviews_counted,
    until,
)
from tests.e2e.deployed import Deployed, trusted
from tests.e2e.shell import Shell, steps
from tests.k8s.istio_entries import NAMESPACES, PODS, istio_entries
from tests.k8s.selecting import selects
from tests.stand_in import StandIn

pytestmark = [
    pytest.mark.e2e,
    # The first of them may have to build Kubernetes, which is no fault of its own.
    pytest.mark.timeout(600, func_only=True),
]

PAGE = ROOT / "docs" / "move-from-istiod.md"
MESH = "istio-system"
MOUNTS = {"/etc/istio/inject": "istio-sidecar-injector", "/etc/istio/mesh": "istio"}


class Mesh:
    """An API server with istiod's registration, the stand-in behind it, and a replica of ours."""

    def __init__(self, kube: Any, folder: Path) -> None:
        self.kube = kube
        self.folder = folder
        self.balancer = Balancer()
        texts = built_in()
        injector = Injector.load(texts.config, texts.values, "{}", nodes={})
        self.istiod = StandIn(
            lambda body, path: (200, injector.review(body, path=path.partition("?")[0])), folder
        )
        self.replica: Deployed | None = None
        self.log = folder / "replica.log"
        self.log.touch()
        self.count = 0
        self.api = self.connect()

    def prepare(self) -> None:
        """Bring what the page takes for granted: istiod's objects, the namespaces, and the commands on PATH."""
        texts = built_in()
        data = {
            "istio-sidecar-injector": {"config": texts.config, "values": texts.values},
            "istio": {"mesh": "{}"},
            "istio-ca-root-cert": {"root-cert.pem": self.istiod.ca.read_text()},
            "istio-sidecar-injector-1-29-0": {"config": texts.config, "values": texts.values},
            "istio-1-29-0": {"mesh": "{}"},
        }
        objects: list[Any] = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": MESH}}]
        for name, content in data.items():
            metadata = {"name": name, "namespace": MESH}
            objects.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": content})
        objects += [
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": f"matrix-{number}", "labels": labels},
            }
            for number, labels in enumerate(NAMESPACES)
        ]
        shop = {"name": "shop", "labels": {"istio-injection": "enabled"}}
        objects.append({"apiVersion": "v1", "kind": "Namespace", "metadata": shop})
        objects += [
            self.registration("istio-sidecar-injector", "default"),
            self.registration("istio-revision-tag-stable", "stable"),
        ]
        self.kubectl("apply", "-f", "-", input=yaml.safe_dump_all(objects))
        self.kubectl("-n", "shop", "apply", "-f", str(ROOT / "k8s" / "samples" / "hello.yaml"))
        shutil.copytree(ROOT / "k8s", self.folder / "k8s")
        for path in (self.folder / "k8s").rglob("*.yaml"):
            # Endpoints cannot be loopback: the Service's name leads to this machine, and to the balancer's port.
            path.write_text(path.read_text().replace("port: 443}", f"port: {self.balancer.port}}}"))
        external = {"type": "ExternalName", "externalName": "localhost"}
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "sidecar-injector"},
            "spec": external,
        }
        (self.folder / "k8s" / "base" / "service.yaml").write_text(yaml.safe_dump(service))
        for name, content in data.items():
            for key, text in content.items():
                (self.folder / name).mkdir(exist_ok=True)
                (self.folder / name / key).write_text(text)
        self.shell = Shell(self.kube, self.folder, self.log)
        self.shell.replaced = {
            "localhost:15017": f"localhost:{self.istiod.port}",
            "localhost:8443": f"localhost:{self.balancer.port}",
        }
        self.run = self.shell.run

    def registration(self, name: str, revision: str) -> dict[str, Any]:
        """Return istiod's own registration, with the stand-in behind it."""
        bundle = base64.b64encode(self.istiod.ca.read_bytes()).decode()
        rule = {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}
        common = {
            "clientConfig": {"url": f"https://127.0.0.1:{self.istiod.port}/inject", "caBundle": bundle},
            "sideEffects": "None",
            "rules": [rule],
            "failurePolicy": "Fail",
            "reinvocationPolicy": "Never",
            "admissionReviewVersions": ["v1"],
        }
        return {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": name},
            "webhooks": [{**each, **common} for each in istio_entries(revision)],
        }

    def kubectl(self, *arguments: str, input: str | None = None) -> str:
        result = self.kube.kubectl(*arguments, input=input, check=False)
        assert result.returncode == 0, f"kubectl {' '.join(arguments)}: {result.stderr}"
        return str(result.stdout)

    def get(self, *arguments: str) -> Any:
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def start(self) -> None:
        """Run a replica of ours, and lead the Service's name to it."""
        mounts = {mount: self.folder / name for mount, name in MOUNTS.items()}
        self.replica = Deployed(self.kube, MESH, self.folder, mounts)
        self.balancer.backends = [self.replica.port]

    def connect(self) -> http.client.HTTPSConnection:
        """Return a connection to the API server: one thread's own."""
        trust = ssl.create_default_context(cafile=str(self.kube.ca))
        return http.client.HTTPSConnection(
            self.kube.url.removeprefix("https://"), context=trust, timeout=PATIENCE
        )

    def create(
        self,
        namespace: str,
        name: str,
        labels: dict[str, str],
        api: http.client.HTTPSConnection | None = None,
    ) -> int:
        """Create a pod as a dry run and return how many proxies it has; AssertionError where it is refused."""
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": labels},
            # Without controllers there is nobody who would fill it in.
            "spec": {"containers": [{"name": "app", "image": "app:1"}], "serviceAccountName": "default"},
        }
        headers = {"Authorization": f"Bearer {self.kube.token}", "Content-Type": "application/json"}
        path = f"/api/v1/namespaces/{namespace}/pods?dryRun=All"
        api = api or self.api
        api.request("POST", path, json.dumps(pod), headers)
        answer = api.getresponse()
        document = json.loads(answer.read())
        assert answer.status == 201, document["message"]
        return container_names(document).count("istio-proxy")

    def one(self, namespace: str) -> str:
        """Create a pod and return who injected it."""
        self.count += 1
        name = f"{namespace}-{self.count}"
        return self.who({name: self.create(namespace, name, {})})[0]

    def matrix(self) -> list[str]:
        """Create a pod in every combination of labels and return who injected each; "" for nobody."""
        self.count += 1
        return self.who(
            {
                f"pod-{self.count}-{number}-{place}": self.create(
                    f"matrix-{number}", f"pod-{self.count}-{number}-{place}", labels
                )
                for number in range(len(NAMESPACES))
                for place, labels in enumerate(PODS)
            }
        )

    def becomes(self, expected: list[str]) -> None:
        """Wait until each combination is injected by whom it should, and by one of them all the while."""

        def reached() -> bool:
            found = self.matrix()
            assert [bool(who) for who in found] == [bool(who) for who in expected]
            return found == expected

        until(reached, self.log.read_text)

    def who(self, proxies: dict[str, int]) -> list[str]:
        """Return who injected each pod, after holding how many proxies it has against who was asked."""
        asked: dict[str, list[str]] = {name: [] for name in proxies}
        for review in self.istiod.reviews:
            asked.get(review["request"].get("name"), []).append("istiod")
        for entry in self.answered():
            asked.get(entry["name"], []).append("ours")
        for name, number in proxies.items():
            assert len(asked[name]) == number <= 1, f"{name} has {number} proxies, asked were {asked[name]}"
        return ["".join(each) for each in asked.values()]

    def answered(self) -> list[dict[str, Any]]:
        """Return our log's lines of reviews, when those of all that were counted are there."""
        if self.replica is None:
            return []
        url = f"http://127.0.0.1:{self.replica.monitoring}/metrics"
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            total = reviews_counted(answer.read().decode())
        entries = self.replica.entries
        until(lambda: len(entries("review answered")) >= total, self.log.read_text)
        return entries("review answered")

    def close(self) -> None:
        if self.replica is not None:
            self.replica.close()
        self.api.close()
        self.balancer.close()
        self.istiod.close()


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[Mesh]:
    with control_plane_class()(assets(), controllers=False) as kube:
        found = Mesh(kube, tmp_path)
        try:
            found.prepare()
            yield found
        finally:
            found.close()


def expected(*whose: tuple[str, list[dict[str, Any]]]) -> list[str]:
    """Return who should inject each combination: the first of ``whose`` of whose entries one selects it."""
    return [
        next((who for who, entries in whose if any(selects(each, namespace, pod) for each in entries)), "")
        for namespace in NAMESPACES
        for pod in PODS
    ]


ISTIODS = istio_entries("default") + istio_entries("stable")
OWN = istio_entries("sidecar-injector")
BEFORE = expected(("istiod", ISTIODS))
PARALLEL = expected(("istiod", ISTIODS), ("ours", OWN))
TAG_MOVED = expected(("istiod", istio_entries("default")), ("ours", ISTIODS + OWN))
ALL_MOVED = expected(("ours", ISTIODS + OWN))


def test_each_pod_is_injected_by_exactly_the_one_that_should_all_the_way_there_and_back(mesh: Mesh) -> None:
    page = steps(PAGE)
    assert BEFORE.count("istiod") >= 60
    assert mesh.matrix() == BEFORE
    install_and_compare(mesh, page)
    move_a_namespace(mesh, page)
    move_the_rest(mesh, page)
    come_back(mesh, page)


def install_and_compare(mesh: Mesh, page: dict[str, list[str]]) -> None:
    beside, check, _ = page["1. Beside istiod"]
    mesh.run(beside)
    mesh.start()
    until(lambda: trusted(mesh.kube), mesh.log.read_text)
    assert mesh.run(check) == "LS0tLS1\n"
    mesh.becomes(PARALLEL)
    (compare,) = page["2. Compare"]
    assert "2 pods are the same from both webhooks" in mesh.run(compare)


def move_a_namespace(mesh: Mesh, page: dict[str, list[str]]) -> None:
    move, log, _ = page["3. One namespace"]
    assert mesh.one("shop") == "istiod"
    mesh.run(move)
    until(lambda: mesh.one("shop") == "ours", mesh.log.read_text)
    assert "review answered" in mesh.run(log)


def move_the_rest(mesh: Mesh, page: dict[str, list[str]]) -> None:
    registered, tags, trust, _ = page["4. Registered for all"]
    mesh.run(registered)
    mesh.becomes(PARALLEL)
    mesh.run(tags)
    until(lambda: trusted(mesh.kube), mesh.log.read_text)
    assert mesh.run(trust) == "4\n"
    mesh.becomes(PARALLEL)
    tag, tag_back = page["5. A tag or a revision"]
    for block, whose in ((tag, TAG_MOVED), (tag_back, PARALLEL), (tag, TAG_MOVED)):
        mesh.run(block)
        mesh.becomes(whose)
    everything, _ = page["6. All"]
    mesh.run(everything)
    mesh.becomes(ALL_MOVED)


def come_back(mesh: Mesh, page: dict[str, list[str]]) -> None:
    for title, whose in (
        ("6. All", TAG_MOVED),
        ("5. A tag or a revision", PARALLEL),
        ("4. Registered for all", PARALLEL),
    ):
        mesh.run(page[title][-1])
        mesh.becomes(whose)
    mesh.run(page["3. One namespace"][-1])
    until(lambda: mesh.one("shop") == "istiod", mesh.log.read_text)
    mesh.run(page["1. Beside istiod"][-1])
    until(lambda: mesh.matrix() == BEFORE, mesh.log.read_text)
    # Taking ours away has taken nothing of Istio's: its namespace and its ConfigMaps are there.
    (named,) = page["A control plane with a revision"]
    mesh.run(named)


class Load:
    """Two who create pods all the while, with labels that istiod answered for at the start."""

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh
        self.proxies: dict[str, int] = {}
        self.failed: list[str] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._create, args=(each,)) for each in ("blue", "green")]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _create(self, who: str) -> None:
        combinations = [(number, labels) for number in range(len(NAMESPACES)) for labels in PODS]
        asked = [each for each, before in zip(combinations, BEFORE, strict=True) if before]
        api = self.mesh.connect()
        try:
            for count, (number, labels) in enumerate(cycle(asked)):
                if self._stop.is_set():
                    return
                name = f"{who}-{count}"
                self.proxies[name] = self.mesh.create(f"matrix-{number}", name, labels, api)
        except Exception as error:  # noqa: BLE001 - of a thread: the test would not hear of it
            self.failed.append(repr(error))
        finally:
            api.close()

    def goes_on(self) -> None:
        """Wait until two rounds more of each pod have been created."""
        enough = len(self.proxies) + 4 * sum(map(bool, BEFORE))
        until(lambda: self.failed or len(self.proxies) >= enough, lambda: str(self.failed))
        assert self.failed == []


def test_no_pod_is_lost_or_injected_twice_while_they_are_created_all_the_time(mesh: Mesh) -> None:
    page = steps(PAGE)
    install_and_compare(mesh, page)
    with Load(mesh) as load:
        load.goes_on()
        for title, block in (
            ("4. Registered for all", 0),
            ("4. Registered for all", 1),
            ("5. A tag or a revision", 0),
            ("6. All", 0),
            ("6. All", 1),
            ("5. A tag or a revision", 1),
            ("4. Registered for all", -1),
        ):
            mesh.run(page[title][block])
            if title.startswith("4"):
                until(lambda: trusted(mesh.kube), mesh.log.read_text)
            load.goes_on()
    assert set(mesh.who(load.proxies)) == {"istiod", "ours"}
    assert mesh.replica is not None
    assert mesh.replica.process.poll() is None
