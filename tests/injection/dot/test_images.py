from __future__ import annotations

import pytest

from injector.injection.dot.images import proxy_image, proxy_init_image
from injector.istio.releases import behaviour_of
from tests.istio.mesh.builders import a_proxy_config

KIND = "sidecar.istio.io/proxyImageType"


def values(tag="1.2.3", **more):
    return {"global": {"hub": "hub", "tag": tag} | more}


@pytest.mark.parametrize(
    ("given", "config", "annotations", "image"),
    [
        (values(), "", {}, "hub/proxyv2:1.2.3"),
        (values(proxy={"image": "mine"}), "", {}, "hub/mine:1.2.3"),
        (values(proxy={"image": ""}), "", {}, "hub/proxyv2:1.2.3"),
        (values(1.5), "", {}, "hub/proxyv2:1.5"),
        ({}, "", {}, "/proxyv2:"),
        (values(), "image: {imageType: debug}", {}, "hub/proxyv2:1.2.3-debug"),
        (values(), "image: {imageType: debug}", {KIND: "distroless"}, "hub/proxyv2:1.2.3-distroless"),
        (values("1.2.3-debug"), "", {KIND: "distroless"}, "hub/proxyv2:1.2.3-distroless"),
        (values("1.2.3-debug"), "", {KIND: "default"}, "hub/proxyv2:1.2.3"),
        (values("1.2.3-debug"), "", {KIND: ""}, "hub/proxyv2:1.2.3-debug"),
        (values(variant="distroless"), "", {}, "hub/proxyv2:1.2.3-distroless"),
        (values(variant="distroless"), "image: {}", {}, "hub/proxyv2:1.2.3-distroless"),
    ],
)
def test_the_proxys_image_has_hub_name_tag_and_type(given, config, annotations, image):
    assert proxy_image(given, a_proxy_config(config), annotations, behaviour_of("1.31")) == image


def test_an_empty_type_hides_the_variant_up_to_one_thirty():
    config = a_proxy_config("image: {}")
    given = values(variant="distroless")
    assert proxy_image(given, config, {}, behaviour_of("1.30")) == "hub/proxyv2:1.2.3"


def test_the_variant_counts_from_one_twenty_two():
    given = values(variant="debug")
    assert proxy_image(given, a_proxy_config(""), {}, behaviour_of("1.21")) == "hub/proxyv2:1.2.3"
    assert proxy_image(given, a_proxy_config(""), {}, behaviour_of("1.22")) == "hub/proxyv2:1.2.3-debug"


@pytest.mark.parametrize(
    ("given", "annotations", "image"),
    [
        (values(proxy={"image": "proxy"}), {}, "hub/proxyv2:1.2.3"),
        (values(proxy_init={"image": "init"}, variant="debug"), {}, "hub/init:1.2.3-debug"),
        (values(variant="debug"), {KIND: "distroless"}, "hub/proxyv2:1.2.3-distroless"),
    ],
)
def test_the_init_image_has_its_own_name_and_follows_no_proxy_config(given, annotations, image):
    assert proxy_init_image(given, annotations) == image
