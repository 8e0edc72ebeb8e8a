"""The fake API server answers as the real one does: the same requests get the same answers from both.

The answers of both are held against one table, so that the fake's half needs no control plane.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Iterator
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import orjson
import pytest

from injector.kube.client import APPLY_TYPE, JSON_TYPE
from injector.registration.plan import COLLECTION
from tests.conftest import PATIENCE
from tests.e2e.conftest import assets, control_plane_class
from tests.fake_api import FakeApi, fake_api

SECRETS = "/api/v1/namespaces/mesh/secrets"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/mesh/leases"
OURS = "sidecar-injector.istio.io"

REAL = [
    pytest.mark.e2e,
    # It may have to build Kubernetes.
    pytest.mark.timeout(600, func_only=True),
]


class Server:
    """An API server, spoken to as our client does: JSON over one session with a token."""

    def __init__(self, session: aiohttp.ClientSession, url: str, api: FakeApi | None) -> None:
        self.session = session
        self.url = url
        self.api = api

    async def ask(
        self, method: str, path: str, body: Any = None, *, kind: str = JSON_TYPE, **parameters: str
    ) -> tuple[int, dict[str, Any]]:
        """Return status and JSON of an answer, which must say when it was made."""
        async with self.session.request(
            method,
            self.url + path,
            params=parameters,
            data=None if body is None else orjson.dumps(body),
            headers={"Content-Type": kind, "Accept": JSON_TYPE},
        ) as answer:
            assert parsedate_to_datetime(answer.headers["Date"]).utcoffset() is not None
            assert answer.content_type == JSON_TYPE
            return answer.status, await answer.json()

    async def post(self, path: str, body: Any) -> int:
        """Return the status alone: a kind that is not served yet is answered by a page."""
        async with self.session.post(self.url + path, json=body) as answer:
            return answer.status

    async def apply(self, body: Any, *, manager: str, force: bool = True) -> tuple[int, dict[str, Any]]:
        path = f"{COLLECTION}/{body['metadata']['name']}"
        more = {"fieldManager": manager, "force": str(force).lower()}
        return await self.ask("PATCH", path, body, kind=APPLY_TYPE, **more)

    async def watch(self, path: str, since: str, count: int, **parameters: str) -> list[dict[str, Any]]:
        """Return the first events of a watch."""
        found = []
        parameters |= {"watch": "true", "resourceVersion": since, "timeoutSeconds": "60"}
        async with self.session.get(self.url + path, params=parameters) as answer:
            assert answer.status == 200
            async for line in answer.content:
                found.append(orjson.loads(line))
                if len(found) == count:
                    break
        return found


@pytest.fixture(scope="module")
def control_plane() -> Iterator[Any]:
    with control_plane_class()(assets(), controllers=False) as kube:
        yield kube


@pytest.fixture(params=["fake", pytest.param("real", marks=REAL)])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    async with asyncio.timeout(PATIENCE):
        if request.param == "fake":
            async with fake_api() as api, aiohttp.ClientSession() as session:
                yield Server(session, api.url, api)
            return
        kube = request.getfixturevalue("control_plane")
        headers = {"Authorization": f"Bearer {kube.token}"}
        connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=str(kube.ca)))
        async with aiohttp.ClientSession(headers=headers, connector=connector) as session:
            server = Server(session, kube.url, None)
            await server.ask("POST", "/api/v1/namespaces", {"metadata": {"name": "mesh"}})
            yield server


def outcome(answered: tuple[int, dict[str, Any]]) -> Any:
    """Return what of an answer a client acts on: its status, and of a Status its kind, code and reason."""
    status, body = answered
    if body.get("kind") == "Status":
        return status, body["status"], body.get("code", status), body.get("reason", "")
    return status


def failure(code: int, reason: str) -> tuple[int, str, int, str]:
    return code, "Failure", code, reason


def a_secret(name: str, value: str = "one", **metadata: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, **metadata},
        "data": {"value": base64.b64encode(value.encode()).decode()},
    }


def a_lease(name: str, holder: str, second: int = 0, **metadata: str) -> dict[str, Any]:
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name, **metadata},
        "spec": {
            "holderIdentity": holder,
            "leaseDurationSeconds": 15,
            "renewTime": f"2026-01-01T00:00:{second:02}.000000Z",
        },
    }


def a_configuration(name: str, **client: str) -> dict[str, Any]:
    entry = {
        "name": OURS,
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "clientConfig": {"url": "https://127.0.0.1:1/inject", **client},
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [entry],
    }


def a_bundle(name: str, bundle: str, **metadata: str) -> dict[str, Any]:
    """Return what our reconciler applies."""
    entry = {"name": OURS, "clientConfig": {"caBundle": bundle}}
    return {**a_configuration(name), "metadata": {"name": name, **metadata}, "webhooks": [entry]}


async def version_of(server: Server, path: str) -> str:
    _, body = await server.ask("GET", path)
    return str(body["metadata"]["resourceVersion"])


async def test_objects_are_made_changed_and_removed(server: Server) -> None:
    path = f"{SECRETS}/life"
    seen = {}
    seen["absent"] = outcome(await server.ask("GET", path))
    seen["replaced before"] = outcome(await server.ask("PUT", path, a_secret("life")))
    status, made = await server.ask("POST", SECRETS, a_secret("life"))
    seen["created"] = status
    seen["created again"] = outcome(await server.ask("POST", SECRETS, a_secret("life")))
    first = made["metadata"]["resourceVersion"]
    status, changed = await server.ask("PUT", path, a_secret("life", "two", resourceVersion=first))
    seen["replaced"] = status
    assert changed["metadata"]["resourceVersion"] != first
    seen["replaced from an old one"] = outcome(
        await server.ask("PUT", path, a_secret("life", "three", resourceVersion=first))
    )
    newest = await version_of(server, path)
    status, same = await server.ask("PUT", path, a_secret("life", "two", resourceVersion=newest))
    seen["replaced by the same"] = status, same["metadata"]["resourceVersion"] == newest
    seen["replaced from none"] = outcome(await server.ask("PUT", path, a_secret("life", "four")))
    status, read = await server.ask("GET", path)
    assert read["data"] == a_secret("life", "four")["data"]
    seen["deleted"] = outcome(await server.ask("DELETE", path))
    seen["deleted again"] = outcome(await server.ask("DELETE", path))
    assert seen == {
        "absent": failure(404, "NotFound"),
        "replaced before": failure(404, "NotFound"),
        "created": 201,
        "created again": failure(409, "AlreadyExists"),
        "replaced": 200,
        "replaced from an old one": failure(409, "Conflict"),
        "replaced by the same": (200, True),
        "replaced from none": 200,
        "deleted": (200, "Success", 200, ""),
        "deleted again": failure(404, "NotFound"),
    }


async def test_two_who_renew_one_lease_conflict(server: Server) -> None:
    path = f"{LEASES}/leader"
    _, made = await server.ask("POST", LEASES, a_lease("leader", "a"))
    version = made["metadata"]["resourceVersion"]
    seen: dict[str, Any] = {}
    seen["renewed"] = outcome(
        await server.ask("PUT", path, a_lease("leader", "a", 1, resourceVersion=version))
    )
    seen["taken from an old one"] = outcome(
        await server.ask("PUT", path, a_lease("leader", "b", resourceVersion=version))
    )
    seen["taken from none"] = outcome(await server.ask("PUT", path, a_lease("leader", "b")))
    _, read = await server.ask("GET", path)
    assert read["spec"]["holderIdentity"] == "a"
    assert seen == {
        "renewed": 200,
        "taken from an old one": failure(409, "Conflict"),
        "taken from none": failure(422, "Invalid"),
    }


async def test_a_bundle_is_applied_to_one_field(server: Server) -> None:
    seen = {}
    seen["to nothing"] = outcome(
        await server.apply(a_bundle("absent", "QUJD", resourceVersion="1"), manager="us")
    )
    _, made = await server.ask("POST", COLLECTION, a_configuration("sidecars"))
    first = made["metadata"]["resourceVersion"]
    status, applied = await server.apply(a_bundle("sidecars", "QUJD", resourceVersion=first), manager="us")
    seen["applied"] = status
    (entry,) = applied["webhooks"]
    assert entry["clientConfig"] == {"url": "https://127.0.0.1:1/inject", "caBundle": "QUJD"}
    fields = {each["manager"]: each["fieldsV1"] for each in applied["metadata"]["managedFields"]}
    key = f'k:{{"name":"{OURS}"}}'
    assert fields["us"]["f:webhooks"][key]["f:clientConfig"] == {"f:caBundle": {}}
    seen["from an old one"] = outcome(
        await server.apply(a_bundle("sidecars", "REVG", resourceVersion=first), manager="us")
    )
    newest = await version_of(server, f"{COLLECTION}/sidecars")
    status, same = await server.apply(a_bundle("sidecars", "QUJD", resourceVersion=newest), manager="us")
    seen["what is there already"] = status, same["metadata"]["resourceVersion"] == newest
    status, conflict = await server.apply(a_bundle("sidecars", "REVG"), manager="them", force=False)
    seen["another's, without force"] = outcome((status, conflict))
    words = (
        f'Apply failed with 1 conflict: conflict with "us": .webhooks[name="{OURS}"].clientConfig.caBundle'
    )
    assert conflict["message"] == words
    status, taken = await server.apply(a_bundle("sidecars", "REVG"), manager="them")
    seen["another's, with force"] = status
    (entry,) = taken["webhooks"]
    assert entry["clientConfig"]["caBundle"] == "REVG"
    assert seen == {
        # It would be made, and what our reconciler applies is not a whole configuration.
        "to nothing": failure(422, "Invalid"),
        "applied": 200,
        "from an old one": failure(409, "Conflict"),
        "what is there already": (200, True),
        "another's, without force": failure(409, "Conflict"),
        "another's, with force": 200,
    }
    await server.ask("DELETE", f"{COLLECTION}/sidecars")


async def test_a_bundle_that_its_manager_leaves_out_of_the_next_apply_is_removed(server: Server) -> None:
    body = a_configuration("several")
    entries = [{**body["webhooks"][0], "name": f"{name}.{OURS}"} for name in "abc"]
    await server.ask("POST", COLLECTION, {**body, "webhooks": entries})

    def bundles(names: str) -> dict[str, Any]:
        entries = [{"name": f"{name}.{OURS}", "clientConfig": {"caBundle": "QUJD"}} for name in names]
        return {**body, "webhooks": entries}

    await server.apply(bundles("c"), manager="them")
    await server.apply(bundles("abc"), manager="us")
    status, left = await server.apply(bundles("b"), manager="us")
    assert status == 200
    found = {entry["name"][0]: entry["clientConfig"].get("caBundle") for entry in left["webhooks"]}
    assert found == {"a": None, "b": "QUJD", "c": "QUJD"}
    await server.ask("DELETE", f"{COLLECTION}/several")


async def test_a_list_and_the_watch_that_goes_on_from_it_miss_nothing(server: Server) -> None:
    await server.ask("POST", SECRETS, a_secret("listed"))
    await server.ask("POST", SECRETS, a_secret("beside"))
    chosen = {"fieldSelector": "metadata.name=listed"}
    status, listed = await server.ask("GET", SECRETS, **chosen)
    assert (status, [item["metadata"]["name"] for item in listed["items"]]) == (200, ["listed"])
    since = listed["metadata"]["resourceVersion"]
    watching = asyncio.create_task(server.watch(SECRETS, since, 3, **chosen))
    path = f"{SECRETS}/listed"
    _, changed = await server.ask("PUT", path, a_secret("listed", "two"))
    await server.ask("PUT", f"{SECRETS}/beside", a_secret("beside", "two"))
    await server.ask("DELETE", path)
    await server.ask("POST", SECRETS, a_secret("listed", "three"))
    events = await watching
    assert [event["type"] for event in events] == ["MODIFIED", "DELETED", "ADDED"]
    objects = [event["object"] for event in events]
    assert [each["metadata"]["name"] for each in objects] == ["listed"] * 3
    assert [each["data"] for each in objects] == [a_secret("x", v)["data"] for v in ("two", "two", "three")]
    assert objects[0]["metadata"]["resourceVersion"] == changed["metadata"]["resourceVersion"]
    versions = [int(each["metadata"]["resourceVersion"]) for each in objects]
    assert versions == sorted({*versions}), "each event has a newer version, the deletion as well"
    # What was before the version is not told again.
    (again,) = await server.watch(SECRETS, objects[1]["metadata"]["resourceVersion"], 1, **chosen)
    assert (again["type"], again["object"]["data"]) == ("ADDED", a_secret("x", "three")["data"])
    for name in ("listed", "beside"):
        await server.ask("DELETE", f"{SECRETS}/{name}")


async def test_a_collection_without_an_object_is_an_empty_list(server: Server) -> None:
    status, listed = await server.ask("GET", COLLECTION, fieldSelector="metadata.name=nobody")
    assert (status, listed["items"]) == (200, [])
    assert int(listed["metadata"]["resourceVersion"]) > 0


THINGS = "/apis/example.com/v1/things"


async def define_things(server: Server) -> None:
    """Add a kind: an API server remembers nothing of it from before it was added."""
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Cluster",
            "names": {"plural": "things", "kind": "Thing"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": {"type": "object"}},
                }
            ],
        },
    }
    await server.ask("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
    thing = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "one"}}
    while (await server.post(THINGS, thing)) != 201:
        await asyncio.sleep(0.05)


async def test_a_version_that_is_too_old_is_gone(server: Server) -> None:
    await define_things(server)
    if server.api is not None:
        server.api.forget_history()
    (event,) = await server.watch(THINGS, "1", 1)
    assert event["type"] == "ERROR"
    assert outcome((200, event["object"])) == (200, "Failure", 410, "Expired")
