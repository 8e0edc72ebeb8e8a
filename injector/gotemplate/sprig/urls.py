"""sprig's ``urlParse`` and ``urlJoin`` (Go's net/url), and its functions for paths (Go's package path)."""

from __future__ import annotations

import ipaddress
import posixpath
import re
from typing import Final

from injector.golang.strconv import quote
from injector.gotemplate.functions import FunctionError
from injector.gotemplate.sprig.shared import NIL_DEREFERENCE, go, kind_name, octets, text_of
from injector.gotemplate.values import Value

_UNRESERVED: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~"
_PATH: Final = frozenset(_UNRESERVED + b"$&+,/:;=@")
_USER: Final = frozenset(_UNRESERVED + b"$&+,;=")
_HOST: Final = frozenset(_UNRESERVED + b"!$&'()*+,;=:[]<>\"")
_FRAGMENT: Final = frozenset(_UNRESERVED + b"$&+,/:;=?@!()*")
_ESCAPE: Final = re.compile(rb"%(?:[0-9a-fA-F]{2})?")
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(.*)", re.DOTALL)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_USERINFO: Final = re.compile(r"[A-Za-z0-9\-._:~!$&'()*+,;=%@]*")
_PORT: Final = re.compile(r"(?::[0-9]*)?")


class _URLError(FunctionError):
    """The fault of a URL; ``str()`` does not show the URL."""


def url_parse(text: str) -> dict[str, Value]:
    """Return the parts of a URL; a missing part is ""."""
    parts, userinfo = _parsed(text, "unable to parse url")
    return {**parts, "userinfo": "" if userinfo is None else userinfo}


def _parsed(text: str, complaint: str) -> tuple[dict[str, str], str | None]:
    whole, _, fragment = text.partition("#")
    shown = whole
    try:
        parts, userinfo = _parse(whole)
        shown = text
        return {**parts, "fragment": _unescape(fragment)}, userinfo
    except _URLError as error:
        raise FunctionError(f"{complaint}: parse {quote(shown)}: {error}") from error


def _parse(text: str) -> tuple[dict[str, str], str | None]:
    if _CONTROL.search(text):
        raise _URLError("net/url: invalid control character in URL")
    parts = dict.fromkeys(("scheme", "host", "hostname", "path", "query", "opaque"), "")
    if text == "*":
        return {**parts, "path": "*"}, None
    scheme, rest = _scheme(text)
    parts["scheme"] = scheme.lower()
    rest, _, parts["query"] = rest.partition("?")
    if not rest.startswith("/"):
        if scheme:
            return {**parts, "opaque": rest}, None
        if ":" in rest.partition("/")[0]:
            raise _URLError("first path segment in URL cannot contain colon")
    userinfo = None
    if rest.startswith("//") and (scheme or not rest.startswith("///")):
        authority, slash, path = rest[2:].partition("/")
        rest = slash + path
        userinfo, parts["host"] = _authority(parts["scheme"], authority)
        parts["hostname"] = _hostname(parts["host"])
    parts["path"] = _unescape(rest)
    return parts, userinfo


def _scheme(text: str) -> tuple[str, str]:
    if text.startswith(":"):
        raise _URLError("missing protocol scheme")
    match = _SCHEME.fullmatch(text)
    return (match[1], match[2]) if match else ("", text)


def _authority(scheme: str, authority: str) -> tuple[str | None, str]:
    """Return the user, escaped again, and the host with its port."""
    userinfo, at, host = authority.rpartition("@")
    host = _host(scheme, host)
    if not at:
        return None, host
    if not _USERINFO.fullmatch(userinfo):
        raise _URLError("net/url: invalid userinfo")
    return ":".join(_escape(_unescape(part), _USER) for part in userinfo.split(":", 1)), host


def _host(scheme: str, host: str) -> str:
    bracket = host.rfind("[")
    if bracket > 0:
        raise _URLError("invalid IP-literal")
    if bracket == 0:
        return _bracketed(host)
    first, last = host.find(":"), host.rfind(":")
    if first >= 0:
        port = host[first if scheme in ("http", "https") else last :]
        _check_port(port)
    return _unescape_host(host)


def _check_port(port: str) -> None:
    if not _PORT.fullmatch(port):
        raise _URLError(f"invalid port {quote(port)} after host")


def _bracketed(host: str) -> str:
    """Return an IPv6 address in brackets, with its port."""
    end = host.rfind("]")
    if end < 0:
        raise _URLError("missing ']' in host")
    _check_port(host[end + 1 :])
    name, escaped, zone = host[1:end].partition("%25")
    address = _unescape_host(name) + (_unescape_host(escaped + zone, zone=True) if escaped else "")
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError as error:
        raise _URLError(f"invalid host: {quote(address)} is not an IP address") from error
    if parsed.version == 4:
        raise _URLError("invalid IP-literal")
    return f"[{address}]{host[end + 1 :]}"


def _hostname(host: str) -> str:
    name, colon, port = host.rpartition(":")
    name = name if colon and _PORT.fullmatch(colon + port) else host
    return name[1:-1] if name.startswith("[") and name.endswith("]") else name


# Escapes.


def _unescape(text: str) -> str:
    data = octets(text)
    return text_of(_ESCAPE.sub(_decoded, data)) if b"%" in data else text


def _decoded(match: re.Match[bytes]) -> bytes:
    if len(match[0]) < 3:
        raise _URLError(_invalid_escape(match.string[match.start() : match.start() + 3]))
    return bytes.fromhex(match[0][1:].decode())


def _invalid_escape(data: bytes) -> str:
    return f"invalid URL escape {quote(text_of(data))}"


def _unescape_host(text: str, *, zone: bool = False) -> str:
    """Return a host; only bytes beyond ASCII, the percent sign and, in a zone, spaces may be escaped."""
    data = octets(text)
    for match in re.finditer(rb"%(?:[0-9a-fA-F]{2})?|[^%]", data, re.DOTALL):
        octet = match[0]
        if octet.startswith(b"%"):
            _check_host_escape(match, zone=zone)
        elif octet < b"\x80" and octet[0] not in _HOST:
            raise _URLError(f"invalid character {quote(text_of(octet))} in host name")
    return text_of(_ESCAPE.sub(_decoded, data))


def _check_host_escape(match: re.Match[bytes], *, zone: bool) -> None:
    value = _decoded(match)
    allowed = value == b"%" or (value == b" " or value[0] in _HOST if zone else value >= b"\x80")
    if not allowed:
        raise _URLError(_invalid_escape(match[0]))


def _escape(text: str, allowed: frozenset[int]) -> str:
    return "".join(chr(octet) if octet in allowed else f"%{octet:02X}" for octet in octets(text))


# Joining.


def url_join(parts: dict[str, Value]) -> str:
    """Return the URL of these parts."""
    scheme, host, path, query, opaque, fragment, userinfo = (
        _part(parts, name) for name in ("scheme", "host", "path", "query", "opaque", "fragment", "userinfo")
    )
    user = None
    if userinfo:
        user = _parsed(f"proto://{userinfo}@host", "unable to parse userinfo in dict")[1]
    url = f"{scheme}:" if scheme else ""
    url += opaque or _hierarchy(url, host, path, user)
    url += f"?{query}" if query else ""
    return url + (f"#{_escape(fragment, _FRAGMENT)}" if fragment else "")


def _hierarchy(before: str, host: str, path: str, user: str | None) -> str:
    """Return authority and path."""
    authority = ""
    if host or user is not None or (before and path):
        authority = "//" + ("" if user is None else f"{user}@") + _escape(host, _HOST)
    escaped = "*" if path == "*" else _escape(path, _PATH)
    if escaped and not escaped.startswith("/") and host:
        authority += "/"
    if not before + authority and ":" in escaped.partition("/")[0]:
        authority = "./"
    return authority + escaped


def _part(parts: dict[str, Value], name: str) -> str:
    if name not in parts:
        return ""
    value = parts[name]
    if value is None:
        raise FunctionError(NIL_DEREFERENCE)
    if not isinstance(value, str):
        kind = kind_name(value)
        raise FunctionError(f"unable to parse {name} key, must be of type string, but {kind} found")
    return str(value)


# Paths.


def base(path: str) -> str:
    """Return the last element; "." for an empty path, "/" for slashes alone."""
    if not path:
        return "."
    return path.rstrip("/").rpartition("/")[2] or "/"


def clean(path: str) -> str:
    """Return the shortest path that means the same: without ``//``, ``.`` or inner ``..``."""
    cleaned = posixpath.normpath(path)
    return cleaned[1:] if cleaned.startswith("//") else cleaned


def directory(path: str) -> str:
    """Return all but the last element, cleaned."""
    return clean(path[: path.rfind("/") + 1])


def ext(path: str) -> str:
    """Return the text from the last dot of the last element on."""
    name = path.rpartition("/")[2]
    return name[name.rfind(".") :] if "." in name else ""


_TEXT: Final = "func(string) string"
_IS_ABS: Final = go("func(string) bool", lambda path: path.startswith("/"))

FUNCTIONS: Final = {
    "base": go(_TEXT, base),
    "clean": go(_TEXT, clean),
    "dir": go(_TEXT, directory),
    "ext": go(_TEXT, ext),
    "isAbs": _IS_ABS,
    "osBase": go(_TEXT, base),
    "osClean": go(_TEXT, clean),
    "osDir": go(_TEXT, directory),
    "osExt": go(_TEXT, ext),
    "osIsAbs": _IS_ABS,
    "urlJoin": go("func(map[string]any) string", url_join),
    "urlParse": go("func(string) map[string]any", url_parse),
}
