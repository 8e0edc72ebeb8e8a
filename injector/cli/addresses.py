"""Addresses as they may be shown: logs have many readers, and a login or a token may be in one."""

from __future__ import annotations


def login_of(address: str) -> str:
    """Return what stands before the host, ``user:password``; "" where nothing does."""
    return _parts(address)[1]


def shown(address: str) -> str:
    """Return an address without its login, and with an ellipsis for its query."""
    scheme, _, host, path, query = _parts(address)
    return f"{scheme}{host}{path}{'?…' if query else ''}"


def _parts(address: str) -> tuple[str, str, str, str, str]:
    """Return scheme with its slashes, login, host with its port, path, and query; no address is refused."""
    rest, _, query = address.partition("?")
    before, slashes, after = rest.partition("//")
    scheme, rest = (before + slashes, after) if slashes else ("", rest)
    authority, slash, path = rest.partition("/")
    login, _, host = authority.rpartition("@")
    return scheme, login, host, slash + path, query
