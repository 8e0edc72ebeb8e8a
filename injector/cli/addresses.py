"""Addresses as they may be shown: many people read logs, and an address may contain a login or a token."""

from __future__ import annotations

import re
from typing import Final

WEB: Final = ("http://", "https://")

_SCHEME: Final = re.compile(r"(?:(?:[A-Za-z][A-Za-z0-9+.-]*:)?//)?")
_AUTHORITY: Final = re.compile(r"[^/?#]*")
_HOST: Final = re.compile(r"(\[[^]]*]|[^:@]*)(:[0-9]{0,5})?")


def is_web(text: str) -> bool:
    """Return whether a text is an address of the web; the case of a scheme does not count (RFC 3986, 3.1)."""
    return text.lower().startswith(WEB)


def login_of(address: str) -> str:
    """Return the part before the host, ``user:password``; "" if there is none."""
    return _parts(address)[1]


def shown(address: str) -> str:
    """Return an address without its login, and with an ellipsis in place of what else may be secret.

    That is the query, and a path with an @ behind a port: in ``user:1/2@host`` the host is ``user:1``.
    """
    scheme, _, host, path, query = _parts(address)
    path = "/…" if "@" in path and ":" in host else path
    return f"{scheme}{host}{path}{'?…' if query else ''}"


def _parts(address: str) -> tuple[str, str, str, str, str]:
    """Return scheme with slashes, login, host with port, path, and query; every address is accepted.

    A password may contain ``/``, ``?``, ``#`` and ``@`` that are not quoted. So where no host with its port
    follows the scheme, a login does, and it ends at the last @.
    """
    scheme = _leading(_SCHEME, address)
    rest, login = address[len(scheme) :], ""
    if not _HOST.fullmatch(_leading(_AUTHORITY, rest)):
        login, _, rest = rest.rpartition("@")
    host = _leading(_AUTHORITY, rest)
    path, _, query = rest[len(host) :].partition("?")
    return scheme, login, host, path, query


def _leading(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.match(text)
    return found[0] if found else ""
