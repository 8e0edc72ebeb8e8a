from __future__ import annotations

import pytest

from injector.injection.dot.proxy import estimate_concurrency, proxy_ids, proxy_image, proxy_init_image
from injector.istio.releases import behaviour_of
from tests.istio.mesh.builders import a_proxy_config

KIND = "sidecar.istio.io/proxyImageType"
LIMIT, REQUEST = "sidecar.istio.io/proxyCPULimit", "sidecar.istio.io/proxyCPU"
USERS = "openshift.io/sa.scc.uid-range"
GROUPS = "openshift.io/sa.scc.supplemental-groups"


# ---- images


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
    assert proxy_init_image(given, annotations, behaviour_of("1.31")) == image


@pytest.mark.parametrize(("release", "tag"), [("1.13", ""), ("1.14", "<nil>"), ("1.31", "<nil>")])
def test_a_tag_of_null_is_printed_from_one_fourteen(release, tag):
    given, behaviour = values(None), behaviour_of(release)
    assert proxy_image(given, a_proxy_config(""), {}, behaviour) == f"hub/proxyv2:{tag}"
    assert proxy_init_image(given, {}, behaviour) == f"hub/proxyv2:{tag}"
    assert proxy_image({"global": None}, a_proxy_config(""), {}, behaviour) == "/proxyv2:"


# ---- threads


def resources_of(**resources):
    return {"global": {"proxy": {"resources": resources}}}


@pytest.mark.parametrize(
    ("config", "annotations", "given", "threads"),
    [
        ("", {LIMIT: "4"}, {}, 2),
        ("concurrency: 5", {LIMIT: "4"}, {}, 5),
        ("concurrency: 0", {}, {}, 2),
        ("concurrency: 0", {LIMIT: "1500m"}, {}, 2),
        ("concurrency: 0", {LIMIT: "3", REQUEST: "1"}, {}, 3),
        ("concurrency: 0", {REQUEST: "100m"}, {}, 1),
        ("concurrency: 0", {LIMIT: "much"}, resources_of(limits={"cpu": "9"}), 2),
        ("concurrency: 0", {}, resources_of(limits={"cpu": "3500m"}, requests={"cpu": "1"}), 4),
        ("concurrency: 0", {}, resources_of(requests={"cpu": "5"}), 5),
        ("concurrency: 0", {}, resources_of(limits={"cpu": "much"}, requests={"cpu": "5"}), 5),
        ("concurrency: 0", {}, resources_of(limits={"memory": "1Gi"}), 2),
    ],
)
def test_threads_follow_the_proxy_config_then_the_cpu(config, annotations, given, threads):
    assert estimate_concurrency(a_proxy_config(config, 12), annotations, given) == threads


def test_without_a_proxy_config_there_are_two_threads():
    assert estimate_concurrency(a_proxy_config("", 12), {}, {}) == 2


# ---- user and group


@pytest.mark.parametrize(
    ("annotations", "ids"),
    [
        ({}, (1337, 1337)),
        ({USERS: "1000620000/10000"}, (1000629999, 1000629999)),
        ({USERS: "1000-1999"}, (1999, 1999)),
        ({USERS: "1000/100", GROUPS: "2000/100"}, (1099, 2099)),
        ({USERS: "1000/100", GROUPS: "2000/10,3000/10"}, (1099, 2009)),
        ({USERS: "1000/100", GROUPS: "2000/10,x"}, (1099, 1337)),
        ({USERS: "1000/100", GROUPS: ""}, (1099, 1337)),
        ({USERS: ""}, (1337, 1337)),
        ({USERS: "x"}, (1337, 1337)),
        ({USERS: "1000"}, (1337, 1337)),
        ({USERS: " 1000/ 100 and more"}, (1099, 1099)),
        ({USERS: "\r1000/\u3000100\n"}, (1099, 1099)),
        ({USERS: "\n1000/100"}, (1337, 1337)),
        ({USERS: "1000/\r\n100"}, (1337, 1337)),
        ({USERS: "\x1c1000/100"}, (1337, 1337)),
        ({USERS: "1-2/3"}, (1337, 1337)),
        ({USERS: "4294967296/1"}, (1337, 1337)),
        ({USERS: "0/0"}, (4294967295, 4294967295)),
        ({GROUPS: "7-9"}, (1337, 9)),
    ],
)
def test_the_proxy_gets_the_last_id_of_the_range(annotations, ids):
    assert proxy_ids({"metadata": {"annotations": annotations}}) == ids


def test_a_range_of_thousands_of_digits_is_none():
    assert proxy_ids({"metadata": {"annotations": {USERS: f"{'9' * 5000}/1"}}}) == (1337, 1337)


@pytest.mark.parametrize("namespace", [None, {}, {"metadata": {"annotations": None}}])
def test_without_annotations_the_ids_are_istios(namespace):
    assert proxy_ids(namespace) == (1337, 1337)
