"""What stays of hostile pods' reviews, as tracemalloc sees it: never more than the caches may hold."""

from __future__ import annotations

import gc
import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from injector.budget import LIMIT_NAMES, ReviewLimits
from injector.injection.caches import SHARES, SMALLEST, cache_bytes_within
from injector.injection.injector import Injector
from injector.templates import built_in
from tests.conftest import conformance_folder

LIMIT = 8 << 20
BESIDE = 6 << 20
"""The memos of the process, five mebibytes at most, and two doorkeepers of half a mebibyte."""

UNLIMITED = ReviewLimits(**dict.fromkeys(LIMIT_NAMES, 1 << 40))
"""What one review may use is another bound: the caches hold theirs without it."""

Pods = Callable[[int], dict[str, Any]]


def an_injector(template: str, cache_bytes: int = LIMIT) -> Injector:
    if template == "built-in":
        return Injector.load(built_in().config, built_in().values, cache_bytes=cache_bytes, limits=UNLIMITED)
    folder = conformance_folder()
    if folder is None or not (folder / "1.31").is_dir():
        pytest.skip("REFERENCE DATA MISSING: Istio's template of 1.31")
    texts = [(folder / "1.31" / name).read_text() for name in CONFIGURATION]
    return Injector.load(*texts, release="1.31", cache_bytes=cache_bytes, limits=UNLIMITED)


CONFIGURATION = ("configs/default.yaml", "values/default.json", "mesh/default.yaml")


def a_pod(number: int, containers: list[dict[str, Any]] | None = None, **annotations: Any) -> dict[str, Any]:
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": f"web{number}-5d4f", "uid": "1"}
    return {
        "metadata": {
            "generateName": f"web{number}-5d4f-",
            "labels": {"app": f"web{number}"},
            "annotations": {
                name.replace("__", "/").replace("_", "."): value
                if isinstance(value, str)
                else json.dumps(value)
                for name, value in annotations.items()
            },
            "ownerReferences": [owner | {"controller": True}],
        },
        "spec": {"containers": containers or [{"name": "app", "image": "app"}]},
    }


def a_review(pod: dict[str, Any]) -> bytes:
    request = {"uid": "1", "namespace": "shop", "operation": "CREATE", "object": pod}
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    return json.dumps(review).encode()


def large_images(number: int) -> dict[str, Any]:
    return a_pod(number, sidecar_istio_io__proxyImage=f"{number}" + "x" * 250_000)


def wide_images(number: int) -> dict[str, Any]:
    return a_pod(number, sidecar_istio_io__proxyImage=f"{number}\N{PARTY POPPER}" + "x" * 900_000)


def images_that_fit(number: int) -> dict[str, Any]:
    return a_pod(number, sidecar_istio_io__proxyImage=f"{number}\N{PARTY POPPER}" + "x" * 1_000)


def keys_of_their_own(number: int) -> dict[str, Any]:
    metadata = {f"K{number}_{each}": f"v{each}" for each in range(400)}
    return a_pod(number, proxy_istio_io__config={"proxyMetadata": metadata})


def structure_of_their_own(number: int) -> dict[str, Any]:
    volumes = {f"v{number}-{each}": {"projected": {"sources": [{}]}} for each in range(60)}
    return a_pod(number, sidecar_istio_io__userVolume=volumes)


def words_of_their_own(number: int) -> dict[str, Any]:
    volume = {"configMap": {"items": [{f"w{number}x{each}": each} for each in range(300)]}}
    return a_pod(number, sidecar_istio_io__userVolume={"v": volume})


def proxy_configs(number: int) -> dict[str, Any]:
    return a_pod(number, proxy_istio_io__config={"binaryPath": f"{number}" + "x" * 12_000, "concurrency": 2})


def long_names(number: int) -> dict[str, Any]:
    return a_pod(number, [{"name": f"c{number}" + "n" * 3_000, "image": "i" * 3_000}])


def retained(injector: Injector, pods: Pods, count: int, start: int = 0) -> int:
    """Return the bytes that are kept of so many pods, each of which came three times."""
    gc.collect()
    tracemalloc.start()
    try:
        for number in range(start, start + count):
            review = a_review(pods(number))
            for _ in range(3):
                assert injector.answer(review).outcome == "injected"
        del review
        gc.collect()
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pods", "count", "template"),
    [
        (large_images, 60, "1.31"),
        (wide_images, 8, "1.31"),
        (images_that_fit, 1000, "1.31"),
        (keys_of_their_own, 6, "1.31"),
        (structure_of_their_own, 40, "1.31"),
        (words_of_their_own, 30, "1.31"),
        (proxy_configs, 120, "1.31"),
        (long_names, 500, "1.31"),
        # What a machine without Istio's template can still see.
        (images_that_fit, 1000, "built-in"),
        (proxy_configs, 120, "built-in"),
    ],
)
@pytest.mark.timeout(300)
def test_what_is_kept_of_hostile_pods_is_no_more_than_the_caches_may_hold(
    pods: Pods, count: int, template: str
) -> None:
    injector = an_injector(template)
    assert injector.answer(a_review(pods(10**6))).outcome == "injected"  # compiles what is compiled once
    assert retained(injector, pods, count) < LIMIT + BESIDE


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_what_may_be_kept_is_kept() -> None:
    """Of two measurements the lower counts: in one of them a table of the process may grow."""
    kept = []
    for limit in (LIMIT, 16 * LIMIT):
        injectors = [an_injector("built-in", limit) for _ in range(2)]
        for injector in injectors:
            assert injector.answer(a_review(images_that_fit(10**6))).outcome == "injected"  # compiled once
        kept.append(min(retained(injector, images_that_fit, 900) for injector in injectors))
    assert kept[1] > 2 * kept[0], kept


def test_the_caches_share_all_that_there_is_and_no_more() -> None:
    assert sum(share.sixteenths for share in SHARES.values()) == 16


def test_an_eighth_of_the_container_is_for_the_caches() -> None:
    assert cache_bytes_within(256 << 20) == cache_bytes_within(None) == 32 << 20
    assert cache_bytes_within(32 << 20) == SMALLEST
