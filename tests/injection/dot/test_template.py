from __future__ import annotations

import pytest

from injector.errors import ConfigError
from injector.injection.dot.template import advice_on_function
from tests.injection.builders import LEGACY, OVERLAYS, legacy, overlays

IMAGE = 'annotation .ObjectMeta `sidecar.istio.io/proxyImage` "proxy:1"'
VENDOR = (
    "A vendor may have added it to its own Istio, as OpenShift Service Mesh does: take Istio's own template"
)


def warnings(action: str, release: str) -> tuple[str, ...]:
    return overlays(release, OVERLAYS.replace(IMAGE, action)).warnings


def test_a_field_of_later_releases_names_them_and_the_vendor() -> None:
    (warning,) = warnings("$.ProxyUID", "1.12")
    assert warning.startswith(
        "templates.sidecar has .ProxyUID, which 1.12 has not. Istio 1.20 to 1.32 has it"
    )
    assert warning.endswith(VENDOR)
    (warning,) = legacy("1.6", LEGACY.replace("init:1", "{{ .ProxyUID }}")).warnings
    assert warning.startswith("template has .ProxyUID")


def test_a_field_of_a_vendor_alone_is_said_to_be_so() -> None:
    assert warnings(".Release.Namespace", "1.31") == (
        f"templates.sidecar has .Release, which no Istio has. {VENDOR}",
    )


@pytest.mark.parametrize("action", [".ProxyImage", ".Values.ProxyUID", "(.Values).Release", ".ReleaseName"])
def test_what_only_looks_like_a_field_of_the_dot_is_passed_over(action: str) -> None:
    assert warnings(action, "1.13") == ()


def test_a_function_of_later_releases_names_them_and_the_vendor() -> None:
    with pytest.raises(ConfigError) as fault:
        legacy("1.6", LEGACY.replace("name: istio-init", 'name: {{ appendMultusNetwork "a" "b" }}'))
    assert str(fault.value).endswith(
        f'"appendMultusNetwork" not defined; Istio 1.8 to 1.32 has it: is the release right? {VENDOR}'
    )


@pytest.mark.parametrize("error", ['function "nope" not defined', "unexpected EOF"])
def test_any_other_error_stands_alone(error: str) -> None:
    assert advice_on_function(error) == ""
