"""Fetch an https address, within a limit and a deadline."""

from __future__ import annotations

import http.client
import ssl
import time
import urllib.error
import urllib.request
from concurrent.futures import Future
from threading import Thread
from typing import Final
from urllib.parse import urlsplit

from injector import __version__
from injector.cli.addresses import login_of, shown
from injector.errors import InjectorError

LONGEST_BYTES: Final = 16 << 20
"""Five times what an API server accepts as one object; the largest bundles that projects publish have 5
MiB."""

SECONDS: Final = 30.0
"""For the whole fetch: a release page answers in one second, and people do not wait longer at a terminal."""

BLOCK: Final = 1 << 16
"""Bytes between two checks of the clock and the sum: more than a socket has ready at once."""


class WebError(InjectorError):
    """A manifest that could not be fetched: its address and the reason."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(f"{shown(address)}: cannot fetch it: {reason}")


class _HttpsOnly(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but only to https."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
        if urlsplit(newurl).scheme != "https":
            raise WebError(req.full_url, f"it leads to {shown(newurl)}, which is not https")
        if login_of(newurl):
            raise WebError(req.full_url, f"it leads to {shown(newurl)} with a login, which is not sent")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def fetch(address: str, *, seconds: float = SECONDS, longest: int = LONGEST_BYTES) -> bytes:
    """Return the content of ``address``; WebError if it is not https, too long, too slow or missing."""
    answer: Future[bytes] = Future()
    # Sockets limit each single wait, however many there are: only waiting for a thread limits them all.
    Thread(target=_settle, args=(answer, address, seconds, longest), daemon=True).start()
    try:
        return answer.result(timeout=seconds)
    except urllib.error.HTTPError as error:
        raise WebError(address, f"the server says {error.code} {error.reason}".rstrip()) from error
    except urllib.error.URLError as error:
        raise WebError(address, _reason(error.reason, seconds)) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise WebError(address, _reason(error, seconds)) from error


def _settle(answer: Future[bytes], address: str, seconds: float, longest: int) -> None:
    try:
        answer.set_result(_fetched(address, seconds, longest))
    except (WebError, OSError, http.client.HTTPException, ValueError) as error:
        answer.set_exception(error)


def _fetched(address: str, seconds: float, longest: int) -> bytes:
    deadline = time.monotonic() + seconds
    if urlsplit(address).scheme != "https":
        raise WebError(address, "only https is read, since anybody on the way could change the manifest")
    if login_of(address):
        raise WebError(address, "a login in an address is not sent: fetch it with curl and pipe it into -f -")
    request = urllib.request.Request(  # noqa: S310 - https alone
        address, headers={"User-Agent": f"sidecar-injector/{__version__}", "Accept-Encoding": "identity"}
    )
    with urllib.request.build_opener(_HttpsOnly).open(request, timeout=seconds) as response:
        return _read(response, address, deadline, longest)


def _read(response: http.client.HTTPResponse, address: str, deadline: float, longest: int) -> bytes:
    content = bytearray()
    while block := response.read1(BLOCK):
        content += block
        if len(content) > longest:
            raise WebError(address, f"it has more than {longest >> 20} MiB")
        if time.monotonic() > deadline:
            raise TimeoutError
    if response.length:
        raise WebError(address, f"it ended {response.length} bytes too early")
    return bytes(content)


def _reason(error: object, seconds: float) -> str:
    if isinstance(error, TimeoutError):
        return f"it did not come within {seconds:g} seconds"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
