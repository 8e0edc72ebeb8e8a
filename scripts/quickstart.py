"""Show on this machine what the injector does: a pod before and after, a hostile one, a broken template."""

from __future__ import annotations

import argparse
import base64
import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from injector.cli.explained import coloured, difference
from injector.cli.main import colour_of
from injector.kubeyaml import documents
from injector.patch import apply

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "k8s" / "samples" / "hello.yaml"
TEMPLATES = ROOT / "injector" / "templates" / "istio"
INJECTOR = [sys.executable, "-m", "injector"]
REVIEWS = 200
PATIENCE = 30.0
"""Seconds to wait for a message of the webhook; on an idle machine it takes one."""

HOSTILE = "info\n  - name: miner\n    image: evil.example/miner\n    args:\n    - mine"
"""A log level that continues as YAML: joined with the template's text it becomes a container."""

QUOTED = re.compile(r'\{\{ (.*) \| printf "--proxyLogLevel=%s" \| quote }}')
BARE = r"--proxyLogLevel={{ \1 }}"
"""The log level as in our template, and as in Istio's own."""

Pod = dict[str, Any]


def main() -> int:
    """Run the three scenes; exit code 1 when one of them did not end as expected."""
    parser = argparse.ArgumentParser(description=__doc__, prog="scripts/quickstart")
    parser.add_argument("--diff", action="store_true", help="show what was changed in the pod, line by line")
    parser.add_argument("--keep", action="store_true", help="leave the webhook running at the end")
    parser.add_argument(
        "--directory",
        type=Path,
        default=ROOT / ".cache" / "quickstart",
        help="where certificates, configuration and a review are put: .cache/quickstart when not given",
    )
    arguments = parser.parse_args()
    scene("A webhook on this machine: certificates, Istio's sidecar as its template, https on loopback")
    webhook = Webhook(arguments.directory)
    kept = False
    try:
        say(f"https://localhost:{webhook.port}/inject, process {webhook.process.pid}")
        with webhook.client() as client:
            before_and_after(webhook, client, diff=arguments.diff)
            hostile(webhook.folder)
            broken_template(webhook, client)
        kept = arguments.keep
    finally:
        if not kept:
            webhook.stop()
    farewell(webhook, kept=kept)
    return 0


class Webhook:
    """The serving process, and the folder that it reads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "config.yaml"
        self.log = folder / "webhook.log"
        _claim(folder, self.log)
        for name in ("config.yaml", "values.yaml"):
            shutil.copy(TEMPLATES / name, folder / name)
        if not (folder / "tls.key").exists():
            subprocess.run(
                [*INJECTOR, "certs", "--directory", folder], check=True, cwd=ROOT, stderr=subprocess.DEVNULL
            )
        self.process = self._start()
        self.port = int(self.said("serving")["port"])

    def _start(self) -> subprocess.Popen[bytes]:
        command = [
            *(*INJECTOR, "serve", "--log-format", "json"),
            *("--address", "127.0.0.1", "--monitoring-address", "127.0.0.1"),
            *("--port", "0", "--monitoring-port", "0"),
            *(f"--{name}-file={self.folder / file}" for name, file in FILES.items()),
        ]
        environment = {**os.environ, "KUBERNETES_SERVICE_HOST": ""}
        with self.log.open("wb") as file:
            # It holds none of our streams: a pipe that we write to ends with us, not with the kept process.
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=file,
                env=environment,
                start_new_session=True,
                cwd=ROOT,
            )

    def mount(self, text: str) -> None:
        """Replace the configuration as a whole, as a mounted ConfigMap changes."""
        new = self.folder / "config.new"
        new.write_text(text)
        new.replace(self.config)

    def said(self, message: str) -> dict[str, Any]:
        """Wait until the log has a line with this message; return its fields."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self.process.poll() is None:
            for line in self.log.read_text().splitlines():
                with contextlib.suppress(json.JSONDecodeError):
                    entry: dict[str, Any] = json.loads(line)
                    if entry.get("message") == message:
                        return entry
            time.sleep(0.02)
        raise SystemExit(f"the webhook did not say {message!r}:\n{self.log.read_text()}")

    @contextlib.contextmanager
    def client(self) -> Iterator[http.client.HTTPSConnection]:
        """Yield a connection that trusts the development CA only."""
        trust = ssl.create_default_context(cafile=self.folder / "ca.crt")
        client = http.client.HTTPSConnection("localhost", self.port, context=trust, timeout=10)
        try:
            yield client
        finally:
            client.close()

    def stop(self) -> None:
        """End it as Ctrl-C does: there is nobody whose reviews a drain would wait for."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(PATIENCE)


def _claim(folder: Path, log: Path) -> None:
    """Make the folder, or take one that a tour has made: the files of another are not to be overwritten."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()) and not log.exists():
            raise SystemExit(f"{folder} holds something else: name a folder that is empty or not there yet")
    except OSError as error:
        raise SystemExit(f"{folder} cannot be used: {error.strerror}") from error


FILES = {
    "inject-config": "config.yaml",
    "values": "values.yaml",
    "tls-cert": "tls.crt",
    "tls-key": "tls.key",
    "ca-cert": "ca.crt",
}


def before_and_after(webhook: Webhook, client: http.client.HTTPSConnection, *, diff: bool) -> None:
    """Send the review of the sample's pod; show what was added and how long it took."""
    scene(f"1. The pod of {SAMPLE.relative_to(ROOT)}, sent as the API server sends it")
    before = pod_of_sample()
    body = review(before)
    (webhook.folder / "review.json").write_bytes(body)
    after, first = injected(client, before, body)
    times = sorted(injected(client, before, body)[1] for _ in range(REVIEWS))
    if diff:
        for line in difference(before, after):
            say(coloured(line))
    say(f"{click.style(summary(before, after), fg='green')}{'' if diff else ' (all of it: --diff)'}")
    say(f"{first * 1e3:.1f} ms the first time, then {times[REVIEWS // 2] * 1e3:.2f} ms (median of {REVIEWS})")


def hostile(folder: Path) -> None:
    """Inject a pod whose annotation tries to become a container, by a template that does not quote it."""
    scene("2. An annotation that is written to add a container, and a template that does not quote it")
    pod = pod_of_sample()
    pod["metadata"]["annotations"] = {"sidecar.istio.io/logLevel": HOSTILE}
    for line in f"sidecar.istio.io/logLevel: {HOSTILE}".splitlines():
        say(f"    {line}")
    bare = folder / "unquoted.yaml"
    bare.write_text(QUOTED.sub(BARE, (TEMPLATES / "config.yaml").read_text()))
    files = ["--inject-config-file", bare, "--values-file", TEMPLATES / "values.yaml"]
    ours, theirs = (
        _containers_by_hand(pod, *files, "--untrusted-values", mode) for mode in ("scalar", "text")
    )
    if "miner" in ours or "miner" not in theirs:
        raise SystemExit(f"the annotation made {ours} here and {theirs} of joined text")
    say(f"containers here: {click.style(', '.join(ours), fg='green')}; the annotation stays one string")
    say(f"of the joined text (--untrusted-values=text): {click.style(', '.join(theirs), fg='red')}")


def _containers_by_hand(pod: Pod, *arguments: str | Path) -> list[str]:
    command = [*INJECTOR, "inject", "-q", "-o", "json", *map(str, arguments), "-"]
    printed = subprocess.run(
        command, input=json.dumps(pod).encode(), stdout=subprocess.PIPE, check=True, cwd=ROOT
    ).stdout
    return names(json.loads(printed), "containers")


def broken_template(webhook: Webhook, client: http.client.HTTPSConnection) -> None:
    """Break the mounted template; show that it is refused and that the good one still serves."""
    scene("3. A broken template is mounted while the webhook serves")
    good = webhook.config.read_text()
    webhook.mount(good.replace("| quote }}", "| qoute }}", 1))
    try:
        refused = webhook.said("new files are rejected, the last good ones serve")
        say(f"refused: {click.style(str(refused['reason']).replace(f'{webhook.folder}/', ''), fg='yellow')}")
        pod = pod_of_sample()
        after, _ = injected(client, pod, review(pod))
        say(f"meanwhile: {click.style(summary(pod, after), fg='green')}, by the template before it")
    finally:
        webhook.mount(good)


def farewell(webhook: Webhook, *, kept: bool) -> None:
    """Print commands that can be run from this folder."""
    folder = webhook.folder.relative_to(ROOT) if webhook.folder.is_relative_to(ROOT) else webhook.folder
    port = webhook.port if kept else 8443
    scene("Go on with")
    say(f'  export PATH="{ROOT}/.venv/bin:$PATH"')
    if kept:
        say(f"  kill -INT {webhook.process.pid}      # ends the webhook, which goes on until then")
    else:
        say(
            f"  sidecar-injector serve --address 127.0.0.1 --port {port} --monitoring-port 0 \\\n"
            f"      --tls-cert-file {folder}/tls.crt --tls-key-file {folder}/tls.key"
        )
    say(
        f"  curl --cacert {folder}/ca.crt -H 'Content-Type: application/json' \\\n"
        f"      --data @{folder}/review.json https://localhost:{port}/inject"
    )
    say("  sidecar-injector inject k8s/samples/hello.yaml      # or your own manifests")
    say("  sidecar-injector explain -f k8s/samples/hello.yaml")
    say(
        f"  sidecar-injector lint --inject-config-file {folder}/config.yaml \\\n"
        f"      --values-file {folder}/values.yaml"
    )
    say("  scripts/image      # the image, and how to install it in a cluster")


def say(text: str) -> None:
    """Print one line, in colours where the terminal and the environment want them."""
    click.echo(text, color=colour_of(os.environ))


def scene(text: str) -> None:
    """Print the heading of what follows."""
    say(f"\n{click.style('==', fg='cyan', bold=True)} {click.style(text, bold=True)}")


def summary(before: Pod, after: Pod) -> str:
    """Return what was added to a pod, in a few words."""
    parts = []
    for key, noun in (
        ("initContainers", "init container"),
        ("containers", "container"),
        ("volumes", "volume"),
    ):
        count = len(names(after, key)) - len(names(before, key))
        if count:
            parts.append(f"+{count} {noun}{'s' if count > 1 else ''}")
    if probes(before) != {name: found for name, found in probes(after).items() if name in probes(before)}:
        parts.append("probes rewritten")
    return ", ".join(parts) or "nothing added"


def names(pod: Pod, key: str) -> list[str]:
    """Return the names of a pod's containers or volumes."""
    return [each["name"] for each in pod["spec"].get(key) or ()]


def probes(pod: Pod) -> dict[str, list[Any]]:
    """Return the probes of each container."""
    kinds = ("livenessProbe", "readinessProbe", "startupProbe")
    return {each["name"]: [each.get(kind) for kind in kinds] for each in pod["spec"]["containers"]}


def injected(client: http.client.HTTPSConnection, pod: Pod, body: bytes) -> tuple[Pod, float]:
    """Return the pod patched by the answer to its review, and the seconds that took."""
    start = time.perf_counter()
    client.request("POST", "/inject?timeout=10s", body, {"Content-Type": "application/json"})
    answer = client.getresponse().read()
    elapsed = time.perf_counter() - start
    response = json.loads(answer)["response"]
    if not response["allowed"]:
        raise SystemExit(f"the pod was denied: {response['status']['message']}")
    return apply(pod, json.loads(base64.b64decode(response["patch"]))), elapsed


def review(pod: Pod) -> bytes:
    """Return an AdmissionReview of a pod that is created in the namespace shop."""
    request = {
        "uid": str(uuid.uuid4()),
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "operation": "CREATE",
        "namespace": "shop",
        "object": pod,
    }
    return json.dumps(
        {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    ).encode()


def pod_of_sample() -> Pod:
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
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted")
