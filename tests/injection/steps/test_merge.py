"""Overlays and what is kept with them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from injector.errors import InjectionError
from injector.injection.steps.merge import Overlay, PodTypes
from injector.json_types import JSON
from injector.kubeyaml import Filled
from injector.kubeyaml.skeleton import SkeletonCache
from injector.memo import Memo
from injector.patch import POD, go_type, normalise
from injector.rendering import Rendering

TEXTS = ("spec:\n  containers:\n  - name: p\n    image: ", "\n    resources:\n      limits: {cpu: 2000m}\n")
TYPED = {"name": "p", "image": "x", "resources": {"limits": {"cpu": "2"}}}


def filled(cache: SkeletonCache, value: str) -> Filled:
    return cache.filled(Rendering(TEXTS, (value,)))


def pod(*names: str) -> dict[str, object]:
    return PodTypes().typed({"spec": {"containers": [{"name": name} for name in names]}})


def warm() -> SkeletonCache:
    cache = SkeletonCache(Memo(1 << 20, 4))
    for _ in range(2):
        filled(cache, "w")
    return cache


def test_an_overlay_is_merged_alike_before_and_after_it_was_merged_alone() -> None:
    types = PodTypes()
    overlay = types.overlay(filled(warm(), "x"))
    first = types.merge(pod("app"), overlay)
    alone = types.on_empty_pod(overlay)
    assert types.on_empty_pod(overlay) is alone
    assert alone["spec"]["containers"] == [TYPED]
    assert types.merge(pod("app"), overlay) == first
    assert first["spec"]["containers"] == [TYPED, {"name": "app", "resources": {}}]


def test_a_container_of_the_owner_is_merged_into_not_replaced_by_what_is_known() -> None:
    types = PodTypes()
    overlay = types.overlay(filled(warm(), "x"))
    types.on_empty_pod(overlay)
    merged = types.merge(types.typed({"spec": {"containers": [{"name": "p", "tty": True}]}}), overlay)
    assert merged["spec"]["containers"] == [TYPED | {"tty": True}]


def test_releases_that_share_a_rendering_do_not_share_what_they_read() -> None:
    texts = ("spec:\n  containers:\n  - name: p\n    image: ", "\n    startupProbe: {periodSeconds: 5}\n")
    cache = SkeletonCache(Memo(1 << 20, 4))
    types, older = PodTypes(), PodTypes(pod=go_type("core/v1.Pod", 10))  # which has no startupProbe
    for _ in range(2):
        again = cache.filled(Rendering(texts, ("x",)))
    newest = types.on_empty_pod(types.overlay(again))
    plain = {"name": "p", "image": "x", "resources": {}}
    assert newest["spec"]["containers"] == [plain | {"startupProbe": {"periodSeconds": 5}}]
    assert older.on_empty_pod(older.overlay(again))["spec"]["containers"] == [plain]
    assert types.on_empty_pod(types.overlay(again)) == newest


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("text", "strategic merge: invalid JSON document"),
        ({"spec": {"containers": [{}]}}, "strategic merge: .*merge key: name"),
        (
            {"spec": {"containers": [{"name": "p", "image": 1}]}},
            "unmarshal patched pod: json: cannot unmarshal",
        ),
    ],
)
def test_what_is_no_overlay_is_refused_in_istios_words(value: object, words: str) -> None:
    with pytest.raises(InjectionError, match=f"^{words}"):
        PodTypes().merge(pod("app"), Overlay(value))


def test_a_null_overlay_changes_nothing() -> None:
    assert PodTypes().merge(pod("app"), Overlay(None)) == pod("app")


def test_threads_that_share_an_overlay_merge_alike() -> None:
    types = PodTypes()
    cache = warm()
    expected = types.merge(pod("app"), types.overlay(filled(cache, "x")))
    for _ in range(20):
        overlay = PodTypes().overlay(filled(cache, "x"))
        with ThreadPoolExecutor(4) as threads:
            jobs = [
                threads.submit(lambda o=overlay: (types.on_empty_pod(o), types.merge(pod("app"), o)))
                for _ in range(8)
            ]
        assert all(job.result()[1] == expected for job in jobs)


@pytest.mark.parametrize(
    ("overlay", "named"),
    [
        (
            {"spec": {"volumes": [5], "hostNetwork": 5}},
            "Go struct field PodSpec.spec.hostNetwork of type bool",
        ),
        ({"spec": {"hostNetwork": 5}, "metadata": {"name": 5}}, "Go struct field ObjectMeta.metadata.name"),
        (
            {"spec": {"containers": [{"name": "p", "tty": 5, "image": 5, "args": 5}]}},
            "Go struct field Container.spec.containers.args of type []string",
        ),
    ],
)
def test_of_several_misfits_the_first_in_the_order_of_keys_is_named(overlay: JSON, named: str) -> None:
    with pytest.raises(InjectionError) as refusal:
        PodTypes().merge(pod("a"), Overlay(overlay))
    assert str(refusal.value).startswith("unmarshal patched pod: json: cannot unmarshal number into ")
    assert named in str(refusal.value)


@pytest.mark.parametrize("spec", [{"containers": [TYPED]}, {"containers": [TYPED | {"image": ""}], "odd": 1}])
def test_a_spec_that_needs_no_reading_is_taken_as_it_is(spec: JSON) -> None:
    received = {"metadata": {"labels": {}, "odd": 1}, "spec": spec, "status": {"odd": 1}}
    assert PodTypes().typed(received) == normalise(received, POD)
    assert (PodTypes().typed(received)["spec"] is spec) == ("odd" not in spec)


def test_a_spec_that_stands_twice_is_read_as_go_fills_it() -> None:
    received = {"metadata": {"odd": 1}, "spec": {"containers": [TYPED]}, "Spec": {"hostNetwork": True}}
    assert PodTypes().typed(received) == normalise(received, POD)
    assert PodTypes().typed(received)["spec"]["hostNetwork"]


@pytest.mark.parametrize(
    ("version", "limits"), [(22, {"cpu": "0", "memory": "1Gi"}), (24, {"memory": "1Gi"})]
)
def test_a_limit_that_is_null_was_zero_until_merges_dropped_nulls(
    version: int, limits: dict[str, str]
) -> None:
    types = PodTypes(pod=go_type("core/v1.Pod", version))
    overlay: JSON = {
        "spec": {"initContainers": [{"name": "i", "resources": {"limits": {"cpu": None, "memory": "1Gi"}}}]}
    }
    merged = types.merge(types.typed({"spec": {}}), types.overlay(Filled(value=overlay)))
    assert merged["spec"]["initContainers"] == [{"name": "i", "resources": {"limits": limits}}]
