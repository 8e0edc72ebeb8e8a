"""What the watch does with every way in which an API server or a network can fail it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest

from injector.kube.client import KubeClient
from injector.kube.errors import Forbidden, KubeError, Unreachable
from injector.kube.reflector import Collection, Reflector, Timing
from tests.conftest import PATIENCE
from tests.fake_api import FakeApi, Refusals, refusal, until

NAMESPACES = "/api/v1/namespaces"


def namespace(name: str, **labels: str) -> dict[str, object]:
    return {"metadata": {"name": name, "labels": labels}}


@contextlib.asynccontextmanager
async def running(
    client: KubeClient,
    *,
    name: str = "",
    idle: float = 5.0,
    failed: Callable[[KubeError | None], None] = lambda _: None,
) -> AsyncIterator[Reflector]:
    reflector = Reflector(
        client=client,
        collection=Collection(path=NAMESPACES, name=name),
        failed=failed,
        timing=Timing(idle=idle),
    )
    task = asyncio.create_task(reflector.run())
    try:
        async with asyncio.timeout(PATIENCE):
            await reflector.synced.wait()
        yield reflector
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_it_holds_what_was_there_and_what_comes(api: FakeApi, client: KubeClient) -> None:
    await api.put(NAMESPACES, namespace("shop"))
    async with running(client) as reflector:
        assert set(reflector.objects) == {"shop"}
        await api.put(NAMESPACES, namespace("bank"))
        await until(lambda: set(reflector.objects) == {"shop", "bank"})
        await api.put(NAMESPACES, namespace("shop", colour="red"))
        await until(lambda: reflector.objects["shop"]["metadata"]["labels"] == {"colour": "red"})
        await api.remove(NAMESPACES, "shop")
        await until(lambda: set(reflector.objects) == {"bank"})
    assert api.requests["GET"] == 1, "a healthy watch never lists again"


async def test_one_object_is_watched_by_its_name(api: FakeApi, client: KubeClient) -> None:
    await api.put(NAMESPACES, namespace("ours"))
    await api.put(NAMESPACES, namespace("theirs"))
    async with running(client, name="ours") as reflector:
        await api.put(NAMESPACES, namespace("theirs", colour="red"))
        await api.put(NAMESPACES, namespace("ours", colour="blue"))
        await until(lambda: bool(reflector.objects["ours"]["metadata"]["labels"]))
        assert set(reflector.objects) == {"ours"}


async def test_a_long_list_is_read_page_by_page(api: FakeApi, client: KubeClient) -> None:
    for number in range(3):
        await api.put(NAMESPACES, namespace(f"n{number}"))
    pages = iter([["n0", "n1"], ["n2"]])

    def page(method: str, path: str):
        from tests.fake_api import _json

        if method != "GET" or path != NAMESPACES:
            return None
        names = next(pages)
        more = {"continue": "next"} if names == ["n0", "n1"] else {}
        return _json(
            {
                "metadata": {"resourceVersion": "103", **more},
                "items": [api.objects[path][name] for name in names],
            }
        )

    api.refuse = page
    async with running(client) as reflector:
        assert set(reflector.objects) == {"n0", "n1", "n2"}


async def test_a_version_that_is_too_old_is_listed_again(api: FakeApi, client: KubeClient) -> None:
    await api.put(NAMESPACES, namespace("shop"))
    async with running(client) as reflector:
        api.forget_history()
        del api.objects[NAMESPACES]["shop"]
        api.objects[NAMESPACES]["bank"] = namespace("bank")  # type: ignore[assignment]
        await api.cut_watches()
        await until(lambda: set(reflector.objects) == {"bank"})


@pytest.mark.parametrize("code", [401, 403, 404, 410, 429, 500, 503])
async def test_a_refused_watch_is_tried_again_until_it_works(
    api: FakeApi, client: KubeClient, code: int
) -> None:
    refusals = Refusals(method="WATCH", left=3, answer=lambda: refusal(code))
    api.refuse = refusals
    async with running(client) as reflector:
        await api.put(NAMESPACES, namespace("shop"))
        await until(lambda: "shop" in reflector.objects and not refusals.left)


async def test_a_proxy_that_answers_with_a_page_is_an_error_and_not_an_event(
    api: FakeApi, client: KubeClient
) -> None:
    refusals = Refusals(
        method="WATCH", left=2, answer=lambda: refusal(200, text="<html>welcome to the proxy</html>\n")
    )
    api.refuse = refusals
    errors: list[KubeError | None] = []
    async with running(client, failed=errors.append) as reflector:
        await api.put(NAMESPACES, namespace("shop"))
        await until(lambda: "shop" in reflector.objects and not refusals.left)
    assert any(isinstance(error, Unreachable) for error in errors)


async def test_a_cut_line_is_not_an_event(api: FakeApi, client: KubeClient) -> None:
    await api.put(NAMESPACES, namespace("shop"))
    async with running(client) as reflector:
        await until(lambda: api.requests["WATCH"] >= 1)
        await api.cut_watches()
        await api.put(NAMESPACES, namespace("bank"))
        await until(lambda: set(reflector.objects) == {"shop", "bank"})


async def test_silence_is_a_dead_connection(api: FakeApi, client: KubeClient) -> None:
    async with running(client, idle=0.2) as reflector:
        api.silent = True
        await api.put(NAMESPACES, namespace("unheard"))
        await until(lambda: "unheard" in reflector.objects)
        assert api.requests["GET"] > 1


async def test_a_server_that_ends_every_watch_is_not_asked_in_a_hot_loop(
    api: FakeApi, client: KubeClient
) -> None:
    api.refuse = lambda method, _: refusal(200, text="") if method == "WATCH" else None
    async with running(client):
        await until(lambda: api.requests["WATCH"] >= 3)
        loop = asyncio.get_running_loop()
        before, start = api.requests["WATCH"], loop.time()
        await until(lambda: api.requests["WATCH"] >= before + 2)
        assert loop.time() - start > 0.2


async def test_the_error_names_verb_and_resource_and_ends_with_the_fault(
    api: FakeApi, client: KubeClient
) -> None:
    errors: list[KubeError | None] = []
    answers = iter([refusal(403)])
    api.refuse = lambda method, _: next(answers, None) if method == "GET" else None
    async with running(client, failed=errors.append):
        assert isinstance(errors[0], Forbidden)
        assert errors[-1] is None


async def test_staleness_counts_from_the_last_word_of_the_server(api: FakeApi, client: KubeClient) -> None:
    clock = 0.0
    reflector = Reflector(
        client=client, collection=Collection(path=NAMESPACES), timing=Timing(monotonic=lambda: clock)
    )
    assert reflector.staleness() == float("inf")
    task = asyncio.create_task(reflector.run())
    await until(reflector.synced.is_set)
    clock = 7.0
    assert reflector.staleness() == 7.0
    await until(lambda: api.requests["WATCH"] >= 1)
    await api.bookmark(NAMESPACES)
    await until(lambda: reflector.staleness() == 0.0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
