"""``sidecar-injector compare``: send the same pods to two webhooks, and show where their answers differ."""

from __future__ import annotations

import asyncio
import base64
import http.client
import ssl
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import click
import orjson

from injector.cli.addresses import login_of, shown
from injector.cli.difference import Difference, contrast, grouped
from injector.cli.files import input_items, input_options
from injector.cli.options import FILE, Command, together
from injector.diagnosis.arrival import arrival_of
from injector.diagnosis.items import Item, mapping
from injector.errors import InjectorError, PatchError
from injector.injection.kinds import place_of
from injector.json_types import JSON, JSONObject
from injector.patch import apply

EPILOG = """\b
Example, istiod's webhook and ours, each through a port-forward:
  kubectl -n istio-system port-forward service/istiod 15017:443 &
  kubectl -n istio-system port-forward service/sidecar-injector 8443:443 &
  sidecar-injector compare -n shop \\
      --old https://localhost:15017 --old-ca istiod.pem --old-name istiod.istio-system.svc \\
      --new https://localhost:8443 --new-ca ours.pem --new-name sidecar-injector.istio-system.svc
"""

SECONDS: Final = 10.0
"""How long an API server waits for a webhook by default."""

VERSIONS: Final = ("v1", "v1beta1")
"""Of AdmissionReview, in the order in which they are tried: injectors of Istio's first releases read only the
second, and their answer to the first lacks the uid of the request, which they could not read."""

WORKLOADS: Final = ("Deployment", "StatefulSet", "DaemonSet", "CronJob", "Job")
"""The kinds that create a cluster's pods. Objects owned by another one of them are left out: a CronJob's
Jobs."""

SHOWN: Final = 5
"""Pods of a group that are named, besides their number."""

WIDTH: Final = 160
"""Characters of a value that are shown; ``-o json`` has the whole value."""


class WebhookError(InjectorError):
    """A webhook that gives no answer: its URL, which says which of the two it is, and why."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"{shown(url)}: {reason}")


class Webhook:
    """One webhook, called as by an API server: POST over TLS, with the certificate checked for ``name``."""

    def __init__(self, url: str, ca: Path | None, name: str) -> None:
        host, port, path = _host_port_path(url)
        self.url = url
        self._versions: tuple[str, ...] = VERSIONS
        self._path = f"{path.rstrip('/') or '/inject'}?timeout={SECONDS:g}s"
        try:
            tls = ssl.create_default_context(cafile=str(ca) if ca else None)
        except (OSError, ssl.SSLError) as error:
            raise WebhookError(url, f"{ca} holds no CA certificates: {error}") from error
        self._connection = _Connection(host, port, tls, name or host)

    def answer(self, index: int, request: JSONObject) -> tuple[str, JSON]:
        """Return the decision in words and the resulting pod; WebhookError where there is no answer."""
        response = self._response({"uid": f"compare-{index}", **request})
        if not response.get("allowed"):
            return f"denied: {mapping(response.get('status')).get('message', '')}", None
        patch = response.get("patch")
        if not patch:
            return "left alone", request["object"]
        return "injected", self._patched(request["object"], patch)

    def _response(self, request: JSONObject) -> JSONObject:
        """Return the answer to a request, in the version that the webhook has been found to read."""
        for version in self._versions:
            kinds = {"apiVersion": f"admission.k8s.io/{version}", "kind": "AdmissionReview"}
            response = mapping(mapping(self._ask({**kinds, "request": request})).get("response"))
            if response.get("uid") == request["uid"]:
                self._versions = (version,)
                return response
        raise WebhookError(self.url, "what it answers is not an AdmissionReview")

    def _patched(self, pod: JSON, patch: JSON) -> JSON:
        """Return the pod with the patch of an answer."""
        if not isinstance(patch, str):
            raise WebhookError(self.url, "its patch is not a string")
        try:
            operations = orjson.loads(base64.b64decode(patch))
        except ValueError as error:
            raise WebhookError(self.url, f"its patch is not JSON in base64: {error}") from error
        if not isinstance(operations, list) or not all(isinstance(each, dict) for each in operations):
            raise WebhookError(self.url, "its patch is not a list of operations")
        try:
            return apply(pod, operations)
        except PatchError as error:
            raise WebhookError(self.url, f"its patch does not apply: {error}") from error

    def _ask(self, body: JSONObject) -> JSON:
        """Return its answer; None where that is not JSON."""
        try:
            self._connection.request(
                "POST", self._path, orjson.dumps(body), {"Content-Type": "application/json"}
            )
            answer = self._connection.getresponse()
            content = answer.read()
        except ssl.SSLError as error:
            words = getattr(error, "verify_message", "") or error.reason or str(error)
            raise WebhookError(self.url, f"its certificate does not do: {words}") from error
        except (OSError, http.client.HTTPException) as error:
            hint = "; inside a cluster it is reached by kubectl port-forward (see --help)"
            raise WebhookError(self.url, f"{error or type(error).__name__}{hint}") from error
        except ValueError as error:  # a name or a path that the protocol cannot contain
            raise WebhookError(self.url, f"it cannot be asked: {error}") from error
        if answer.status != 200:
            raise WebhookError(self.url, f"HTTP {answer.status}: {content[:200].decode(errors='replace')}")
        try:
            return orjson.loads(content)
        except orjson.JSONDecodeError:
            return None


def _host_port_path(url: str) -> tuple[str, int, str]:
    """Return host, port and path of a webhook's URL; a usage error where it is not valid."""
    if login_of(url):
        raise click.UsageError(f"{shown(url)!r} has a login in front, which no webhook is sent: leave it out")
    try:
        parts = urlsplit(url if "//" in url else f"https://{url}")
        if parts.scheme == "https" and parts.hostname:
            return parts.hostname, parts.port or 443, parts.path
    except ValueError:
        pass  # invalid brackets or port
    raise click.UsageError(f"{shown(url)!r} is not the URL of a webhook: https://HOST:PORT/inject")


class _Connection(http.client.HTTPConnection):
    """TLS to an address, with the certificate checked for another name than the address."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext, name: str) -> None:
        super().__init__(host, port, timeout=SECONDS)
        self._tls, self._server = tls, name

    def connect(self) -> None:
        """Connect and shake hands."""
        super().connect()
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=self._server)


def _both(option: str, **more: Any) -> Callable[[Command], Command]:
    """Return an option twice: for the one webhook and for the other."""
    return together(
        *(
            click.option(f"--{side}{option}", **{**more, "help": more["help"].format(side=side)})
            for side in ("old", "new")
        )
    )


@click.command("compare", epilog=EPILOG)
@_both("", metavar="URL", required=True, help="The {side} webhook; the path is /inject where none is given.")
@_both("-ca", type=FILE, help="The CA of the {side} webhook's certificate, PEM; the system's when not given.")
@_both("-name", default="", help="The name that the {side} webhook's certificate carries; the URL's host.")
@input_options
@click.option(
    "-n", "--namespace", default="", help="Without files: the namespace whose workloads are asked about."
)
@click.option("-A", "--all-namespaces", is_flag=True, help="Without files: the workloads of all namespaces.")
@click.option("-c", "--kubeconfig", help="How to reach the API server; kubectl's when not given.")
@click.option("--context", help="The kubeconfig's context.")
@click.option(
    "--ignore",
    "ignored",
    multiple=True,
    metavar="PATTERN",
    help="Paths to leave out: '*status*'; repeatable.",
)
@click.option("-o", "--output", type=click.Choice(("text", "json")), default="text", show_default=True)
def command(**flags: Any) -> None:
    """Send the same pods to two webhooks and show where the pods differ, each difference once.

    The pods are those of manifests, or of the workloads of a namespace or of all. Nothing is created.

    Exit code 0 when the pods are the same, 1 when they differ or a webhook gives no answer. Two webhooks that
    both deny a pod, for the same reason, are the same: the last line says how many pods both inject, leave
    alone and deny.
    """
    old, new = (Webhook(flags[side], flags[f"{side}_ca"], flags[f"{side}_name"]) for side in ("old", "new"))
    subjects = [*_subjects(flags)]
    if not subjects:
        raise click.ClickException("there is no workload to ask about")
    pods = [(name, _compared(old, new, index, request)) for index, (name, request) in enumerate(subjects)]
    groups = grouped(((name, compared.differences) for name, compared in pods), flags["ignored"])
    decisions = Counter(compared.decision for _, compared in pods if compared.decision)
    report = as_json if flags["output"] == "json" else as_text
    click.echo(report(groups, len(subjects), decisions))
    if groups:
        raise SystemExit(1)


class _Compared(NamedTuple):
    """Two answers to one request: the decision in words where both have the same, and what differs."""

    decision: str
    differences: list[Difference]


def _compared(old: Webhook, new: Webhook, index: int, request: JSONObject) -> _Compared:
    (before, one), (after, other) = old.answer(index, request), new.answer(index, request)
    if before != after:
        return _Compared("", [Difference("(answer)", before, after)])
    return _Compared(before, [*contrast(one, other)])


def _subjects(flags: dict[str, Any]) -> Iterator[tuple[str, JSONObject]]:
    if flags["filenames"]:
        items = input_items(flags["filenames"], recursive=flags["recursive"])
        return requests(items, flags["namespace"] or "default")
    if not flags["namespace"] and not flags["all_namespaces"]:
        raise click.UsageError("nothing to compare: give -f FILE, -n NAMESPACE or --all-namespaces")
    namespace = "" if flags["all_namespaces"] else flags["namespace"]
    return requests(asyncio.run(_running(flags["kubeconfig"], flags["context"], namespace)), namespace)


def requests(workloads: Iterable[Item], namespace: str) -> Iterator[tuple[str, JSONObject]]:
    """Yield for each workload with a pod its display name, and the request that creates the pod."""
    for workload in workloads:
        place = place_of(workload.value)
        if place is None:
            continue
        own = str(workload.metadata.get("namespace") or namespace)
        arrival = arrival_of(workload.value, place, own)
        # An API server writes the namespace into a pod before it calls a webhook.
        pod = {**arrival.pod, "metadata": {**arrival.pod["metadata"], "namespace": own}}
        told = {"object": pod, "oldObject": None, "dryRun": True}
        yield f"{own}/{workload.kind}/{workload.name}", {"userInfo": {}, **arrival.request, **told}


async def _running(kubeconfig: str | None, context: str | None, namespace: str) -> list[Item]:
    """Return the workloads of a namespace, "" for all; raises KubeError."""
    # Importing the client takes a third of a second, which comparing files need not pay.
    from injector.cli.live import kubeconfig_of  # noqa: PLC0415
    from injector.kube.client import Connection, KubeClient  # noqa: PLC0415
    from injector.kube.survey import RESOURCES  # noqa: PLC0415

    resources = {each.kind: each for each in RESOURCES}
    connection = Connection(kubeconfig=kubeconfig_of(kubeconfig), context=context)
    found = []
    async with await KubeClient.connect(connection) as client:
        for kind in WORKLOADS:
            async for each in client.list(resources[kind].path(namespace)):
                if not each["metadata"].get("ownerReferences"):
                    value = {**each, "apiVersion": resources[kind].version, "kind": kind}
                    found.append(Item(value=value, source="the cluster"))
    return found


# ---- the report


def as_text(groups: dict[Difference, list[str]], count: int, decisions: Counter[str]) -> str:
    """Return the report for people: each difference with both values and its pods, and what both decide.

    That shows two webhooks that deny everything, or leave everything alone: they are the same as well.
    """
    lines = []
    for difference, pods in groups.items():
        more = f" and {len(pods) - SHOWN} more" if len(pods) > SHOWN else ""
        lines.append(click.style(difference.path, bold=True))
        lines.append(click.style(f"  - {_short(difference.old)}", fg="red"))
        lines.append(click.style(f"  + {_short(difference.new)}", fg="green"))
        lines.append(f"  {len(pods)} of {count}: {', '.join(pods[:SHOWN])}{more}")
    both = ", ".join(f"{number} {decision}" for decision, number in decisions.most_common())
    if not groups:
        return f"{count} {'pod is' if count == 1 else 'pods are'} the same from both webhooks: {both}"
    different = len({pod for pods in groups.values() for pod in pods})
    ways = "1 way" if len(groups) == 1 else f"{len(groups)} ways"
    lines.append(f"{different} of {count} pods differ, in {ways}{f'; by both: {both}' if both else ''}")
    return "\n".join(lines)


def _short(value: str) -> str:
    if not value:
        return "(not there)"
    return value if len(value) <= WIDTH else f"{value[:WIDTH]}… ({len(value)} characters)"


def as_json(groups: dict[Difference, list[str]], count: int, decisions: Counter[str]) -> str:
    """Return the report for programs; ``old`` and ``new`` are JSON in a string, "" for a missing value.

    ``decisions`` are those in which both webhooks agree, each with its number of pods.
    """
    document = {
        "pods": count,
        "decisions": decisions,
        "differences": [{**asdict(each), "pods": pods} for each, pods in groups.items()],
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()
