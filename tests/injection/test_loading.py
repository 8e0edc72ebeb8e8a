from __future__ import annotations

import pytest

from injector.errors import ConfigError
from injector.injection.loading import Sources, Surroundings, load_snapshot
from injector.istio.mesh.loading import load_mesh
from tests.injection.builders import LEGACY, OVERLAYS, overlays


def faults_of(release: str = "1.31", **texts: str) -> list[str]:
    with pytest.raises(ConfigError) as refusal:
        load_snapshot(Sources(**texts), Surroundings(release=release))
    return str(refusal.value).splitlines()


def test_a_snapshot_holds_what_it_was_loaded_from() -> None:
    snapshot = load_snapshot(
        Sources(config=OVERLAYS, values="global: {a: 1}"), Surroundings(revision="canary", env={"A": "b"})
    )
    assert snapshot.behaviour.release == "1.31"
    assert (snapshot.values, snapshot.revision, snapshot.env) == ({"global": {"a": 1}}, "canary", {"A": "b"})
    assert set(snapshot.templates) == {"sidecar", "extra"}


def test_a_mesh_that_a_caller_has_stands_in_for_the_text() -> None:
    mesh = load_mesh("", 31)
    assert load_snapshot(Sources(config=OVERLAYS, mesh=mesh), Surroundings()).mesh is mesh


def test_an_unknown_release_is_a_fault_of_the_configuration() -> None:
    assert faults_of("0.8", config=OVERLAYS)[0].startswith("release: release '0.8' is not known")


def test_faults_of_all_three_texts_are_reported_at_once() -> None:
    found = faults_of(config="policy: 1\ntemplates: {a: b}", values="[", mesh="defaultConfig: 5")
    assert [fault.partition(":")[0] for fault in found] == ["values", "mesh", "config"]


def test_an_unknown_function_names_the_line_of_the_file_and_the_template() -> None:
    config = (
        "policy: enabled\ntemplates:\n  sidecar: |\n    a: 1\n    b: {{ nope }}\n  other: |\n    {{ also }}\n"
    )
    assert faults_of(config=config) == [
        'config:5: templates.sidecar: template: inject:2: function "nope" not defined',
        'config:7: templates.other: template: inject:1: function "also" not defined',
    ]


def test_a_fault_in_a_template_on_one_line_has_no_line() -> None:
    assert faults_of("1.8", config='template: "{{ nope }}"')[0].startswith(
        "config: template: template: inject:1"
    )


def test_a_proxy_config_resource_that_is_none_is_a_fault() -> None:
    resource = {"metadata": {"name": "p", "namespace": "n"}, "spec": {"concurrency": "many"}}
    with pytest.raises(ConfigError, match="ProxyConfig p"):
        load_snapshot(Sources(config=OVERLAYS), Surroundings(proxy_configs=[resource]))


def test_old_delimiters_are_the_oldest_releases() -> None:
    config = LEGACY.replace("{{", "[[").replace("}}", "]]")
    assert load_snapshot(Sources(config=config), Surroundings()).behaviour.release == "1.1"


def test_templates_that_pods_do_not_use_are_compiled_when_they_are_asked_for() -> None:
    injector = overlays()
    sidecar, extra = injector.snapshot.templates["sidecar"], injector.snapshot.templates["extra"]
    assert "usual" in vars(sidecar)
    assert "usual" not in vars(extra)
    pod, _ = injector.inject_pod({"metadata": {"annotations": {"inject.istio.io/templates": "extra"}}})
    assert pod["metadata"]["labels"] == {"extra": "yes"}


def test_values_are_laid_over_defaults_map_by_map_and_null_takes_one_away() -> None:
    defaults = "global: {hub: a, tag: b, network: c}\nrevision: r\n"
    sources = Sources(
        config=OVERLAYS, values="global: {hub: x, tag: null}\nmore: {}\n", default_values=defaults
    )
    snapshot = load_snapshot(sources, Surroundings(release="1.31"))
    assert snapshot.values == {"global": {"hub": "x", "network": "c"}, "revision": "r", "more": {}}


def test_empty_values_over_defaults_are_the_defaults() -> None:
    sources = Sources(config=OVERLAYS, values="", default_values="revision: r")
    snapshot = load_snapshot(sources, Surroundings(release="1.31"))
    assert (snapshot.values, snapshot.denies_all) == ({"revision": "r"}, False)


VALUES = "global:\n  proxy:\n    logLevel: 1\n  imagePullSecrets: secret\n"


def test_values_of_wrong_types_are_faults_with_line_and_path() -> None:
    text = "could not parse configuration values: json: cannot unmarshal"
    assert faults_of(config=OVERLAYS, values=VALUES) == [
        f"values:4: global.imagePullSecrets: {text} string into Go value of type []json.RawMessage",
        f"values:3: global.proxy.logLevel: {text} number into Go value of type string",
    ]


def test_values_of_a_release_that_gave_them_no_types_pass() -> None:
    load_snapshot(Sources(config=LEGACY, values=VALUES), Surroundings(release="1.7"))
    assert len(faults_of("1.8", config=LEGACY, values=VALUES)) == 2
