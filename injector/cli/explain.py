"""``sidecar-injector explain``: for each workload whether its pods are injected, and which gate decides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

import click

from injector.cli.configuration import (
    BUILT_IN_FILES,
    configuration_options,
    read_configuration,
    say_release,
    surroundings_of,
)
from injector.cli.explained import Explained, document, encoded, table
from injector.cli.files import filename_option, input_items
from injector.cli.options import namespace_option, option, pod_template_option, recursive_option
from injector.diagnosis.annotations import advise_metadata
from injector.diagnosis.gates import PodSurroundings, walk
from injector.diagnosis.items import Item, Material, misread, steps_of, unknown_pods
from injector.diagnosis.registration import Ours, owned
from injector.diagnosis.running import is_running, look_at
from injector.injection.injector import Injector
from injector.injection.loading import Sources, load_snapshot
from injector.injection.owner import find_workload
from injector.istio.releases import NEWEST_RELEASE, behaviour_of
from injector.json_types import JSONObject
from injector.kubeyaml import Positions

EPILOG: Final = """\b
Exit codes:
  0  every workload was explained, and no pod would be denied
  1  a pod would be denied; with --require-injection also: one is not injected, or that is not known;
     or something could not be read
  2  the call itself was wrong
\b
Examples:
  sidecar-injector explain -f app.yaml -n shop
  kubectl get mutatingwebhookconfigurations,namespaces -o yaml > cluster.yaml
  sidecar-injector explain -f app.yaml -f cluster.yaml --diff
  sidecar-injector explain deploy/web -n shop
  sidecar-injector explain pod/web-0 --context staging -o json
  sidecar-injector explain -A
"""


@click.command("explain", epilog=EPILOG)
@click.argument("workloads", nargs=-1, metavar="[KIND/NAME]...")
@filename_option("Manifests; repeatable.")
@recursive_option
@namespace_option
@click.option("-A", "--all-namespaces", is_flag=True, help="Every namespace of the cluster.")
@click.option("-c", "--kubeconfig", help="How to reach the cluster, as kubectl's.")
@click.option("--context", help="The kubeconfig's context.")
@option(
    "--config-map",
    default="",
    metavar="NAMESPACE/NAME",
    help="The injector's ConfigMap in the cluster; found beside its Service when not given.",
)
@option(
    "--webhook-name",
    default="",
    help="How the injector's webhook is called, or *.NAME; told from name and path when not given.",
)
@pod_template_option
@click.option(
    "-o",
    "--output",
    type=click.Choice(("table", "json", "yaml")),
    default="table",
    show_default=True,
    help="For people or for programs.",
)
@click.option("--diff/--no-diff", default=False, help="Show what would change.")
@click.option("--require-injection", is_flag=True, help="Exit 1 unless every workload is injected.")
@configuration_options
def command(
    *, workloads: Sequence[str], filenames: Sequence[str], output: str, diff: bool, **flags: Any
) -> None:
    """Say for each workload whether its pods are injected, which gate decides, and what to change.

    Workloads come from files, which may have Namespaces, MutatingWebhookConfigurations and ProxyConfigs among
    them, or from the cluster, with the registration and the configuration that are there. The gates:
    registration, policy, templates, values, render, merge, post-processing, and what an API server accepts.
    """
    live = bool(workloads) or flags["all_namespaces"]
    if live and filenames:
        raise click.UsageError("give files (-f) or workloads of the cluster, not both")
    if not live and not filenames:
        raise click.UsageError("nothing to explain: give -f FILE, a workload (deploy/web), or -A")
    ours = Ours(name=flags["webhook_name"])
    material = _of_cluster(workloads, flags, ours) if live else _of_files(filenames, flags)
    sources, surroundings = read_configuration(flags)
    injector = _in_cluster(Injector(load_snapshot(sources, surroundings)), material)
    around = PodSurroundings(
        snapshot=injector.snapshot,
        registration=None if material.unseen else material.registration,
        unseen=material.unseen,
        namespaces=material.namespaces,
        ours=ours,
        config=_config(sources),
    )
    policy = injector.snapshot.config.policy
    say_release(injector)
    click.echo(f"behaving as Istio {injector.release}, policy {policy!r}", err=True)
    for remark in material.remarks:
        click.echo(f"{click.style('warning:', fg='yellow')} {remark}", err=True)
    explained = _explained(material, flags["namespace"] or "default", flags["pod_template_path"], around)
    if output == "table":
        for line in table(explained, diff=diff):
            click.echo(line)
    else:
        value = document(
            explained, release=injector.release, policy=policy, remarks=material.remarks, diff=diff
        )
        click.echo(encoded(value, output))
    bad = ("denied", "skipped", "unknown") if flags["require_injection"] else ("denied",)
    if any(each.walk.verdict in bad for each in explained):
        raise SystemExit(1)


# ---- from files


def _of_files(filenames: Sequence[str], flags: dict[str, Any]) -> Material:
    """Return the contents of the files; flags for files that it has read are removed."""
    material = Material()
    for flag, kind in (("namespace_file", "Namespace"), ("proxy_config_file", "ProxyConfig")):
        material.add(surroundings_of(flags[flag], kind))
        flags[flag] = ()
    given = input_items(filenames, recursive=flags["recursive"])
    material.add(given, pod_template_path=flags["pod_template_path"])
    if not material.workloads:
        raise click.ClickException(_nothing(material))
    material.remarks = [f"{item.at()}: {said}" for item in material.others if (said := unknown_pods(item))]
    material.pods = [item for item, _ in material.workloads if is_running(item)]
    if material.registration:
        material.unseen = ""
    return material


def _config(sources: Sources) -> Item:
    """Return where the configuration is, so that a rule of it can name its line."""
    file = sources.config_file
    if file == BUILT_IN_FILES[0]:
        return Item(value={}, source=file)
    return Item(value={}, source=file, positions=Positions(sources.config), line=1)


def _nothing(material: Material) -> str:
    """Return the message when there is nothing to explain."""
    said = [text for item in material.others if (text := unknown_pods(item))]
    if said:
        return f"no workload found; {'; '.join(said)}"
    found = (*material.registration, *material.namespaces.values(), *material.proxy_configs, *material.others)
    kinds = ", ".join(dict.fromkeys(item.kind or "an object without a kind" for item in found))
    return f"no workload found, only {kinds}" if kinds else "no workload found: the files hold no object"


# ---- from the cluster


def _of_cluster(workloads: Sequence[str], flags: dict[str, Any], ours: Ours) -> Material:
    """Return what the cluster tells; the flags get the revision and the texts of its injector."""
    from injector.cli.live import read_cluster, subjects_of  # noqa: PLC0415 - a third of a second for files

    subjects = subjects_of(workloads)
    if flags["all_namespaces"] and any(subject.name for subject in subjects):
        raise click.UsageError("-A is for all workloads: name none, or say in which namespace (-n)")
    material, found = read_cluster(subjects, flags, ours)
    flags |= found
    if not material.workloads:
        where = "the cluster" if flags["all_namespaces"] else "the namespace"
        raise click.ClickException(f"no workload found in {where}")
    return material


def _in_cluster(injector: Injector, material: Material) -> Injector:
    """Return the injector with what the objects say in addition to its options."""
    snapshot = injector.snapshot
    given = {name: item.value for name, item in material.namespaces.items()}
    return injector.with_cluster(
        nodes=snapshot.nodes if material.nodes is None else material.nodes,
        namespaces={**snapshot.namespaces, **given},
        proxy_configs=[item.value for item in material.proxy_configs],
    )


# ---- the answers


def _explained(
    material: Material, namespace: str, pod_template_path: str, around: PodSurroundings
) -> list[Explained]:
    ours = [item for item, _ in owned(around.registration or (), around.ours)]
    owners = _by_owner(material.pods)
    behaviour = around.snapshot.behaviour
    found = []
    for item, place in material.workloads:
        walked = walk(item, place, namespace, around)
        pods = owners.get((walked.namespace, item.kind, item.name), [])
        advice = [
            replace(finding, place=item.at(*steps_of(finding.place.path)))
            for finding in advise_metadata(
                item.value, behaviour=behaviour, pod_template_path=pod_template_path
            )
        ]
        found.append(
            Explained(
                walk=walked,
                findings=(*misread(item, place.spec[:-1]), *advice),
                pods=tuple(look_at(pod, around.snapshot, ours) for pod in pods),
            )
        )
    return found


def _by_owner(pods: Iterable[Item]) -> dict[tuple[str, str, str], list[Item]]:
    """Return running pods by the workload that created them, as templates see it."""
    behaviour = behaviour_of(NEWEST_RELEASE)
    found: dict[tuple[str, str, str], list[Item]] = {}
    for pod in pods:
        metadata: JSONObject = pod.value.get("metadata") or {}
        namespace = str(metadata.get("namespace") or "")
        workload = find_workload(pod.value, namespace, behaviour)
        names = {(workload.kind, str(workload.metadata.get("name"))), ("Pod", pod.name)}
        names |= {
            (str(owner.get("kind")), str(owner.get("name")))
            for owner in metadata.get("ownerReferences") or ()
        }
        for kind, name in names:
            found.setdefault((namespace, kind, name), []).append(pod)
    return found
