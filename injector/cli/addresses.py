"""Addresses as they may be shown: many people read logs, and an address may contain a login or a token."""

from __future__ import annotations


def login_of(address: str) -> str:
    """Return the part before the host, ``user:password``; "" if there is none."""
    return _parts(address)[1]


def shown(address: str) -> str:
    """Return an address without its login, and with an ellipsis in place of its query."""
    scheme, _, host, path, query = _parts(address)
    return f"{scheme}{host}{path}{'?…' if query else ''}"


def _parts(address: str) -> tuple[str, str, str, str, str]:
    """Return scheme with slashes, login, host with port, path, and query; every address is accepted."""
    rest, _, query = address.partition("?")
    before, slashes, after = rest.partition("//")
    scheme, rest = (before + slashes, after) if slashes else ("", rest)
    authority, slash, path = rest.partition("/")
    login, _, host = authority.rpartition("@")
    return scheme, login, host, slash + path, query
