"""A Kubernetes API server in memory with faults on demand: lists, watches, writes, applies caBundle.

tests/e2e/test_fake_api_agrees.py compares its answers with a real one's.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web

from injector.kube.client import Connection, KubeClient
from injector.kube.clock import ServerClock
from tests.conftest import PATIENCE

Handler = Callable[[web.Request], web.StreamResponse | None]


@dataclass
class FakeApi:
    """Objects by collection path and name; a history per collection; faults that tests switch on."""

    objects: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    version: int = 100
    oldest: int = 0
    events: list[tuple[int, str, str, dict[str, Any]]] = field(default_factory=list)
    requests: Counter[str] = field(default_factory=Counter)
    seen: list[tuple[str, str]] = field(default_factory=list)
    authorization: str = ""
    refuse: Callable[[str, str], web.Response | None] = lambda method, path: None
    silent: bool = False
    resets: bool = False
    hangs: bool = False
    poll: float = 0.02
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    url: str = ""
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)
    _cuts: set[asyncio.Event] = field(default_factory=set)
    _dead: set[asyncio.Event] = field(default_factory=set)

    async def put(self, collection: str, item: dict[str, Any], *, kind: str = "") -> dict[str, Any]:
        """Create or replace an object as another client would, and tell the watches."""
        name = item["metadata"]["name"]
        known = self.objects.setdefault(collection, {})
        kind = kind or ("MODIFIED" if name in known else "ADDED")
        self.version += 1
        item = deepcopy(item)
        item["metadata"]["resourceVersion"] = str(self.version)
        known[name] = item
        await self._tell(collection, kind, item)
        return item

    async def remove(self, collection: str, name: str) -> None:
        """Delete an object as another client would."""
        item = deepcopy(self.objects[collection].pop(name))
        self.version += 1
        item["metadata"]["resourceVersion"] = str(self.version)
        await self._tell(collection, "DELETED", item)

    async def bookmark(self, collection: str) -> None:
        """Send a bookmark to the collection's watches."""
        self.version += 1
        item = {"metadata": {"resourceVersion": str(self.version)}}
        await self._tell(collection, "BOOKMARK", item)

    def forget_history(self) -> None:
        """Make every resourceVersion up to now too old to watch from."""
        self.oldest = self.version + 1

    async def cut_watches(self) -> None:
        """Break every open watch in the middle of a line."""
        async with self._news:
            for cut in self._cuts:
                cut.set()
            self._news.notify_all()

    def half_open(self) -> None:
        """Silence the watches that are open now, without ending them; new ones work."""
        self._dead |= self._cuts

    async def _tell(self, collection: str, kind: str, item: dict[str, Any]) -> None:
        async with self._news:
            self.events.append((self.version, collection, kind, deepcopy(item)))
            self._news.notify_all()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request, with a `Date` in whole seconds as Go's server does."""
        response = await self._answer(request)
        response.headers["Date"] = self._date()
        return response

    def _date(self) -> str:
        return format_datetime(self.clock(), usegmt=True)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if self.resets and request.transport is not None:
            request.transport.abort()
        if self.hangs:
            await asyncio.Event().wait()
        method, path = request.method, request.path
        watching = request.query.get("watch") == "true"
        self.requests["WATCH" if watching else method] += 1
        self.seen.append(("WATCH" if watching else method, path))
        self.authorization = request.headers.get("Authorization", "")
        if (refusal := self.refuse("WATCH" if watching else method, path)) is not None:
            return refusal
        collection, _, name = path.rpartition("/")
        if watching:
            return await self._watch(request, path)
        if method == "POST":
            return await self._create(path, await request.json())
        if method == "GET" and path in self.objects and collection not in self.objects:
            return self._list(request, path)
        if name not in self.objects.get(collection, {}) and method in ("GET", "PUT", "PATCH", "DELETE"):
            if method == "GET" and _is_collection(path):
                return self._list(request, path)
            # An apply creates a missing object, and what we apply is not a whole object.
            return _status(422, "Invalid") if method == "PATCH" else _status(404, "NotFound")
        if method == "GET":
            return _json(self.objects[collection][name])
        if method == "DELETE":
            await self.remove(collection, name)
            return _json({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"})
        body = orjson.loads(await request.read())
        if method == "PUT":
            return await self._replace(collection, name, body)
        return await self._apply(collection, name, body, request.query)

    def _list(self, request: web.BaseRequest, path: str) -> web.Response:
        items = [item for item in self.objects.get(path, {}).values() if _selected(item, request)]
        metadata = {"resourceVersion": str(self.version)}
        start, limit = (int(request.query.get(name, 0)) for name in ("continue", "limit"))
        if limit and len(items) > start + limit:
            metadata["continue"] = str(start + limit)
        return _json({"metadata": metadata, "items": items[start : start + limit if limit else None]})

    async def _create(self, collection: str, body: dict[str, Any]) -> web.Response:
        metadata = body["metadata"]
        metadata.setdefault("name", f"{metadata.get('generateName')}{self.version}")
        if metadata["name"] in self.objects.get(collection, {}):
            return _status(409, "AlreadyExists")
        return _json(await self.put(collection, body), status=201)

    async def _replace(self, collection: str, name: str, body: dict[str, Any]) -> web.Response:
        sent = body["metadata"].get("resourceVersion")
        if not sent and collection.endswith("/leases"):
            return _status(422, "Invalid")
        if sent and sent != self.objects[collection][name]["metadata"]["resourceVersion"]:
            return _status(409, "Conflict")
        return _json(await self._changed(collection, body))

    async def _changed(self, collection: str, item: dict[str, Any]) -> dict[str, Any]:
        """Replace an object; a write that changes nothing makes no version and no event."""
        old = self.objects[collection][item["metadata"]["name"]]
        item = deepcopy(item)
        item["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
        return old if item == old else await self.put(collection, item)

    async def _apply(
        self, collection: str, name: str, body: dict[str, Any], query: Mapping[str, str]
    ) -> web.Response:
        item = deepcopy(self.objects[collection][name])
        sent = body["metadata"].get("resourceVersion")
        if sent and sent != item["metadata"]["resourceVersion"]:
            return _status(409, "Conflict")
        manager = query["fieldManager"]
        if query.get("force") != "true" and (words := _conflict(item, body, manager)):
            return _status(409, "Conflict", words)
        applied = {entry["name"]: entry["clientConfig"]["caBundle"] for entry in body["webhooks"]}
        _apply_bundles(item, applied, manager)
        return _json(await self._changed(collection, item))

    async def _watch(self, request: web.BaseRequest, collection: str) -> web.StreamResponse:
        since = int(request.query["resourceVersion"])
        response = web.StreamResponse()
        response.content_type = "application/json"
        response.headers["Date"] = self._date()
        await response.prepare(request)
        if since < self.oldest:
            gone = _failure(410, "Expired", "too old resource version")
            await response.write(orjson.dumps({"type": "ERROR", "object": gone}) + b"\n")
            return response
        cut = asyncio.Event()
        self._cuts.add(cut)
        try:
            await self._stream(request, response, collection, since, cut)
        finally:
            self._cuts.discard(cut)
            self._dead.discard(cut)
        return response

    async def _stream(
        self,
        request: web.BaseRequest,
        response: web.StreamResponse,
        collection: str,
        since: int,
        cut: asyncio.Event,
    ) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + float(request.query["timeoutSeconds"])
        seen = 0
        while loop.time() < end or cut in self._dead:
            if request.transport is None:
                return
            if cut in self._dead:
                await asyncio.sleep(self.poll)
                continue
            if cut.is_set() or self.resets:
                await response.write(b'{"type":"MODIFIED","obj')
                return
            news, seen = self.events[seen:], len(self.events)
            for version, where, kind, item in news:
                if version > since and where == collection and not self.silent:
                    since = version
                    if kind == "BOOKMARK" or _selected(item, request):
                        await response.write(orjson.dumps({"type": kind, "object": item}) + b"\n")
            async with self._news:
                if len(self.events) > seen or cut.is_set():
                    continue
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min(self.poll, max(0.0, end - loop.time()))):
                        await self._news.wait()


def _apply_bundles(item: dict[str, Any], applied: Mapping[str, str], manager: str) -> None:
    """Set caBundle of entries by name; one that the manager alone owned and leaves out now is removed."""
    owned = {each["manager"]: _owned(each) for each in item["metadata"].get("managedFields", ())}
    given_up = owned.get(manager, set()) - applied.keys()
    for entry in item["webhooks"]:
        name, client = entry["name"], entry.setdefault("clientConfig", {})
        others = [names for other, names in owned.items() if other != manager and name in names]
        if name in applied:
            for names in others if client.get("caBundle") != applied[name] else ():
                names.discard(name)
            client["caBundle"] = applied[name]
        elif name in given_up and not others:
            client.pop("caBundle", None)
    owned[manager] = {*applied}
    item["metadata"]["managedFields"] = [
        {
            "manager": each,
            "fieldsV1": {
                "f:webhooks": {
                    f'k:{{"name":"{name}"}}': {"f:clientConfig": {"f:caBundle": {}}} for name in sorted(names)
                }
            },
        }
        for each, names in owned.items()
    ]


def _owned(record: dict[str, Any]) -> set[str]:
    """Return the names of the entries whose caBundle is its manager's, by a record of managedFields."""
    return {orjson.loads(key.removeprefix("k:"))["name"] for key in record["fieldsV1"]["f:webhooks"]}


def _is_collection(path: str) -> bool:
    return path.rsplit("/", 1)[1] in {
        "mutatingwebhookconfigurations",
        "secrets",
        "namespaces",
        "nodes",
        "leases",
    }


def _selected(item: dict[str, Any], request: web.BaseRequest) -> bool:
    selector = request.query.get("fieldSelector", "")
    return not selector or selector == f"metadata.name={item['metadata']['name']}"


def _json(body: Any, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")


def _status(code: int, reason: str, message: str = "") -> web.Response:
    return _json(_failure(code, reason, message or reason), status=code)


def _failure(code: int, reason: str, message: str) -> dict[str, Any]:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "code": code,
        "reason": reason,
        "message": message,
    }


def _conflict(item: dict[str, Any], body: dict[str, Any], manager: str) -> str:
    """Return the error about the one caBundle that another manager applied with another value."""
    bundles = {entry["name"]: entry["clientConfig"].get("caBundle") for entry in item["webhooks"]}
    for fields in item["metadata"].get("managedFields", ()):
        for entry in body["webhooks"]:
            name, bundle = entry["name"], entry["clientConfig"]["caBundle"]
            if name in _owned(fields) and fields["manager"] != manager and bundles[name] != bundle:
                path = f'.webhooks[name="{name}"].clientConfig.caBundle'
                return f'Apply failed with 1 conflict: conflict with "{fields["manager"]}": {path}'
    return ""


def refusal(code: int, *, retry_after: int | None = None, text: str | None = None) -> web.Response:
    """Return an answer that refuses: a Status, or bare text as from a proxy in between."""
    response = web.Response(text=text, status=code) if text is not None else _status(code, "Refused")
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    return response


@dataclass(kw_only=True)
class Refusals:
    """Refuses the next ``left`` requests with a method; the answer is made for each."""

    method: str
    left: int
    answer: Callable[[], web.Response]

    def __call__(self, method: str, _: str) -> web.Response | None:
        if method != self.method or not self.left:
            return None
        self.left -= 1
        return self.answer()


@contextlib.asynccontextmanager
async def fake_api() -> AsyncIterator[FakeApi]:
    """Serve a FakeApi on loopback."""
    api = FakeApi()
    runner = web.ServerRunner(web.Server(api.handle), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    api.url = f"http://{host}:{port}"
    try:
        yield api
    finally:
        await runner.cleanup()


def kubeconfig(api: FakeApi, folder: Path, **user: str) -> Path:
    """Write a kubeconfig file for the fake as ``user``, and return its path."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "fake",
        "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
        "clusters": [{"name": "fake", "cluster": {"server": api.url}}],
        "users": [{"name": "fake", "user": user or {"token": "not-a-secret"}}],
    }
    path = folder / "kubeconfig"
    path.write_bytes(orjson.dumps(config))
    return path


@contextlib.asynccontextmanager
async def connected(
    api: FakeApi, folder: Path, clock: ServerClock | None = None
) -> AsyncIterator[KubeClient]:
    """Return a client that found the fake by a kubeconfig file, as in production."""
    path = kubeconfig(api, folder)
    async with await KubeClient.connect(Connection(kubeconfig=str(path)), clock) as client:
        yield client


async def until(condition: Callable[[], bool], *, seconds: float = PATIENCE) -> None:
    """Wait for a condition that the event loop brings about; fail when it does not come."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)
