"""Accept connections on an address for an edge, within limits that hold from the first packet on.

It accepts by itself because asyncio's own server counts a connection only once its handshake is over, and
silent connections cost memory before that.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
import time
from functools import partial
from typing import Any, Final

from injector.errors import ConfigError
from injector.service.connection import EdgeConnection, peer_of
from injector.service.logs import Log
from injector.service.server import Edge

DESCRIPTORS_SECONDS: Final = 0.1
"""Pause after the process or the system ran out of file descriptors; a busy loop would free none."""

HONEST_HANDSHAKE_SECONDS: Final = 1.0
"""An honest handshake takes milliseconds, and with two lost packets one second."""


class Listener:
    """Listens on one address for an edge; without a ``context`` it speaks plain HTTP."""

    def __init__(self, edge: Edge, *, context: ssl.SSLContext | None, log: Log) -> None:
        self._edge = edge
        self._context = context
        self._log = log
        self._socket: socket.socket | None = None
        self._opening: dict[asyncio.Task[None], EdgeConnection] = {}
        self._starved = False

    def bind(self, address: str, port: int, *, shared: bool = False) -> int:
        """Take the address ('' is every one) and return the port; ConfigError says why it is not available.

        If ``shared``, other processes of this service may listen on it as well.
        """
        self._socket = listening(address, port, backlog=self._edge.limits.backlog, shared=shared)
        self._socket.setblocking(False)
        return int(self._socket.getsockname()[1])

    async def run(self) -> None:
        """Accept until cancelled; handshakes that have begun go on."""
        assert self._socket is not None  # noqa: S101 - `bind` comes first
        loop = asyncio.get_running_loop()
        loop.add_reader(self._socket, self._accept, loop, self._socket)
        try:
            await loop.create_future()
        finally:
            loop.remove_reader(self._socket)
            self.close()

    def _accept(self, loop: asyncio.AbstractEventLoop, listening: socket.socket) -> None:
        """Accept a waiting connection without an await, so that one that came at the end is not lost."""
        try:
            client, address = listening.accept()
        except OSError as error:
            self._refused_by_system(error, loop, listening)
            return
        self._starved = False
        metrics = self._edge.metrics
        metrics.connections_total += 1
        peer = peer_of(address)
        if self._has_room(peer):
            protocol = self._edge.protocol()
            protocol.peer = peer
            task = loop.create_task(self._open(client, protocol))
            self._opening[task] = protocol
            task.add_done_callback(partial(self._opened, client))
        else:
            metrics.connections_refused += 1
            client.close()

    def close(self) -> None:
        """Let go of the address."""
        listening, self._socket = self._socket, None
        if listening is not None:
            listening.close()

    def _has_room(self, newcomer: str) -> bool:
        """Return whether one more connection has room, if necessary by closing less important ones.

        Idle strangers go before a handshake that has only begun, which may be a caller's; a handshake that
        takes longer than an honest one goes before the connections of callers.
        """
        connections, limit = self._edge.connections, self._edge.limits.connections
        open_now = len(connections)
        if len(self._opening) + open_now < limit:
            return True
        # A handshake that has just ended is still listed, and already counts as open.
        pending = [each for each in self._opening.items() if not each[1].connected]
        if len(pending) + open_now < limit or connections.make_room(newcomer):
            return True
        overdue = bool(pending) and time.monotonic() - pending[0][1].opened > HONEST_HANDSHAKE_SECONDS
        theirs = sum(protocol.peer == newcomer for _, protocol in pending)
        if not overdue and connections.make_room(newcomer, theirs):
            return True
        if not pending:
            return False
        oldest = pending[0][0]
        del self._opening[oldest]
        oldest.cancel()
        self._edge.metrics.connections_evicted["handshake"] += 1
        return True

    async def _open(self, client: socket.socket, protocol: EdgeConnection) -> None:
        loop, limits = asyncio.get_running_loop(), self._edge.limits
        client.setblocking(False)
        try:
            if self._context is None:
                await loop.connect_accepted_socket(lambda: protocol, client)
            else:
                await loop.connect_accepted_socket(
                    lambda: protocol,
                    client,
                    ssl=self._context,
                    ssl_handshake_timeout=limits.handshake_seconds,
                    ssl_shutdown_timeout=limits.shutdown_seconds,
                )
        except (OSError, ssl.SSLError) as error:
            self._edge.metrics.handshakes_failed[_kind(error)] += 1
            client.close()

    def _opened(self, client: socket.socket, opening: asyncio.Task[None]) -> None:
        self._opening.pop(opening, None)
        if opening.cancelled():  # possibly before it began
            client.close()

    def _refused_by_system(
        self, error: OSError, loop: asyncio.AbstractEventLoop, listening: socket.socket
    ) -> None:
        """Pause if descriptors ran out; any other error concerns one connection, which is gone."""
        if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
            return
        if not self._starved:
            self._log.error("connections cannot be accepted", reason=_why(error))
        self._starved = True
        loop.remove_reader(listening)
        loop.call_later(DESCRIPTORS_SECONDS, self._go_on, loop, listening)

    def _go_on(self, loop: asyncio.AbstractEventLoop, listening: socket.socket) -> None:
        if self._socket is listening:
            loop.add_reader(listening, self._accept, loop, listening)


def listening(address: str, port: int, *, backlog: int, shared: bool = False) -> socket.socket:
    """Return a socket that listens; ConfigError says why the address is not available."""
    try:
        return _listening(address, port, backlog=backlog, reuse_port=shared)
    except (OSError, UnicodeError) as error:  # UnicodeError: a name that is too long
        raise not_listening(address, port, error) from error


def not_listening(address: str, port: int, error: OSError | UnicodeError) -> ConfigError:
    """Return the error for an address that is not available."""
    place = f"port {port}" if not address else f"{address} port {port}"
    return ConfigError(f"cannot listen on {place}: {_why(error)}")


def _listening(address: str, port: int, **wanted: Any) -> socket.socket:
    if not address and socket.has_dualstack_ipv6():
        try:
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True, **wanted)
        except OSError as error:
            if error.errno != errno.EAFNOSUPPORT:
                raise
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.create_server((address, port), family=family, **wanted)


def _why(error: OSError | UnicodeError) -> str:
    if isinstance(error, UnicodeError) or error.errno is None or error.errno < 0:  # from getaddrinfo
        return "it is not an address of this machine"
    if error.errno == errno.EADDRINUSE:
        return "another process uses it"
    if error.errno == errno.EACCES:
        return "this user may not use it (ports below 1024 need a privilege; choose one above)"
    # The error's own text would end with the address as Python writes it.
    return os.strerror(error.errno)


def _kind(error: Exception) -> str:
    """Return why a handshake failed, from a fixed set."""
    if isinstance(error, ssl.SSLError):
        reason = error.reason or ""
        if "UNKNOWN_CA" in reason or "CERTIFICATE" in reason:
            return "certificate"
        return "protocol"
    if isinstance(error, TimeoutError) or "handshake is taking longer" in str(error):
        return "timeout"
    return "closed"
