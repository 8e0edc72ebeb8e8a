"""A real kube-apiserver on loopback, our manifests in it, and replicas of the injector as local processes.

There are no nodes, so the Deployment's own pods stay Pending; the replicas run here with the service account's
token, and the Service's name leads to them through a balancer, as kube-proxy would.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import PATIENCE, ROOT, shared_folder
from tests.e2e.built_image import Image, tool

NAMESPACE = "sidecar-injector"
ADVICE = "validatingwebhookconfiguration/sidecar-injector-advice"
CONFIGURATION = "mutatingwebhookconfiguration/sidecar-injector"

AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "Metadata", "users": [f"system:serviceaccount:{NAMESPACE}:sidecar-injector"]},
        {"level": "None"},
    ],
}


BUILD_SECONDS = 2700


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Forgive unclosed sockets: whoever starts the control plane leaves those of its polling to be collected.

    That happens in any test from then on, also in one that has no control plane.
    """
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.filterwarnings("ignore::ResourceWarning"))
            item.add_marker(pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"))


def assets() -> Path:
    """Return the folder with the control plane's programs: given, built before, or built now."""
    if given := os.environ.get("KUBEBUILDER_ASSETS"):
        return Path(given)
    shared = shared_folder()
    if shared is None or shutil.which("go") is None:
        pytest.skip(
            "NO KUBE-APISERVER: set KUBEBUILDER_ASSETS, or have Go and the reference data; e2e is skipped"
        )
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sidecar-injector" / "kube"
    if not (cache / ".stamp").exists():
        words = "tests/e2e: building a kube-apiserver; the first time takes ten minutes or more"
        print(words, file=sys.__stderr__, flush=True)
    result = subprocess.run(
        ["bash", str(shared / "kube" / "build"), str(cache)],
        capture_output=True,
        text=True,
        check=False,
        timeout=BUILD_SECONDS,
    )
    if result.returncode:
        pytest.skip(f"NO KUBE-APISERVER: it could not be built: {result.stderr.strip()[-300:]}")
    return cache


def control_plane_class() -> Any:
    shared = shared_folder()
    if shared is None:
        pytest.skip("NO CONTROL PLANE: the reference data that starts one is missing; e2e is skipped")
    spec = importlib.util.spec_from_file_location("kube_up", shared / "kube" / "up.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.ControlPlane


class Balancer:
    """The Service: new connections go to one backend after the other."""

    def __init__(self) -> None:
        self.backends: list[int] = []
        self._next = 0
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            backends = self.backends
            if not backends:
                client.close()
                continue
            self._next += 1
            port = backends[self._next % len(backends)]
            try:
                server = socket.create_connection(("127.0.0.1", port))
            except OSError:
                client.close()
                continue
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=_pump, args=(source, target), daemon=True).start()

    def close(self) -> None:
        self._socket.close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


class Replica:
    """One injector process."""

    def __init__(self, cluster: Cluster, name: str, *arguments: str) -> None:
        self.log = cluster.folder / f"{name}-{time.monotonic_ns()}.log"
        command = [
            *(sys.executable, "-m", "injector", "serve", "--address", "127.0.0.1", "--port", "0"),
            *("--monitoringAddress", "127.0.0.1", "--monitoringPort", "0"),
            *(
                "--kubeconfig",
                str(cluster.account),
                "--namespace",
                NAMESPACE,
                "--serviceName",
                "sidecar-injector",
            ),
            *("--webhookConfigName", "sidecar-injector", "--webhookName", "sidecar-injector.istio.io"),
            *("--configMap", "sidecar-injector", "--adviceConfigName", "sidecar-injector-advice"),
            *arguments,
        ]
        with self.log.open("wb") as file:
            self.process = subprocess.Popen(
                command, stderr=file, cwd=cluster.folder, env={**os.environ, "POD_NAME": name}
            )
        serving = until(lambda: self.entry("serving"), self.log.read_text)
        self.port, self.monitoring = serving["port"], serving["monitoring_port"]

    def entry(self, message: str) -> dict[str, Any] | None:
        if self.process.poll() is not None:
            raise AssertionError(f"the replica ended with {self.process.returncode}: {self.log.read_text()}")
        return next((each for each in self.entries() if each.get("message") == message), None)

    def entries(self) -> list[dict[str, Any]]:
        found = []
        for line in self.log.read_text().splitlines():
            with contextlib.suppress(json.JSONDecodeError):
                found.append(json.loads(line))
        return found

    def page(self, path: str) -> tuple[int, str]:
        import http.client

        connection = http.client.HTTPConnection("127.0.0.1", self.monitoring, timeout=PATIENCE)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def ready(self) -> bool:
        return self.page("/healthz/ready")[0] == 200

    def metric(self, name: str) -> float:
        for line in self.page("/metrics")[1].splitlines():
            if line.startswith(f"{name} "):
                return float(line.split()[-1])
        raise AssertionError(f"there is no metric {name}")

    def asked(self) -> list[tuple[str, str]]:
        """Return namespace and name of each pod of a review so far, once all that were counted are in the log.

        Controllers of the control plane create pods at any time: a number alone does not tell whose it is.
        """

        def answered() -> list[dict[str, Any]]:
            return [each for each in self.entries() if each.get("message") == "review answered"]

        total = reviews_counted(self.page("/metrics")[1])
        until(lambda: len(answered()) >= total, self.log.read_text)
        return [(each["namespace"], each["name"]) for each in answered()]

    def stop(self, *, seconds: float = PATIENCE) -> int:
        self.process.terminate()
        return self.process.wait(seconds)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def reviews_counted(page: str) -> float:
    """Return the number of reviews on a page of metrics."""
    return sum(map(float, re.findall(r"^sidecar_injector_reviews_total\{.*\} (\S+)", page, re.MULTILINE)))


class Cluster:
    """The control plane with our manifests applied."""

    def __init__(self, kube: Any, folder: Path) -> None:
        self.kube = kube
        self.folder = folder
        self.balancer = Balancer()
        self.replicas: list[Replica] = []
        self.account = folder / "account.kubeconfig"
        self.config = folder / "mounted"

    def kubectl(
        self, *arguments: str, input: Any = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        text = (
            input
            if isinstance(input, str) or input is None
            else yaml.safe_dump_all(input if isinstance(input, list) else [input])
        )
        result = self.kube.kubectl(*arguments, input=text, check=False)
        if check and result.returncode:
            raise AssertionError(f"kubectl {' '.join(arguments)}: {result.stderr}")
        return result

    def get(self, *arguments: str) -> Any:
        return json.loads(self.kubectl("get", *arguments, "-o", "json").stdout)

    def install(self) -> None:
        self.kubectl("apply", "--server-side", "-k", str(ROOT / "k8s" / "overlays" / "self-signed"))
        for file in ("webhook.yaml", "rbac.yaml"):
            self.kubectl("apply", "--server-side", "-f", str(ROOT / "k8s" / "components" / "advice" / file))
        # Endpoints cannot be loopback: the Service's name leads to this machine instead.
        self.kubectl("-n", NAMESPACE, "delete", "service", "sidecar-injector")
        self.kubectl(
            "apply",
            "-f",
            "-",
            input={
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "sidecar-injector", "namespace": NAMESPACE},
                "spec": {"type": "ExternalName", "externalName": "localhost"},
            },
        )
        self.point_at(self.balancer.port)
        self.point_at(self.balancer.port, ADVICE)
        token = self.kubectl(
            "-n", NAMESPACE, "create", "token", "sidecar-injector", "--duration", "2h"
        ).stdout.strip()
        admin = yaml.safe_load(Path(self.kube.kubeconfig).read_text())
        admin["users"] = [{"name": admin["users"][0]["name"], "user": {"token": token}}]
        self.account.write_text(yaml.safe_dump(admin))
        self.config.mkdir()
        for key in ("config", "values", "mesh"):
            shutil.copy(ROOT / "k8s" / "base" / "config" / key, self.config / key)

    def point_at(self, port: int, configuration: str = CONFIGURATION) -> None:
        patch = [{"op": "replace", "path": "/webhooks/0/clientConfig/service/port", "value": port}]
        self.kubectl("patch", configuration, "--type=json", "-p", json.dumps(patch))

    def start(self, name: str, *arguments: str) -> Replica:
        replica = Replica(
            self,
            name,
            *("--self-signed", "--injectConfig", str(self.config / "config")),
            *("--injectValues", str(self.config / "values"), "--meshConfig", str(self.config / "mesh")),
            *arguments,
        )
        self.replicas.append(replica)
        until(replica.ready, lambda: replica.page("/healthz/ready?verbose")[1] + replica.log.read_text())
        self.balancer.backends = [*self.balancer.backends, replica.port]
        return replica

    def leave(self, replica: Replica) -> None:
        """Take a replica out of the Service, as its endpoint goes when the pod is told to stop."""
        self.balancer.backends = [port for port in self.balancer.backends if port != replica.port]

    def namespace(self, name: str, **labels: str) -> str:
        labels = labels or {"istio-injection": "enabled"}
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
        self.kubectl("apply", "-f", "-", input=body)
        until(
            lambda: self.kubectl("-n", name, "get", "serviceaccount", "default", check=False).returncode == 0,
            str,
        )
        return name

    def create_pod(self, namespace: str, name: str, *flags: str, check: bool = True, **metadata: Any) -> Any:
        body = pod(name, **metadata)
        return self.kubectl("-n", namespace, "create", "-f", "-", *flags, input=body, check=check)

    def close(self) -> None:
        for replica in self.replicas:
            replica.kill()
        self.balancer.close()


def pod(name: str, *, spec: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    containers = [{"name": "app", "image": "app:1", "ports": [{"containerPort": 8080}]}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, **metadata},
        "spec": {"containers": containers, **(spec or {})},
    }


WARNING = re.compile(r'299 \S+ "((?:[^"\\]|\\.)*)"')


def post(cluster: Cluster, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any], list[str]]:
    """Create an object without kubectl's half second; return status, answer and warnings."""
    config = yaml.safe_load(Path(cluster.kube.kubeconfig).read_text())
    server, token = config["clusters"][0]["cluster"]["server"], config["users"][0]["user"]["token"]
    request = urllib.request.Request(
        f"{server}{path}",
        json.dumps(body).encode(),
        {"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
    )
    context = ssl._create_unverified_context()
    try:
        answer = urllib.request.urlopen(request, context=context, timeout=PATIENCE)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        said = WARNING.findall(", ".join(answer.headers.get_all("Warning") or []))
        return answer.status, json.load(answer), said


def container_names(found: dict[str, Any]) -> list[str]:
    spec = found["spec"]
    return [each["name"] for each in (*spec.get("initContainers", ()), *spec["containers"])]


def until(condition: Callable[[], Any], state: Callable[[], str], *, seconds: float = PATIENCE) -> Any:
    """Return what the condition becomes; fail with the state when it does not."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(f"it did not come within {seconds} s: {state()}")


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One control plane for all tests, with the self-signed overlay installed and one replica running."""
    programs = assets()
    folder = tmp_path_factory.mktemp("cluster")
    policy = folder / "audit-policy.yaml"
    policy.write_text(yaml.safe_dump(AUDIT_POLICY))
    flags = [f"--audit-policy-file={policy}", f"--audit-log-path={folder / 'audit.log'}"]
    with control_plane_class()(programs, apiserver=flags) as kube:
        found = Cluster(kube, folder)
        try:
            found.install()
            found.start("replica-1")
            yield found
        finally:
            found.close()


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    tool("buildah")
    tool("mmdebstrap")
    found = Image(tmp_path_factory.mktemp("image"))
    yield found
    found.ask("rm", "--all")
