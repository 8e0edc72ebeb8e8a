"""``sidecar-injector serve``: make the options of the process from flags and environment."""

from __future__ import annotations

import functools
import os
import signal
import socket
import sys
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from injector.cli.options import (
    FILE,
    PREFIX,
    a_second_or_more,
    duration,
    environment,
    option,
    refuse_unknown_variables,
    release_options,
    size,
    switch,
    text_options,
    variable_of,
)
from injector.errors import ConfigError
from injector.injection.caches import cache_bytes_within
from injector.service.memory import LEAST_BYTES, MIB, container_limit, cores, fitting_workers
from injector.service.options import Limits, ServiceOptions

if TYPE_CHECKING:
    from injector.service.companions import Parts

MOUNTED: Final = {
    "inject_config_file": "/etc/istio/inject/config",
    "values_file": "/etc/istio/inject/values",
    "mesh_config_file": "/etc/istio/config/mesh",
    "tls_cert_file": "/etc/istio/certs/cert-chain.pem",
    "tls_key_file": "/etc/istio/certs/key.pem",
    "ca_cert_file": "/etc/istio/certs/root-cert.pem",
}
"""The mounts of sidecar-injector 1.4: used if an option is not given and the file exists."""


_WORKERS_PER_CORE: Final = 4
"""One per core is useful. More are allowed for a trial; thousands would bring the machine down."""


def worker_count(value: object) -> int:
    """Return the number of processes, for ``auto`` how many fit; a usage error says what is allowed."""
    available = cores()
    if value == "auto":
        return fitting_workers(available, container_limit())
    text = str(value)
    digits = text.lstrip("0")
    if not (text.isascii() and text.isdigit() and digits):
        raise click.BadParameter(f"{value!r} is neither a number of processes, 1 at least, nor auto")
    most = _WORKERS_PER_CORE * available
    if len(digits) > len(str(most)) or int(digits) > most:
        here = "1 core has" if available == 1 else f"{available} cores have"
        raise click.BadParameter(f"the {here} no use for so many processes: {most} at most, or auto")
    return int(digits)


def in_flight_size(value: object) -> int:
    """Return what may be in flight, in bytes; a usage error for so little that no review is answered."""
    given = size(value)
    if given < LEAST_BYTES:
        least = f"{LEAST_BYTES // MIB}Mi"
        raise click.BadParameter(f"{value!r} is less than {least}, which one large review needs")
    return given


SERVICE_ACCOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

EPILOG = """\b
Examples:
  sidecar-injector certs
  sidecar-injector serve --port 8443 --tls-cert-file certs/tls.crt --tls-key-file certs/tls.key
  sidecar-injector serve --port 8443 --self-signed --service-name sidecar-injector --namespace mesh
  SIDECAR_INJECTOR_SERVE_PORT=8443 SIDECAR_INJECTOR_SERVE_SELF_SIGNED=true sidecar-injector serve
"""


_duration = functools.partial(option, metavar="DURATION", show_default=True)


@click.command("serve", epilog=EPILOG, context_settings={"auto_envvar_prefix": PREFIX})
@text_options
@option("--tls-cert-file", type=FILE, help="Certificate chain to serve, PEM.")
@option("--tls-key-file", type=FILE, help="Its key, PEM.")
@option("--ca-cert-file", type=FILE, help="CA to register as caBundle, PEM.")
@click.option("--address", default="", help="Address to listen on; all of them when not given.")
@click.option("--port", default=443, show_default=True, help="HTTPS port.")
@click.option(
    "--workers",
    type=worker_count,
    metavar="N|AUTO",
    default="1",
    show_default=True,
    help="Processes that answer, behind one port, at most four for each core; auto: one for each, as far as "
    "the container's limits of CPU and memory go. In a cluster prefer replicas. Linux only.",
)
@option("--monitoring-port", default=15014, show_default=True, help="Metrics and health, plain.")
@option("--monitoring-address", default="", help="Address of the monitoring port.")
@release_options
@option("--service-name", default="", help="Our Service: the certificate must carry its name.")
@click.option("-n", "--namespace", default="", help="Our namespace; told from the service account.")
@option(
    "--client-ca-file",
    type=FILE,
    help="Only clients with a certificate of this CA may connect; probe the monitoring port then.",
)
@option("--client-name", "client_names", multiple=True, help="Names their certificates may have.")
@option(
    "--trusted-peers",
    multiple=True,
    metavar="CIDR",
    help="Addresses of API servers: near the caps their connections and reviews go before those of others.",
)
@option(
    "--in-flight-memory",
    type=in_flight_size,
    metavar="SIZE",
    help="Bytes of bodies, answers, connections and log lines at once, 64Mi, at least 16Mi; past it "
    "callers get 503. "
    "Derived from the container's memory limit when not given.",
)
@option(
    "--cache-memory",
    type=size,
    help="Bytes that all caches of one configuration may hold, at least 8Mi. An eighth of the container's "
    "memory limit when not given, 32Mi where there is none.",
)
@click.option("-c", "--kubeconfig", help="Outside a cluster: how to reach the API server.")
@click.option("--context", help="The kubeconfig's context.")
@switch(
    "--allow-empty-injection",
    default=False,
    text="Take a changed configuration after which none of the built-in sample pods is injected.",
)
@switch("--reconcile-webhook-config", default=True, text="Keep caBundle of our registration right.")
@option("--webhook-config-name", default="istio-sidecar-injector", show_default=True)
@option("--webhook-name", default="sidecar-injector.istio.io", show_default=True)
@switch("--create-webhook", default=False, text="Create the MutatingWebhookConfiguration too.")
@switch("--self-signed", default=False, text="Make and rotate CA and certificate, in a Secret.")
@option("--self-signed-secret", default="", help="Its name; the Service's and -certs when not given.")
@_duration("--ca-lifetime", type=a_second_or_more, default="8760h", help="Of our own CA.")
@_duration("--cert-lifetime", type=a_second_or_more, default="720h", help="Of a certificate under it.")
@_duration(
    "--rotation-grace",
    type=duration,
    default="5m",
    help="How long old and new CA are both trusted before the next step of a rotation.",
)
@_duration(
    "--max-clock-skew",
    type=a_second_or_more,
    default="5m",
    help="How far our clock may be from the API server's before we leave the Secret to other replicas.",
)
@switch("--warnings", default=True, text="Answer with warnings for people, of pods and at /advise.")
@option(
    "--advice-config-name",
    default="",
    help="The ValidatingWebhookConfiguration that asks /advise: its caBundle is kept right too.",
)
@switch("--watch-cluster", default=True, text="Keep namespaces, nodes and ProxyConfigs in memory.")
@option("--config-map", default="", help="The ConfigMap that is mounted: told when it is refused.")
@option("--health-check-file", type=FILE, help="File to keep fresh while healthy.")
@option("--health-check-interval", type=duration, default=0.0, help="How often: 1s, 500ms.")
@option("--log-level", type=click.Choice(("debug", "info", "warning", "error")), default="info")
@option(
    "--log-format",
    type=click.Choice(("auto", "text", "json")),
    default="auto",
    show_default=True,
    help="Lines of the log; auto: text on a terminal, JSON elsewhere.",
)
@click.option("--log-reviews/--no-log-reviews", default=True, help="One line a review.", show_default=True)
@click.option("--uvloop/--no-uvloop", default=True, help="Use uvloop where it is installed.")
def command(**flags: Any) -> None:
    """Run the HTTPS webhook until SIGTERM.

    Mounted files are watched: a change takes effect without a restart, and one that cannot be used leaves
    the last good one in place. The log is on stderr.

    SIGTERM drains: reviews are answered until none come. A second one is not heard in the drain's first ten
    seconds; after them it ends the process at once. SIGINT (Ctrl-C) finishes what is in flight, a second one
    does not wait for that. SIGHUP reads the mounted files again.

    Every option can be given by the environment as well, under SIDECAR_INJECTOR_SERVE_ and its name in
    capitals, --log-level as SIDECAR_INJECTOR_SERVE_LOG_LEVEL; the command line wins. Of those that are
    repeatable the variable holds all, with spaces between.
    """
    # Until the service hears it by itself. The first process of a container hears only what it has asked for.
    signal.signal(signal.SIGTERM, _end)
    refuse_unknown_variables(click.get_current_context())
    from injector.service.logs import Log  # noqa: PLC0415 - as the process
    from injector.service.workers import serve  # noqa: PLC0415 - half a second that --help need not cost

    options = service_options(flags)
    try:
        options.check()
    except ConfigError as error:
        raise click.UsageError(str(error)) from error
    Log.text = flags["log_format"] == "text" or (flags["log_format"] == "auto" and sys.stderr.isatty())
    raise SystemExit(serve(options, parts(flags, options)))


def _end(_number: int, _frame: object) -> NoReturn:
    """End a process that has nothing to drain yet."""
    raise SystemExit(0)


# click's own rule uses parameter names, which users never see; it still applies to older settings.
for _option in command.params:
    _option.envvar = variable_of(_option)


def service_options(flags: dict[str, Any]) -> ServiceOptions:
    """Return the options of the process, with the mounts of 1.4 where they exist.

    Flags with the name of an option are passed on unchanged.
    """
    files = {name: flags[name] or _mounted(path) for name, path in MOUNTED.items()}
    pair = dict.fromkeys(files) if flags["self_signed"] else files
    cache_memory = flags["cache_memory"]
    return ServiceOptions(
        **{each.name: flags[each.name] for each in fields(ServiceOptions) if each.name in flags},
        inject_config=files["inject_config_file"],
        inject_values=files["values_file"],
        mesh_config=files["mesh_config_file"],
        environment=environment(flags["settings"]),
        cache_bytes=cache_bytes_within(container_limit()) if cache_memory is None else cache_memory,
        tls_certificate=pair["tls_cert_file"],
        tls_key=pair["tls_key_file"],
        ca_certificate=pair["ca_cert_file"],
        service_names=_service_names(flags),
        client_ca=flags["client_ca_file"],
        limits=Limits(in_flight_bytes=flags["in_flight_memory"]),
    )


def parts(flags: dict[str, Any], options: ServiceOptions) -> Parts:
    """Return what the cluster adds to the bare service: nothing, if there is no work in a cluster."""
    from injector.service.companions import Parts  # noqa: PLC0415 - as the process

    work = flags["reconcile_webhook_config"] or flags["watch_cluster"] or flags["self_signed"]
    reachable = flags["kubeconfig"] or flags["context"] or os.environ.get("KUBERNETES_SERVICE_HOST")
    if flags["self_signed"] and not reachable:
        raise click.UsageError("--self-signed keeps its CA in a Secret: outside a cluster give --kubeconfig")
    if not work or not reachable:
        left_out = flags["reconcile_webhook_config"] and not reachable
        return Parts(remarks=("not in a cluster: the registration is not kept",) if left_out else ())

    # The Kubernetes client takes a third of a second and 10 MiB, only where there is work in a cluster.
    from injector.service.cluster import Cluster  # noqa: PLC0415

    return Cluster(_cluster_options(flags, options)).parts()


def _cluster_options(flags: dict[str, Any], options: ServiceOptions) -> Any:
    from injector.kube.client import Connection  # noqa: PLC0415
    from injector.registration.issue import service_names  # noqa: PLC0415
    from injector.registration.plan import WebhookNames  # noqa: PLC0415
    from injector.registration.self_signed import Policy  # noqa: PLC0415
    from injector.registration.webhook_configuration import WebhookSpec  # noqa: PLC0415
    from injector.service.cluster import ClusterOptions  # noqa: PLC0415

    namespace = flags["namespace"] or _own_namespace()
    service = flags["service_name"] or "sidecar-injector"
    grace = timedelta(seconds=flags["rotation_grace"])
    policy = Policy(
        names=service_names(service, namespace),
        ca_life=timedelta(seconds=flags["ca_lifetime"]),
        leaf_life=timedelta(seconds=flags["cert_lifetime"]),
        grace=grace,
        most_skew=timedelta(seconds=flags["max_clock_skew"]),
    )
    spec = WebhookSpec(
        configuration=flags["webhook_config_name"],
        webhook=flags["webhook_name"],
        service=service,
        namespace=namespace,
        revision=options.revision,
    )
    return ClusterOptions(
        connection=Connection(kubeconfig=flags["kubeconfig"], context=flags["context"]),
        namespace=namespace,
        identity=os.environ.get("POD_NAME") or f"{socket.gethostname()}-{os.getpid()}",
        configuration=flags["webhook_config_name"],
        names=WebhookNames(name=flags["webhook_name"]),
        reconcile=flags["reconcile_webhook_config"],
        watch=flags["watch_cluster"],
        advice=flags["advice_config_name"],
        self_signed=policy if flags["self_signed"] else None,
        grace=grace,
        # Two Services must not share one: each would issue the certificate for its own names, in turn.
        secret=flags["self_signed_secret"] or f"{service}-certs",
        webhook=spec if flags["create_webhook"] else None,
        config_map=flags["config_map"],
    )


def _service_names(flags: dict[str, Any]) -> tuple[str, ...]:
    if not flags["service_name"]:
        return ()
    return (f"{flags['service_name']}.{flags['namespace'] or _own_namespace()}.svc",)


def _own_namespace() -> str:
    try:
        return Path(SERVICE_ACCOUNT).read_text(encoding="utf-8").strip()
    except OSError:
        return "istio-system"


def _mounted(path: str) -> Path | None:
    found = Path(path)
    return found if found.is_file() else None
