"""Show the whole of it on this machine: certificates, webhook, a real review, the pod before and after."""

from __future__ import annotations

import argparse
import base64
import contextlib
import http.client
import json
import os
import ssl
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from injector.cli.difference import coloured, difference
from injector.kubeyaml import documents
from injector.patch import apply

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "k8s" / "samples" / "hello.yaml"
INJECTOR = [sys.executable, "-m", "injector"]
REVIEWS = 200


def main() -> int:
    """Run the tour; exit code 1 when a step failed."""
    parser = argparse.ArgumentParser(description=__doc__, prog="scripts/quickstart")
    parser.add_argument("--keep", action="store_true", help="leave the webhook running at the end")
    keep = parser.parse_args().keep

    step("Certificates for this machine (certs/README.md)")
    if not (ROOT / "certs" / "tls.key").exists():
        subprocess.run([*INJECTOR, "certs", "--directory", "certs"], cwd=ROOT, check=True)
    else:
        click.echo("certs/tls.crt is there already")

    step("The webhook, with the built-in Istio template, on loopback")
    server, port = start_server()
    try:
        click.echo(f"https://localhost:{port}/inject, process {server.pid}")
        with connection(port) as client:
            tour(client)
    except BaseException:
        server.terminate()
        raise
    by_hand()
    farewell(server, port, keep=keep)
    return 0


def tour(client: http.client.HTTPSConnection) -> None:
    """Send the review of the sample's pod, show what came back, and how long it took."""
    step(f"A review of the pod of {SAMPLE.relative_to(ROOT)}, as the API server sends it")
    pod = pod_of_sample()
    response, first = send(client, pod)
    if not response["allowed"]:
        raise SystemExit(f"the pod was denied: {response['status']['message']}")
    patch = json.loads(base64.b64decode(response["patch"]))
    times = sorted(send(client, pod)[1] for _ in range(REVIEWS))
    for line in difference(pod, apply(pod, patch)):
        click.echo(coloured(line))
    click.echo(
        f"\n{len(patch)} operations; the first review took {first * 1e3:.1f} ms, "
        f"then {REVIEWS} took {times[len(times) // 2] * 1e3:.2f} ms each (median, with TLS, one connection)"
    )


def by_hand() -> None:
    """Inject the sample's file."""
    step("The same by hand: sidecar-injector inject -f k8s/samples/hello.yaml")
    result = subprocess.run(
        [*INJECTOR, "inject", "-f", str(SAMPLE.relative_to(ROOT))],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
    )
    click.echo(f"{len(result.stdout.splitlines())} lines of YAML, ready for kubectl apply -f -")


def farewell(server: subprocess.Popen[bytes], port: int, *, keep: bool) -> None:
    """Say how to go on; stop the server unless it is to be kept."""
    if keep:
        step(f"The webhook goes on as process {server.pid}; stop it with: kill {server.pid}")
    else:
        server.terminate()
        server.wait(20)
    step("Go on with")
    click.echo(
        f"""\
  .venv/bin/sidecar-injector inject -f YOUR-APP.yaml
  .venv/bin/sidecar-injector explain -f YOUR-APP.yaml
  .venv/bin/sidecar-injector lint --injectConfigFile CONFIG --valuesFile VALUES
  .venv/bin/sidecar-injector serve --address 127.0.0.1 --port {port} \\
      --tlsCertFile certs/tls.crt --tlsKeyFile certs/tls.key
  .venv/bin/python scripts/bench.py --duration 5
  kubectl apply -k k8s/overlays/self-signed"""
    )


def step(text: str) -> None:
    """Print the heading of what follows."""
    click.echo(f"\n{click.style('==', fg='cyan', bold=True)} {click.style(text, bold=True)}")


def start_server() -> tuple[subprocess.Popen[bytes], int]:
    """Start the webhook on a free port; return it when it says that it serves."""
    command = [
        *INJECTOR,
        *("serve", "--address", "127.0.0.1", "--monitoringAddress", "127.0.0.1"),
        *("--port", "0", "--monitoringPort", "0"),
        *("--tlsCertFile", "certs/tls.crt", "--tlsKeyFile", "certs/tls.key", "--caCertFile", "certs/ca.crt"),
    ]
    log = ROOT / "certs" / ".quickstart.log"
    environment = {**os.environ, "KUBERNETES_SERVICE_HOST": ""}
    with log.open("wb") as file:
        server = subprocess.Popen(command, cwd=ROOT, stderr=file, env=environment, start_new_session=True)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and server.poll() is None:
        for line in log.read_text().splitlines():
            with contextlib.suppress(json.JSONDecodeError):
                entry = json.loads(line)
                if entry.get("message") == "serving":
                    return server, int(entry["port"])
        time.sleep(0.02)
    server.kill()
    raise SystemExit(f"the webhook did not start:\n{log.read_text()}")


@contextlib.contextmanager
def connection(port: int) -> Iterator[http.client.HTTPSConnection]:
    """Yield a connection that trusts the development CA only."""
    trust = ssl.create_default_context(cafile=ROOT / "certs" / "ca.crt")
    client = http.client.HTTPSConnection("localhost", port, context=trust, timeout=10)
    try:
        yield client
    finally:
        client.close()


def send(client: http.client.HTTPSConnection, pod: dict[str, Any]) -> tuple[dict[str, Any], float]:
    """Return the answer to one review of ``pod`` and the seconds it took."""
    request = {
        "uid": str(uuid.uuid4()),
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "operation": "CREATE",
        "namespace": "shop",
        "object": pod,
    }
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    body = json.dumps(review).encode()
    start = time.perf_counter()
    client.request("POST", "/inject?timeout=10s", body, {"Content-Type": "application/json"})
    answer = client.getresponse().read()
    elapsed = time.perf_counter() - start
    response: dict[str, Any] = json.loads(answer)["response"]
    return response, elapsed


def pod_of_sample() -> dict[str, Any]:
    """Return the pod that the ReplicaSet controller would make of the sample's Deployment."""
    found = (document.value for document in documents(SAMPLE.read_text()))
    deployment = next(value for value in found if value["kind"] == "Deployment")
    template = deployment["spec"]["template"]
    name = f"{deployment['metadata']['name']}-6d4cf56db6"
    owner = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": name,
        "uid": str(uuid.uuid4()),
        "controller": True,
        "blockOwnerDeletion": True,
    }
    metadata = {
        **template["metadata"],
        "generateName": f"{name}-",
        "labels": {**template["metadata"]["labels"], "pod-template-hash": "6d4cf56db6"},
        "ownerReferences": [owner],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


if __name__ == "__main__":
    sys.exit(main())
