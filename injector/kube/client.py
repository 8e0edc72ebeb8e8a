"""Send JSON requests to the API server over one HTTP session; only here kubernetes-asyncio is imported."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Self

import orjson
import yaml

from injector import __version__
from injector.json_types import JSON, JSONObject
from injector.kube.clock import ServerClock
from injector.kube.errors import Unconfigured, Unreachable, api_error
from injector.kube.kubeconfig import check_kubeconfig
from injector.kube.lean import without, without_authorities

with without_authorities():
    import aiohttp

# Importing it would import 860 modules. Configuration, login and REST are 25 of them; the others take 28 MiB
# and 50 ms of the start, and are not used here. Neither is what it imports from urllib3 and dateutil, 3 MiB
# more: the header of a login by password, which it now makes itself, and the dates of models.
with without(
    *(f"kubernetes_asyncio.client.{part}." for part in ("models", "api")),
    *(f"kubernetes_asyncio.{part}" for part in ("dynamic", "stream", "utils", "watch")),
    *("urllib3", "dateutil"),
):
    from kubernetes_asyncio.client import ApiClient, Configuration
    from kubernetes_asyncio.config import (
        ConfigException,
        load_incluster_config,
    )
    from kubernetes_asyncio.config.kube_config import (
        KUBE_CONFIG_DEFAULT_LOCATION,
        ConfigNode,
        KubeConfigLoader,
        KubeConfigMerger,
    )

LIST_LIMIT: Final = 500
"""Objects in one answer to a list, as kubectl asks: an API server holds them all in memory."""

USER_AGENT: Final = f"sidecar-injector/{__version__}"
REQUEST_SECONDS: Final = 15.0
"""How long one request may take; kubernetes-asyncio has no limit by default."""

LONGEST_RETRY_AFTER: Final = 60.0
"""Seconds that are waited at most because an answer asks for it. An API server asks for one; a proxy in front
of it may ask for hours, and we must see before that it has come back."""

JSON_TYPE: Final = "application/json"
APPLY_TYPE: Final = "application/apply-patch+yaml"

_LOADING: Final = (
    ConfigException,
    aiohttp.ClientError,
    yaml.YAMLError,
    OSError,
    AssertionError,
    AttributeError,
    KeyError,
    TypeError,
    ValueError,
)
"""What kubernetes-asyncio raises while it reads a kubeconfig, runs its plugins and asks its OIDC issuer."""

# What it logs as an error it raises as well, and in the log it quotes entries whole: a key may be in one.
_ITS_LOG: Final = logging.getLogger("kubernetes_asyncio")
_ITS_LOG.addHandler(logging.NullHandler())
_ITS_LOG.propagate = False

_QUOTED_ENTRY: Final = re.compile(r"/\{.*\}")

Parameters = Mapping[str, str | int | bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """How to find the API server: a kubeconfig, or the pod's service account where none is given."""

    kubeconfig: str | None = None
    context: str | None = None

    @property
    def files(self) -> str | None:
        """The files of the kubeconfig, the usual ones if only a context is named; None in a pod."""
        return self.kubeconfig or (KUBE_CONFIG_DEFAULT_LOCATION if self.context else None)


class _Loader(KubeConfigLoader):
    """Has a context without a user go on without a login, as client-go has it (getAuthInfo in clientcmd).

    kubernetes-asyncio takes for granted that there is a user as soon as the server speaks TLS.
    """

    def set_active_context(self, context_name: str | None = None) -> None:
        """Choose a context."""
        super().set_active_context(context_name)  # type: ignore[no-untyped-call] # it has no types
        if self._user is None:
            self._user = ConfigNode("no user", {})


def _loader(files: str, context: str | None) -> _Loader:
    """Return what reads these files of a kubeconfig; raises one of _LOADING."""
    merged = KubeConfigMerger(files).config
    for user in merged.value["users"] if merged else ():
        user.value["user"] = user.value.get("user") or {}
    return _Loader(merged, active_context=context, config_base_path=None)


def namespace_of(connection: Connection) -> str:
    """Return the namespace of the kubeconfig's context, "default" where it names none."""
    if connection.files is None:
        return "default"
    try:
        check_kubeconfig(connection.files, connection.context)
        chosen = _loader(connection.files, connection.context).current_context or {}
    except (Unconfigured, *_LOADING):
        return "default"  # connecting reports the error
    return str((chosen.get("context") or {}).get("namespace") or "default")


class KubeClient:
    """JSON requests with a time limit, and errors of our own: ``async with await KubeClient.connect(…)``.

    ``clock`` gets the `Date` of every successful answer: an error may come from a proxy in between.
    """

    def __init__(self, api: ApiClient, clock: ServerClock | None = None) -> None:
        self._api = api
        self.clock = clock or ServerClock()

    @classmethod
    async def connect(cls, connection: Connection, clock: ServerClock | None = None) -> Self:
        """Read the configuration; Unconfigured says what was looked for. Sends no request yet."""
        configuration = Configuration()
        # CAs of clusters made before Python 3.13's strict checks lack the key identifiers that these require.
        configuration.disable_strict_ssl_verification = True
        try:
            if connection.files:
                check_kubeconfig(connection.files, connection.context)
                await _loader(connection.files, connection.context).load_and_set(configuration)
            else:
                load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
            return cls(ApiClient(configuration), clock)
        except _LOADING as error:
            where = connection.files or "the service account of this pod"
            raise Unconfigured(
                f"cannot find the API server through {where}: {_without_entry(error)}"
            ) from error

    @property
    def host(self) -> str:
        """The API server's URL."""
        return str(self._api.configuration.host)

    async def __aenter__(self) -> Self:
        """Return the client itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the session."""
        await self._api.close()

    async def get(self, path: str, parameters: Parameters | None = None) -> JSONObject:
        """Return the object or list at ``path``."""
        return await self._request("GET", path, parameters)

    async def list(self, path: str) -> AsyncIterator[JSONObject]:
        """Yield the objects of the collection at ``path``, which have no ``kind`` there."""
        async for page in self.pages(path):
            for item in page.get("items") or ():
                yield item

    async def pages(self, path: str, parameters: Parameters | None = None) -> AsyncIterator[JSONObject]:
        """Yield the pages of a list; the last page's resourceVersion is that of the whole list."""
        asked: dict[str, str | int | bool] = {**(parameters or {}), "limit": LIST_LIMIT}
        while True:
            page = await self.get(path, asked)
            yield page
            asked["continue"] = (page.get("metadata") or {}).get("continue") or ""
            if not asked["continue"]:
                return

    async def create(self, path: str, body: JSONObject) -> JSONObject:
        """Create ``body`` in the collection at ``path``; Conflict when it is there already."""
        return await self._request("POST", path, None, body)

    async def replace(self, path: str, body: JSONObject) -> JSONObject:
        """Replace the object; Conflict when its ``metadata.resourceVersion`` is not the newest."""
        return await self._request("PUT", path, None, body)

    async def apply(self, path: str, body: JSONObject, *, manager: str) -> JSONObject:
        """Server-side apply ``body`` as ``manager``, which takes over the fields it contains."""
        parameters: Parameters = {"fieldManager": manager, "force": True}
        return await self._request("PATCH", path, parameters, body, content_type=APPLY_TYPE)

    async def watch(
        self, path: str, parameters: Parameters, *, idle_seconds: float
    ) -> AsyncIterator[JSONObject]:
        """Yield the events of a watch; ends when the server ends it.

        Raises Unreachable when nothing arrives for ``idle_seconds``: a peer that vanished sends nothing. A
        line that is not whole JSON (the stream was cut inside it) is Unreachable too, never an event.
        """
        limits = aiohttp.ClientTimeout(total=None, connect=REQUEST_SECONDS, sock_read=idle_seconds)
        async with self._response("GET", path, {**parameters, "watch": "true"}, limits=limits) as response:
            async for line in response.content:
                yield _event(line)

    async def _request(
        self,
        method: str,
        path: str,
        parameters: Parameters | None,
        body: JSONObject | None = None,
        *,
        content_type: str = JSON_TYPE,
    ) -> JSONObject:
        limits = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
        async with self._response(
            method, path, parameters or {}, body, content_type=content_type, limits=limits
        ) as response:
            document: JSONObject = _json(await response.read())
            return document

    @asynccontextmanager
    async def _response(
        self,
        method: str,
        path: str,
        parameters: Parameters,
        body: JSONObject | None = None,
        *,
        content_type: str = JSON_TYPE,
        limits: aiohttp.ClientTimeout,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send one request and yield a successful answer."""
        query = [
            (name, str(value).lower() if isinstance(value, bool) else str(value))
            for name, value in parameters.items()
        ]
        headers = {"Accept": JSON_TYPE, "Content-Type": content_type, "User-Agent": USER_AGENT}
        response: aiohttp.ClientResponse | None = None
        try:
            await self._api.update_params_for_auth(headers, query, ["BearerToken"])
            sent = self.clock.monotonic()
            response = await self._api.rest_client.request(
                method,
                f"{self._api.configuration.host}{path}",
                query_params=query,  # type: ignore[arg-type]
                headers=headers,
                body=body,
                _preload_content=False,
                _request_timeout=limits,
            )
            if not 200 <= response.status <= 299:
                raise api_error(
                    response.status,
                    _json_or_text(await response.read()),
                    retry_after=_seconds(response.headers.get("Retry-After")),
                )
            self.clock.heard(response.headers.get("Date"), sent=sent, received=self.clock.monotonic())
            yield response
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            raise Unreachable(f"{method} {path}: {error or type(error).__name__}") from error
        except (ConfigException, OSError, ValueError) as error:
            # The service account's token is read again now and then, in the middle of any request.
            raise Unreachable(f"{method} {path}: {error}") from error
        finally:
            if response is not None:
                response.close()


def _without_entry(error: Exception) -> str:
    """Return an error of kubernetes-asyncio without the entry that it may quote, which may hold secrets.

    It is one line, however many a plugin has printed.
    """
    return " ".join(_QUOTED_ENTRY.sub("", str(error) or type(error).__name__).split())


def _event(line: bytes) -> JSONObject:
    event = _json(line)
    if event.get("type") == "ERROR":
        status = event.get("object") or {}
        raise api_error(int(status.get("code") or 500), status)
    return event


def _json(body: bytes) -> JSONObject:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Unreachable(f"the answer is not JSON: {body[:80]!r}") from error
    if not isinstance(document, dict):
        raise Unreachable(f"the answer is not a JSON object: {body[:80]!r}")
    return document


def _json_or_text(body: bytes) -> JSON:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return body.decode("utf-8", "replace")


def _seconds(header: str | None) -> float:
    """Return what a Retry-After asks for; 0 where there is none, or a date, which no API server writes."""
    asked = header is not None and header.isascii() and header.isdigit()
    return min(float(header or 0), LONGEST_RETRY_AFTER) if asked else 0.0
