"""Text escaped for HTML, JavaScript and URL queries, as text/template's functions do."""

from __future__ import annotations

from urllib.parse import quote_plus

_HTML = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;", "\0": "\ufffd"},
)
_JS = (
    {code: f"\\u{code:04X}" for code in range(0x20)}
    | {ord(character): f"\\u{ord(character):04X}" for character in "<>&="}
    | {ord(character): f"\\{character}" for character in "\\'\""}
)


def html_escape(text: str) -> str:
    """Return ``text`` fit to stand in HTML, in attributes too."""
    return text.translate(_HTML)


def js_escape(text: str) -> str:
    """Return ``text`` fit to stand in a JavaScript string literal of either quote."""
    text = text.translate(_JS)
    return text if text.isprintable() else "".join(_js_rune(rune) for rune in text)


def _js_rune(rune: str) -> str:
    """Escape what is neither ASCII nor printable; a byte that is no UTF-8 is left as it is."""
    if rune < "\x80" or rune.isprintable() or "\udc80" <= rune <= "\udcff":
        return rune
    return f"\\u{ord(rune):04X}"


def urlquery_escape(text: str) -> str:
    """Return ``text`` fit to stand in the query of a URL: a space becomes a plus sign."""
    return quote_plus(text, safe="", errors="surrogateescape")
