from __future__ import annotations

import subprocess
import sys

import pytest

import injector
from injector.errors import ConfigError
from injector.injection.injector import Injector
from tests.injection.builders import LEGACY, OVERLAYS, a_pod, overlays


def test_the_library_is_the_packages_injector() -> None:
    assert injector.Injector is Injector
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        injector.Nothing  # noqa: B018


def test_importing_the_package_loads_nothing_of_it() -> None:
    code = "import sys, injector; print([m for m in sys.modules if m.startswith('injector.')])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_the_release_is_told_or_given() -> None:
    assert Injector.load(OVERLAYS).release == "1.31"
    assert Injector.load(LEGACY).release == "1.8"
    assert Injector.load(LEGACY, release="1.4.10").release == "1.4"


def test_errors_name_the_files_as_they_are_called() -> None:
    with pytest.raises(ConfigError, match=r"^/etc/values: must be a mapping, not a list$"):
        Injector.load(OVERLAYS, "[1]", files=("/etc/config", "/etc/values", "/etc/mesh"))


def test_what_is_not_used_is_warned_of() -> None:
    config = f"{OVERLAYS}neverInjectSelector:\n- matchExpressions:\n  - {{key: a, operator: Bogus}}\n"
    warnings = Injector.load(config, mesh="nonsense: 1").warnings
    assert warnings[0].startswith("neverInjectSelector[0] is skipped: ")
    assert warnings[1] == "mesh: nonsense is not a field in this release"


def test_another_cluster_needs_no_other_load() -> None:
    one = overlays()
    other = one.with_cluster(nodes={"n": "v1.33.0"}, namespaces={"shop": {}})
    assert (other.snapshot.nodes, other.snapshot.namespaces) == ({"n": "v1.33.0"}, {"shop": {}})
    assert other.snapshot.templates is one.snapshot.templates
    assert other.inject_pod(a_pod())[0]["spec"]["containers"]


def test_a_pods_own_proxy_config_gets_the_template_for_it() -> None:
    config = OVERLAYS.replace('"proxy:1"', ".ProxyConfig.DiscoveryAddress")
    pod = a_pod(annotations={"proxy.istio.io/config": "discoveryAddress: mine:15012"})
    injected = Injector.load(config).inject_pod(pod)[0]
    assert injected["spec"]["containers"][-1]["image"] == "mine:15012"
    usual = Injector.load(config).inject_pod(a_pod())[0]
    assert usual["spec"]["containers"][-1]["image"] == "istiod.istio-system.svc:15012"
