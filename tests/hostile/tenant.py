"""A hostile tenant: `python -m tests.hostile.tenant PORT CA SECONDS KIND`, with KIND of `KINDS`.

`corpus` sends the reviews of the corpus and small ones made of pieces of them; `shapes` pods of which the
template makes a text that it has not made before: none is expensive, but all of them are. Each is sent once, as fast
as they are answered. Prints "ready" when all is made that it sends, and at the end one JSON object: how many were
sent, and how often each status came (0: no answer).
"""

from __future__ import annotations

import json
import os
import random
import ssl
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.client import HTTPException, HTTPSConnection
from typing import Final

from tests.hostile.corpus import a_pod, attacks, review

ADDRESS: Final = "127.0.0.9"
"""Its address: another peer than the honest callers."""

MARK: Final = 424_242
"""A number in each review of the corpus, to be replaced: making a review takes longer than sending it."""

Next = Callable[[random.Random, int], bytes]
"""Makes the review of a number, which differs from all others."""

PIECES: Final = (
    *("a: b", "#c", "x" * 300, '"', "'", "\n", "\\", "{{", "[", "{", "&a", "*a", "- ", "|", ">", "\u0085"),
    *("\U0001f600", "9" * 30, "-1", "1e400", "true", "null", "~", "sidecar", "istio-proxy", ",", ":", "%s"),
    *(
        '{"a":1}',
        '{"containers":[{"name":"istio-proxy"}]}',
        "8080",
        "0",
        "65536",
        "10.0.0.0/8",
        "eth0",
        "$(A)",
    ),
)
NAMES: Final = (
    *(
        "proxy.istio.io/config",
        "proxy.istio.io/overrides",
        "sidecar.istio.io/status",
        "inject.istio.io/templates",
    ),
    *("sidecar.istio.io/proxyImage", "sidecar.istio.io/proxyCPU", "sidecar.istio.io/userVolume"),
    *("traffic.sidecar.istio.io/excludeInboundPorts", "traffic.sidecar.istio.io/includeOutboundIPRanges"),
    *("prometheus.io/port", "prometheus.istio.io/scrape-targets", "status.sidecar.istio.io/port"),
    *(
        "sidecar.istio.io/interceptionMode",
        "k8s.v1.cni.cncf.io/networks",
        "sidecar.istio.io/bootstrapOverride",
    ),
)


def fuzzed(draw: random.Random, number: int) -> bytes:
    """Return a small review whose annotations, labels and names are made of hostile pieces."""

    def text() -> str:
        return "".join(draw.choices(PIECES, k=draw.randrange(1, 9)))

    annotations = {draw.choice(NAMES): text() for _ in range(draw.randrange(4))}
    labels = {text(): text() for _ in range(draw.randrange(3))}
    containers = [
        {"name": text(), "image": text(), "env": [{"name": text(), "value": text()}]}
        for _ in range(draw.randrange(1, 5))
    ]
    return review(a_pod(number, annotations, labels, containers=containers), number)


SWITCHES: Final = {
    "sidecar.istio.io/proxyCPU": "1",
    "sidecar.istio.io/proxyCPULimit": "1",
    "sidecar.istio.io/proxyMemory": "1Gi",
    "sidecar.istio.io/proxyMemoryLimit": "1Gi",
    "sidecar.istio.io/bootstrapOverride": "own",
    "kubectl.kubernetes.io/default-container": "app",
    "traffic.sidecar.istio.io/excludeInterfaces": "eth0",
    "traffic.sidecar.istio.io/kubevirtInterfaces": "eth0",
    "istio.io/reroute-virtual-interfaces": "eth0",
    "sidecar.istio.io/componentLogLevel": "misc:error",
}
"""Annotations for each of which a template has a branch."""

VOLUMES: Final = 40
"""The most volumes mounted into a proxy: with more, the YAML takes so long that one review is expensive."""


def of_a_new_shape(draw: random.Random, number: int) -> bytes:
    """Return a review whose overlay has to be parsed: 4 to 12 ms."""
    annotations = {name: value for name, value in SWITCHES.items() if draw.random() < 0.5}
    volumes = [f"v{draw.randrange(10**9)}" for _ in range(draw.randrange(VOLUMES))]
    annotations["sidecar.istio.io/userVolume"] = json.dumps({name: {"emptyDir": {}} for name in volumes})
    annotations["sidecar.istio.io/userVolumeMount"] = json.dumps(
        {name: {"mountPath": f"/{name}"} for name in volumes}
    )
    return review(a_pod(number, annotations), number)


class Sender(threading.Thread):
    """One connection, which is opened again whenever it ends."""

    def __init__(self, port: int, ca: str, until: float, seed: int, next_: Next) -> None:
        super().__init__(daemon=True)
        self.statuses: Counter[int] = Counter()
        self._draw = random.Random(seed)  # the same reviews in every run
        self._number = seed * 100_000
        self._until = until
        self._open: Callable[[], HTTPSConnection] = lambda: HTTPSConnection(
            "127.0.0.1",
            port,
            context=ssl.create_default_context(cafile=ca),
            timeout=60,
            source_address=(ADDRESS, 0),
        )
        self._next = next_

    def run(self) -> None:
        connection = self._open()
        while time.monotonic() < self._until:
            try:
                self._number += 1
                body = self._next(self._draw, self._number)
                connection.request("POST", "/inject?timeout=10s", body, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                answer.read()
                self.statuses[answer.status] += 1
            except (HTTPException, OSError):
                self.statuses[0] += 1
                connection.close()
                connection = self._open()
        connection.close()


def of_the_corpus() -> Next:
    """Return a function that makes a review of the corpus now and then, else a fuzzed one."""
    bodies = [(each, each.body(MARK)) for each in attacks()]

    def next_(draw: random.Random, number: int) -> bytes:
        if number % 8:
            return fuzzed(draw, number)
        _, body = draw.choice(bodies)
        return body.replace(b"%d" % MARK, b"%d" % number)

    return next_


KINDS: Final[dict[str, Callable[[], Next]]] = {"corpus": of_the_corpus, "shapes": lambda: of_a_new_shape}
CONNECTIONS: Final = 4


def main() -> None:
    port, ca, seconds, kind = sys.argv[1:]
    next_ = KINDS[kind]()
    os.nice(19)  # from here on, other processes have priority: the tenant's CPU would be another machine's
    print("ready", flush=True)  # noqa: T201
    until = time.monotonic() + float(seconds)
    senders = [Sender(int(port), ca, until, seed, next_) for seed in range(1, 1 + CONNECTIONS)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    statuses = sum((sender.statuses for sender in senders), Counter[int]())
    print(json.dumps({"sent": statuses.total(), "statuses": statuses}))  # noqa: T201 - its result


if __name__ == "__main__":
    main()
