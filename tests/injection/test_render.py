from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from injector.budget import Budget
from injector.injection.inject import request_for
from injector.injection.loading import Sources, Surroundings, load_snapshot
from injector.injection.render import render_template, template_data

CONFIG = "policy: enabled\ntemplates:\n  sidecar: |\n    ids: {{ .ProxyUID }} {{ .ProxyGID }}\n"
NAMESPACE = {"metadata": {"annotations": {"openshift.io/sa.scc.uid-range": "1000/100"}}}
POD = {"metadata": {"name": "web"}, "spec": {"containers": []}}


@pytest.mark.parametrize(
    ("env", "by_hand", "ids"),
    [
        ({"PLATFORM": "openshift"}, False, "1099 1099"),
        ({"PLATFORM": "openshift"}, True, "1337 1337"),
        ({}, False, "1337 1337"),
    ],
)
def test_the_namespace_is_looked_at_by_the_webhook_on_openshift_only(env, by_hand, ids) -> None:
    snapshot = load_snapshot(
        Sources(config=CONFIG), Surroundings(release="1.31", env=env, namespaces={"shop": NAMESPACE})
    )
    budget = Budget(snapshot.limits)
    request = replace(
        request_for(POD, "shop", "shop", "/inject", snapshot, budget),
        by_hand=by_hand,
    )
    data = template_data(request, snapshot, POD)
    assert render_template(snapshot.templates["sidecar"], data, snapshot, budget).value == {"ids": ids}


def rendered_mesh(release: str, *, by_hand: bool = False) -> object:
    """Return the ports of ProxyConfig and MeshConfig that a template of the release sees of a pod with its own."""
    ports = "ports: {{ .ProxyConfig.StatusPort }} {{ .MeshConfig.DefaultConfig.StatusPort }}"
    legacy = release in ("1.6", "1.8")
    config = f"template: '{ports}'" if legacy else f"templates: {{sidecar: '{ports}'}}"
    snapshot = load_snapshot(Sources(config=config), Surroundings(release=release))
    pod = POD | {"metadata": {"name": "web", "annotations": {"proxy.istio.io/config": "statusPort: 15030"}}}
    budget = Budget(snapshot.limits)
    request = replace(request_for(pod, "shop", "shop", "/inject", snapshot, budget), by_hand=by_hand)
    data = template_data(request, snapshot, pod)
    return render_template(snapshot.templates["sidecar"], data, snapshot, budget).value


@pytest.mark.parametrize("by_hand", [False, True])
@pytest.mark.parametrize("release", ["1.6", "1.8", "1.9", "1.12"])
def test_from_1_6_to_1_12_templates_see_the_annotation_in_the_mesh(release: str, by_hand: bool) -> None:
    assert rendered_mesh(release, by_hand=by_hand) == {"ports": "15030 15030"}


def test_from_1_13_the_webhooks_templates_see_the_mesh_as_it_is() -> None:
    assert rendered_mesh("1.13") == {"ports": "15030 15020"}


OF_THE_MESH = """\
policy: enabled
templates:
  sidecar: |
    quoted: "{{ .ProxyConfig.ProxyMetadata.QUOTED }} {{ .MeshConfig.IngressClass }}"
    plain: {{ .ProxyConfig.ProxyMetadata.PLAIN }}
    kept: {{ .ProxyConfig.ProxyMetadata.KEPT | quote }}
    own: {{ .ProxyConfig.ProxyMetadata.OWN }}
"""
METADATA = {"QUOTED": "a\\x41\nb", "PLAIN": "c # d", "KEPT": 'say "hi"', "OWN": "[e"}


@pytest.mark.parametrize("release", ["1.12", "1.14", "1.28"])
def test_what_the_mesh_says_is_text_of_the_template_for_a_pod_with_a_proxyconfig_of_its_own(
    release: str,
) -> None:
    mesh = json.dumps({"ingressClass": "\\x42", "defaultConfig": {"proxyMetadata": METADATA}})
    snapshot = load_snapshot(Sources(config=OF_THE_MESH, mesh=mesh), Surroundings(release=release))
    own = json.dumps({"proxyMetadata": {"OWN": "f: g"}})
    pod = POD | {"metadata": {"name": "web", "annotations": {"proxy.istio.io/config": own}}}
    budget = Budget(snapshot.limits)
    request = request_for(pod, "shop", "shop", "/inject", snapshot, budget)
    data = template_data(request, snapshot, pod)
    rendered = render_template(snapshot.templates["sidecar"], data, snapshot, budget).value
    assert rendered == {"quoted": "aA b B", "plain": "c", "kept": 'say "hi"', "own": "f: g"}


def test_a_pod_that_names_a_type_of_image_has_it_where_all_others_have_the_meshs() -> None:
    config = (
        "policy: enabled\ntemplates:\n  sidecar: |\n    images: {{ .ProxyImage }} {{ .ProxyInitImage }}\n"
    )
    values = '{"global": {"hub": "hub", "tag": "1"}}'
    snapshot = load_snapshot(Sources(config=config, values=values), Surroundings(release="1.31"))
    budget = Budget(snapshot.limits)
    images = {}
    for kind in ("", "debug"):
        annotations = {"sidecar.istio.io/proxyImageType": kind} if kind else {}
        pod = POD | {"metadata": {"name": "web", "annotations": annotations}}
        data = template_data(request_for(pod, "shop", "shop", "/inject", snapshot, budget), snapshot, pod)
        assert data.usual is not bool(kind)
        images[kind] = render_template(snapshot.templates["sidecar"], data, snapshot, budget).value
    assert images == {
        "": {"images": "hub/proxyv2:1 hub/proxyv2:1"},
        "debug": {"images": "hub/proxyv2:1-debug hub/proxyv2:1-debug"},
    }
