"""Measure what the product costs besides reviews: time to start, memory, the command. Sends no load.

Every figure is for whole processes, started as a user starts them.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchlib import servers
from benchlib.configurations import Configuration

STARTS: Final = 5
MANY: Final = 1000

_DEPLOYMENT: Final = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: hello-%d
spec:
  selector:
    matchLabels:
      app: hello-%d
  template:
    metadata:
      labels:
        app: hello-%d
    spec:
      containers:
      - name: hello
        image: registry.example/hello:1.0
        ports:
        - name: http
          containerPort: 80
"""


def footprint(configuration: Configuration, folder: Path, core: int | None) -> dict[str, Any]:
    """Return the figures: medians of five processes each, of three for a thousand documents."""
    arguments = configuration.write(folder)
    alone = [_started(folder, core, arguments) for _ in range(STARTS)]
    watching = [_started(folder, core, [*arguments, *_with_cluster(folder)]) for _ in range(3)]
    one, many = folder / "one.yaml", folder / "many.yaml"
    one.write_text(_DEPLOYMENT % (1, 1, 1))
    many.write_text("---\n".join(_DEPLOYMENT % (number, number, number) for number in range(MANY)))
    return {
        "ready_seconds": round(median(ready for ready, _, _ in alone), 3),
        "ready_cpu_seconds": round(median(cpu for _, cpu, _ in alone), 3),
        "idle_rss_mib": round(median(rss for _, _, rss in alone), 1),
        "ready_seconds_with_cluster": round(median(ready for ready, _, _ in watching), 3),
        "idle_rss_mib_with_cluster": round(median(rss for _, _, rss in watching), 1),
        "inject_one_seconds": round(median(_inject(one) for _ in range(STARTS)), 3),
        "inject_1000_seconds": round(median(_inject(many) for _ in range(3)), 3),
    }


def _started(folder: Path, core: int | None, arguments: list[str]) -> tuple[float, float, float]:
    """Return seconds and CPU seconds until reviews are accepted, and the MiB used then."""
    service = servers.start_service(folder, core, arguments)
    try:
        return service.ready_seconds, service.cpu_seconds(), service.rss_mib()
    finally:
        service.stop()


def _with_cluster(folder: Path) -> list[str]:
    """Return arguments for the client of an absent cluster: everything is loaded, and nothing arrives."""
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: x\n"
        "clusters: [{name: x, cluster: {server: 'https://127.0.0.1:1'}}]\n"
        "users: [{name: x, user: {token: x}}]\n"
        "contexts: [{name: x, context: {cluster: x, user: x}}]\n"
    )
    return ["--watchCluster=true", "--reconcileWebhookConfig=true", f"--kubeconfig={kubeconfig}"]


def _inject(file: Path) -> float:
    """Return the seconds of one whole process of `inject`, with the built-in template."""
    code = "from injector.cli.main import main; main()"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    subprocess.run(
        [sys.executable, "-P", "-c", code, "inject", "-f", str(file)],
        check=True,
        capture_output=True,
        env=servers.environment(),
    )
    wall = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return min(wall, used)  # on a busy machine, elapsed time includes other processes
