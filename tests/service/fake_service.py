"""A service with the fake reviewer as a process of its own: `python -m tests.service.fake_service FOLDER [JSON]`.

FOLDER holds ``certs`` and ``config``; the JSON object overrides options. Prints its two ports. Beside them:
``real`` serves the built-in template; ``cluster`` (kubeconfig, identity, grace and ca_life in seconds) makes it
a replica with a CA of its own making, with ``settle`` in place of ``ca_life`` one whose files bring the CA; ``mutations`` are the faults of `mutations` that it shall have, for a control.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from injector.errors import InjectorError
from injector.service.companions import Parts
from injector.service.generation import Load
from injector.service.injecting import load_injector
from injector.service.options import Drain, Limits, ServiceOptions
from injector.service.workers import serve
from tests.service.kit import NAME, load_fake
from tests.service.mutations import MUTATIONS


def options_of(folder: Path, given: dict[str, Any]) -> ServiceOptions:
    base = ServiceOptions(
        inject_config=folder / "config" / "config",
        inject_values=folder / "config" / "values",
        tls_certificate=folder / "certs" / "tls.crt",
        tls_key=folder / "certs" / "tls.key",
        service_names=(NAME,),
        address="127.0.0.1",
        port=0,
        monitoring_address="127.0.0.1",
        monitoring_port=0,
        recheck_seconds=1.0,
    )
    for name, kind in (("drain", Drain), ("limits", Limits)):
        if name in given:
            given[name] = kind(**given[name])
    for name in ("health_check_file", "tls_certificate", "inject_config"):
        if name in given and given[name] is not None:
            given[name] = Path(given[name])
    return replace(base, **given)


def parts_of(cluster: dict[str, Any]) -> Parts:
    """Return a replica's cluster: a common CA, its registration, and watches for reviews if ``watch``."""
    # Imported here because it takes a third of a second, which replicas with files need not wait.
    from injector.kube.client import Connection
    from injector.registration.plan import WebhookNames
    from injector.registration.self_signed import Policy
    from injector.service.cluster import Cluster, ClusterOptions

    grace = timedelta(seconds=cluster["grace"])
    policy = None
    if "ca_life" in cluster:
        life = timedelta(seconds=cluster["ca_life"])
        settle = timedelta(seconds=cluster.get("settle", 0))
        policy = Policy(names=(NAME,), ca_life=life, leaf_life=life, grace=grace, settle=settle)
    companion = Cluster(
        ClusterOptions(
            connection=Connection(kubeconfig=cluster["kubeconfig"]),
            namespace="mesh",
            identity=cluster["identity"],
            configuration="sidecars",
            names=WebhookNames(name="sidecar-injector.istio.io"),
            watch=cluster.get("watch", False),
            secret="certs",
            self_signed=policy,
            grace=grace,
            settle=cluster.get("settle", 0),
        )
    )
    parts = companion.parts()
    return replace(parts, holds_pair=parts.holds_pair and cluster.get("holds", True))


def end_with(parent: int) -> None:
    """End when the test that started this process is gone: nothing else would end it."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def main() -> int:
    folder, *more = sys.argv[1:]
    given = json.loads(more[0]) if more else {}
    if given.get("workers", 1) == 1:  # a process with a thread cannot be forked
        threading.Thread(target=end_with, args=[os.getppid()], daemon=True).start()
    load: Load = load_fake
    if given.pop("real", False):
        load = load_injector
        given |= {"inject_config": None, "inject_values": None}
    for name in given.pop("mutations", ()):
        MUTATIONS[name]()
    parts = None
    if (cluster := given.pop("cluster", None)) is not None:
        parts = parts_of(cluster)
        if parts.brings_pair:
            given |= {"tls_certificate": None, "tls_key": None}
        else:
            given["ca_certificate"] = Path(folder) / "certs" / "ca.crt"
    try:
        return serve(options_of(Path(folder), given), parts, load=load)
    except InjectorError as error:
        print(error, file=sys.stderr)  # noqa: T201 - as the command line does
        return 1


if __name__ == "__main__":
    sys.exit(main())
