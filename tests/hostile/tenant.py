"""A hostile tenant: `python -m tests.hostile.tenant PORT CA SECONDS [CONNECTIONS]`.

Sends the reviews of `corpus` and small ones made of pieces of them, each once, as fast as they are answered.
Prints one JSON object: how many were sent, and how often each status came (0: no answer).
"""

from __future__ import annotations

import json
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
"""Where it comes from: another peer than the honest callers."""

MARK: Final = 424_242
"""A number that stands in each review of the corpus, to be replaced: making one takes longer than sending it."""

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


class Sender(threading.Thread):
    """One connection, which is opened anew whenever it ends."""

    def __init__(self, port: int, ca: str, until: float, seed: int) -> None:
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
        self._bodies = [(each, each.body(MARK)) for each in attacks()]

    def run(self) -> None:
        connection = self._open()
        while time.monotonic() < self._until:
            try:
                connection.request(
                    "POST", "/inject?timeout=10s", self._next(), {"Content-Type": "application/json"}
                )
                answer = connection.getresponse()
                answer.read()
                self.statuses[answer.status] += 1
            except (HTTPException, OSError):
                self.statuses[0] += 1
                connection.close()
                connection = self._open()
        connection.close()

    def _next(self) -> bytes:
        """Return a review of the corpus now and then, else a fuzzed one: both differ from all others."""
        self._number += 1
        if self._number % 8:
            return fuzzed(self._draw, self._number)
        _, body = self._draw.choice(self._bodies)
        return body.replace(b"%d" % MARK, b"%d" % self._number)


def main() -> None:
    port, ca, seconds, *more = sys.argv[1:]
    until = time.monotonic() + float(seconds)
    senders = [Sender(int(port), ca, until, seed) for seed in range(1, 1 + int(more[0] if more else 4))]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    statuses = sum((sender.statuses for sender in senders), Counter[int]())
    print(json.dumps({"sent": statuses.total(), "statuses": statuses}))  # noqa: T201 - its result


if __name__ == "__main__":
    main()
