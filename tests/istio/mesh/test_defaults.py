from __future__ import annotations

import json

import pytest

from injector.istio.facts import NEWEST
from injector.istio.mesh.defaults import default_mesh_config, default_proxy_config
from injector.istio.mesh.jsonpb import to_json
from injector.istio.mesh.loading import load_mesh
from tests.istio.mesh.builders import a_proxy_config

RELEASES = [f"1.{minor}" for minor in (0, 2, 4, 6, 8, 10, 12, 18, 20, 22, 24, 26, 28, 30, 31)]


@pytest.mark.parametrize("release", RELEASES)
def test_the_defaults_are_those_that_istio_printed(shared, release):
    text = (shared / "conformance" / release / "mesh-default.json").read_text()
    if release == "1.0":  # its jsonpb always printed milliseconds
        text = text.replace(".000s", "s")
    assert json.dumps(to_json(default_mesh_config(int(release[2:])))) == json.dumps(json.loads(text))


@pytest.mark.parametrize("minor", range(6, NEWEST + 1))
def test_from_one_six_defaults_clean_away_to_nothing(minor):
    assert load_mesh("", minor).to_template_json(default_proxy_config(minor)) == "{}"


def test_cleaning_keeps_what_differs_and_drops_an_empty_metadata():
    config = a_proxy_config("{statusPort: 15020, drainDuration: 46s, proxyMetadata: {}, meshId: m}", 11)
    assert load_mesh("", 11).to_template_json(config) == '{"drainDuration":"46s","meshId":"m"}'


def test_up_to_one_eight_an_empty_metadata_is_printed():
    for minor, text in ((8, '{"proxyMetadata":{}}'), (9, "{}")):
        mesh = load_mesh("defaultConfig: {proxyMetadata: {}}", minor)
        assert mesh.to_template_json(mesh.proxy_config) == text


def test_zero_as_an_explicit_wrapper_is_no_default():
    assert load_mesh("", 31).to_template_json(a_proxy_config("concurrency: 0")) == '{"concurrency":0}'
