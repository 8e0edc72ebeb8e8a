"""Read the files of reference cases as one type Case. Independent of the injector.

The legacy folders (1.0 to 1.10) and the newer ones name the same things differently; only this module sees
that difference.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote

Door = Literal["webhook", "file", "decision"]

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What an injector is loaded from; hashable, so that equal cases share one injector."""

    folder: Path
    release: str
    config: str
    values: str
    mesh: str
    mesh_defaults: str = ""
    revision: str = "default"
    env: tuple[tuple[str, str], ...] = ()
    nodes: tuple[tuple[str, str], ...] | None = None
    namespaces: str = "{}"

    def text(self, kind: str, name: str, *endings: str) -> str:
        """Return the first file of ``kind`` that exists under one of the endings."""
        for ending in endings:
            path = self.folder / kind / f"{name}{ending}"
            if path.exists():
                return path.read_text(encoding="utf-8")
        raise FileNotFoundError(self.folder / kind / name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One question with Istio's answer.

    ``body`` and ``content_type`` are the HTTP request of a webhook case; ``input`` the YAML of a
    file case. ``status`` 0 stands for a handler that panicked: no HTTP answer at all.
    """

    release: str
    name: str
    door: Door
    setup: Setup
    path: str = "/inject"
    body: bytes = b""
    content_type: str | None = "application/json"
    object: Any = None
    input: str = ""
    namespace: str = ""
    template_version: str = ""
    tags: tuple[str, ...] = ()
    # the answer
    status: int = 200
    answer: Any = None
    patched: Any = None
    patched_base: Literal["", "normalized", "none"] = ""
    operations: int | None = None
    output: str | None = None
    documents: Any = None
    error: str = ""
    error_class: str = ""
    warnings: tuple[str, ...] | None = None
    required: bool | None = None
    loose_text: bool = False
    loose_env_order: bool = False
    row: Any = field(default=None, repr=False, compare=False, hash=False)


def releases(folder: Path) -> tuple[str, ...]:
    """Return the releases that the folder has, oldest first."""
    names = [path.name for path in folder.iterdir() if (path / "configs").is_dir()]
    return tuple(sorted(names, key=lambda name: [int(part) for part in name.split(".")]))


@cache
def load(folder: Path, release: str) -> tuple[Case, ...]:
    """Return every case of one release."""
    return tuple(_read(folder / release, release))


def _read(folder: Path, release: str) -> Iterator[Case]:
    for name in ("cases", "generated", "generated-unstable", "annotations"):
        for line in _lines(folder / f"{name}.jsonl"):
            row = json.loads(line)
            if name == "annotations":  # its names are those of other cases in `generated`
                row["name"] = f"annotations/{row['name']}"
            yield from _legacy(folder, release, row) if "kind" in row else _modern(folder, release, row)


def _lines(path: Path) -> Iterator[str]:
    """Yield the lines of a file, which may be there as ``.gz``; none when it is not there."""
    if path.exists():
        with path.open(encoding="utf-8") as lines:
            yield from lines
    packed = path.with_name(f"{path.name}.gz")
    if packed.exists():
        with gzip.open(packed, "rt", encoding="utf-8") as lines:
            yield from lines


# ---- 1.0 to 1.10


def _legacy_environment(settings: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    env = dict(settings.get("env", {}))
    features = settings.get("features", {})
    if "EnableLegacyFSGroupInjection" in features:
        env.setdefault(
            "ENABLE_LEGACY_FSGROUP_INJECTION", str(features["EnableLegacyFSGroupInjection"]).lower()
        )
    return tuple(sorted(env.items()))


def _legacy(folder: Path, release: str, row: dict[str, Any]) -> Iterator[Case]:
    settings = row["settings"]
    setup = Setup(
        folder=folder,
        release=release,
        config=row["config"],
        values=row["values"],
        mesh=row["mesh"],
        mesh_defaults="default-testmode" if settings.get("mesh_test_mode") else "",
        revision=settings.get("revision", "default"),
        env=_legacy_environment(settings),
    )
    if row["kind"] == "kube-inject":
        yield Case(
            release=release,
            name=row["name"],
            door="file",
            setup=setup,
            input=row["input"],
            output=row.get("output"),
            documents=row.get("expected"),
            error=row.get("error", ""),
            error_class=row.get("error_class", ""),
            warnings=tuple(row["warnings"]) if "warnings" in row else None,
            template_version=settings.get("template_version", ""),
            loose_text="error_text_varies" in settings,
            row=row,
        )
        return
    response = row["response"]
    body = _body(row, "body_text")
    yield Case(
        release=release,
        name=row["name"],
        door="webhook",
        setup=setup,
        path=unquote(settings.get("path", "/inject")),
        body=body,
        content_type=settings.get("content_type"),
        object=_object(body),
        template_version=settings.get("template_version", ""),
        tags=tuple(settings.get("tags", ())),
        status=0 if "panic" in response else response["status"],
        answer=response.get("body", response.get("body_text")),
        patched=row.get("patched"),
        patched_base=_legacy_base(row),
        operations=len(row["patch"]) if "patch" in row else None,
        error=row.get("error", ""),
        error_class=row.get("error_class", ""),
        required=row.get("expected") if row["kind"] == "inject-required" else None,
        loose_text="error_text_varies" in settings,
        loose_env_order="patched_varies" in settings or "patched_varies" in row,
        row=row,
    )


def _legacy_base(row: dict[str, Any]) -> Literal["", "normalized", "none"]:
    if "patch_apply_error" not in row:
        return ""
    return "normalized" if row.get("patched_base") == "normalized" else "none"


def _body(row: dict[str, Any], text_key: str) -> bytes:
    """Return the body that was sent; if a row has a review as well, it is that of the case it came from."""
    if row.get("review") is None:
        if "body_b64" in row:
            return base64.b64decode(row["body_b64"])
        return str(row[text_key]).encode("utf-8", "surrogatepass")
    separators = (", ", ": ") if "kind" in row else (",", ":")  # as the two sets were sent
    text = json.dumps(row["review"], ensure_ascii=False, separators=separators)
    return text.encode("utf-8", "surrogatepass")


def _object(body: bytes) -> Any:
    """Return ``request.object`` of a review in JSON as Go would read it, None where there is none."""
    try:
        review = json.loads(body.decode("utf-8-sig", "replace"))
    except ValueError:
        return None
    request = review.get("request") if isinstance(review, dict) else None
    return _without_surrogates(request.get("object")) if isinstance(request, dict) else None


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_SURROGATE.sub("\ufffd", key): _without_surrogates(item) for key, item in value.items()}
    return value


# ---- from 1.12

_FEATURES = ("ENABLE_NATIVE_SIDECARS", "COMPLIANCE_POLICY", "PLATFORM", "REWRITE_TCP_PROBES")


def _environment(settings: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    env = {name: str(settings[name]) for name in _FEATURES if settings.get(name) not in (None, "")}
    if "REWRITE_TCP_PROBES" in env:
        env["REWRITE_TCP_PROBES"] = env["REWRITE_TCP_PROBES"].lower()
    env |= settings.get("env", {})
    if settings.get("env_ENABLE_LEGACY_FSGROUP_INJECTION"):
        env["ENABLE_LEGACY_FSGROUP_INJECTION"] = settings["env_ENABLE_LEGACY_FSGROUP_INJECTION"]
    return tuple(sorted(env.items()))


def _setup(folder: Path, release: str, row: dict[str, Any], revision: str) -> Setup:
    settings = row["settings"]
    return Setup(
        folder=folder,
        release=release,
        config=row["config"],
        values=row["values"],
        mesh=row["mesh"],
        revision=revision,
        env=_environment(settings),
        nodes=tuple(sorted(settings["nodes"].items())) if settings.get("nodes") is not None else None,
        namespaces=json.dumps(settings.get("namespaces") or {}, sort_keys=True),
    )


def _modern(folder: Path, release: str, row: dict[str, Any]) -> Iterator[Case]:
    settings = row["settings"]
    webhook_setup = _setup(folder, release, row, settings.get("webhook_revision", "default"))
    if row.get("source", "generated") == "generated":
        yield _modern_webhook(release, row["name"], webhook_setup, row, row["path"])
        return
    if not settings.get("skip_kube_inject"):
        yield Case(
            release=release,
            name=f"{row['name']}/file",
            door="file",
            setup=_setup(folder, release, row, settings.get("kube_inject_revision", "")),
            input=row["input"],
            documents=row.get("expected"),
            error=row.get("error", ""),
            warnings=tuple(row["warnings"]) if "warnings" in row else None,
            loose_text=row.get("unstable_text", False),
            row=row,
        )
    for view in row.get("webhook") or ():
        name = f"{row['name']}/webhook[{view['doc']}]"
        yield _modern_webhook(release, name, webhook_setup, view | {"name": name}, view["path"])


def _lists(answer: Any) -> bool:
    """Return whether a message lists the content of a Go map: the order may have been the same by chance."""
    response = answer.get("response") if isinstance(answer, dict) else None
    message = (response or {}).get("status", {}).get("message", "")
    return "errors occurred" in message or "; have " in message


def _modern_webhook(release: str, name: str, setup: Setup, row: dict[str, Any], path: str) -> Case:
    response = row["response"]
    headers = row.get("request_headers", {"Content-Type": "application/json"})
    body = _body(row, "body")
    base: Literal["", "none"] = "none" if "patch_error" in response else ""
    return Case(
        release=release,
        name=name,
        door="webhook",
        setup=setup,
        path=unquote(path),
        body=body,
        content_type=headers.get("Content-Type"),
        object=_object(body),
        tags=tuple(row.get("tags", ())),
        status=0 if "panic" in response else response["http_status"],
        answer=response.get("body"),
        patched=row.get("patched"),
        patched_base=base,
        operations=response.get("patch_ops"),
        loose_text=row.get("unstable_text", False) or _lists(response.get("body")),
        row=row,
    )
