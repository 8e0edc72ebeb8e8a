"""Infer the release from the texts of a configuration, for configurations without ``--release``.

The tag of the proxy's image decides, if the format of the templates agrees: ``templates`` came with 1.9, a
single ``template`` in square brackets ended with 1.1. For a tag that names no release (``latest``, a digest),
it is the newest release of that format.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from injector.golang.jsontext import member
from injector.istio.facts import NEWEST, OLDEST, RELEASED, Span
from injector.json_types import JSONObject

_TAG: Final = re.compile(r"(?:release-|v)?1\.(?P<minor>\d{1,2})(?![\d])(?:\.\d+)?(?:[-+_.].*)?")
_PROXY_IMAGE: Final = re.compile(r"/proxyv2:(?P<tag>[\w.+-]+)")


def infer_release(config: JSONObject, values: JSONObject) -> tuple[str, str]:
    """Return the release, "1.29", for a configuration without ``--release``, and what shows it."""
    key, span = _format(config)
    unknown = ""
    for place, tag in _tags(config, values):
        match = _TAG.fullmatch(tag)
        minor = int(match["minor"]) if match else -1
        if OLDEST <= minor <= NEWEST and span.covers(minor):
            return f"1.{minor}", f"told from {place} {tag}"
        unknown = unknown or f": {place} {tag} tells none"
    return f"1.{min(span.until, RELEASED)}", f"the newest that reads {key}{unknown}"


def _format(config: JSONObject) -> tuple[str, Span]:
    """Return how the templates are given, and the minors that read them in this form.

    Charts from 1.9 on put a ``template`` beside ``templates`` that only says that versions do not match.
    """
    template = member(config, "template")
    if member(config, "templates") or not template:
        return "`templates`", Span(since=9)
    has_brackets = isinstance(template, str) and "[[" in template and "{{" not in template
    return ("`template` in square brackets", Span(until=1)) if has_brackets else ("`template`", Span(until=8))


def _tags(config: JSONObject, values: JSONObject) -> Iterator[tuple[str, str]]:
    """Yield the places of the proxy image's tag, and the tag there; the most important first."""
    settings = member(values, "global")
    tag = member(settings, "tag")
    if isinstance(tag, str | int | float) and not isinstance(tag, bool) and tag != "":
        yield "values.global.tag", str(tag)
    image = member(member(settings, "proxy"), "image")
    if isinstance(image, str):
        name, _, tag = image.partition("@")[0].rpartition(":")
        if name and "/" not in tag:
            yield "values.global.proxy.image", tag
    for text in _template_texts(config):
        for match in _PROXY_IMAGE.finditer(text):
            yield "the template's image", match["tag"]


def _template_texts(config: JSONObject) -> Iterator[str]:
    templates = member(config, "templates")
    found = templates.values() if isinstance(templates, dict) and templates else (member(config, "template"),)
    yield from (text for text in found if isinstance(text, str))
