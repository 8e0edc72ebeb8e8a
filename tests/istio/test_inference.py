from __future__ import annotations

from typing import Any

import pytest

from injector.injection.loading import Sources, Surroundings, load_snapshot
from injector.istio.inference import infer_release
from tests.injection.builders import OVERLAYS


def told(config: dict[str, Any], **settings: Any) -> tuple[str, str]:
    return infer_release(config, {"global": settings} if settings else {})


TEMPLATES = {"templates": {"sidecar": "x"}}
TEMPLATE = {"template": "{{ x }}"}


@pytest.mark.parametrize(
    ("config", "release", "key"),
    [
        ({"templates": {"a": "b"}, "template": "x"}, "1.31", "`templates`"),
        ({"Templates": {"a": "b"}}, "1.31", "`templates`"),
        (TEMPLATE, "1.8", "`template`"),
        ({"template": "[[ x ]]"}, "1.1", "`template` in square brackets"),
        ({"template": 1}, "1.8", "`template`"),
        ({}, "1.31", "`templates`"),
    ],
)
def test_without_a_tag_it_is_the_newest_of_the_format(config: dict[str, Any], release: str, key: str) -> None:
    assert told(config) == (release, f"the newest that reads {key}")


@pytest.mark.parametrize(
    ("tag", "release"),
    [
        ("1.29.1", "1.29"),
        ("1.29.1-distroless", "1.29"),
        ("1.29-alpha.abc", "1.29"),
        ("1.29-dev", "1.29"),
        ("1.29", "1.29"),
        ("v1.9.0", "1.9"),
        ("1.29.1-patch2-solo", "1.29"),
        ("1.29.1_fips", "1.29"),
        (1.29, "1.29"),
    ],
)
def test_a_tag_of_the_values_tells_the_release(tag: Any, release: str) -> None:
    assert told(TEMPLATES, tag=tag) == (release, f"told from values.global.tag {tag}")


@pytest.mark.parametrize(
    "tag", ["latest", "unknown", "1.290.1", "1.60.0", "2.29.1", "1.8.6", "sha256:ab", "11.29.1", "1.2", 1.3]
)
def test_a_tag_that_names_no_release_of_the_format_leaves_the_newest(tag: Any) -> None:
    reason = f"the newest that reads `templates`: values.global.tag {tag} tells none"
    assert told(TEMPLATES, tag=tag) == ("1.31", reason)


@pytest.mark.parametrize("tag", [None, "", True, {"a": 1}, ["1.29.1"]])
def test_what_is_no_tag_is_not_spoken_of(tag: Any) -> None:
    assert told(TEMPLATES, tag=tag) == ("1.31", "the newest that reads `templates`")


def test_a_single_template_has_a_tag_as_well() -> None:
    assert told(TEMPLATE, tag="1.4.10")[0] == "1.4"
    assert told(TEMPLATE, tag="1.29.1")[0] == "1.8"
    assert told({"template": "[[ x ]]"}, tag="release-1.0-latest-daily")[0] == "1.0"


def test_the_proxy_image_of_the_values_counts_where_the_tag_tells_nothing() -> None:
    image = {"image": "registry:5000/istio/proxyv2:1.29.1@sha256:ab"}
    assert told(TEMPLATES, tag="latest", proxy=image) == (
        "1.29",
        "told from values.global.proxy.image 1.29.1",
    )
    assert told(TEMPLATES, tag="1.28.0", proxy=image)[0] == "1.28"
    assert told(TEMPLATES, proxy={"image": "proxyv2"})[0] == "1.31"
    assert told(TEMPLATES, proxy={"image": "registry:5000/proxyv2"})[0] == "1.31"
    assert told(TEMPLATES, proxy="proxyv2:1.29.1")[0] == "1.31"


def test_an_image_in_the_template_tells_it_last() -> None:
    config = {"templates": {"sidecar": "image: docker.io/istio/proxyv2:1.27.3\n", "other": 5}}
    assert told(config) == ("1.27", "told from the template's image 1.27.3")
    assert told(config, tag="1.28.1")[0] == "1.28"


def test_what_is_asked_for_wins_and_is_not_explained() -> None:
    values = '{"global": {"tag": "1.29.1"}}'
    sources = Sources(config=OVERLAYS, values=values)
    told_one = load_snapshot(sources, Surroundings())
    assert (told_one.behaviour.release, told_one.release_reason) == (
        "1.29",
        "told from values.global.tag 1.29.1",
    )
    asked = load_snapshot(sources, Surroundings(release="1.20"))
    assert (asked.behaviour.release, asked.release_reason) == ("1.20", "")
