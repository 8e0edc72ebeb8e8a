"""Judge a Case: ask the injector what Istio was asked, and compare the answers.

Patches are compared by their results, never by their operations.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from injector.errors import BadReview, InjectorError
from injector.injection.caches import memo_of
from injector.injection.injector import Injector
from injector.injection.loading import Sources, Surroundings, load_snapshot
from injector.injection.snapshot import UntrustedValues
from injector.istio.mesh.defaults import default_proxy_config
from injector.istio.mesh.descriptors import MESH_CONFIG, PROXY_CONFIG, Message, schema_of
from injector.istio.mesh.jsonpb import apply as apply_message
from injector.istio.mesh.loading import Mesh, load_mesh
from injector.istio.releases import behaviour_of
from injector.kubeyaml import documents, dump, load
from injector.kubeyaml.skeleton import SkeletonCache
from injector.patch import POD, apply, normalise
from tests.conformance.cases import Case, Setup

UNFOLDED = range(7, 10)
"""The minors whose YAML library does not fold long lines; others fold them near column 80."""

WORDING_OF_LIBRARIES = frozenset({"review-decode", "object-decode", "template", "rendered-yaml"})
"""Error classes of the legacy cases whose text is that of Go 1.21's libraries, not Istio's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """``differences`` is empty when the answers agree; each is one line."""

    case: Case
    differences: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Return whether Istio and we agree."""
        return not self.differences


def injector_for(setup: Setup, untrusted_values: UntrustedValues = "text") -> Injector:
    """Return the injector for the case's setup; both modes share the compiled templates."""
    injector = _loaded(setup)
    if untrusted_values == "text":
        return injector
    return Injector(
        replace(injector.snapshot, untrusted_values=untrusted_values, skeletons=_scalar_skeletons)
    )


_scalar_skeletons = SkeletonCache(memo_of("skeletons", 256 << 20))


@lru_cache(maxsize=96)
def _loaded(setup: Setup) -> Injector:
    sources = Sources(
        config=setup.text("configs", setup.config, ".yaml"),
        values=setup.text("values", setup.values, ".json", ".yaml"),
        mesh=mesh_of(setup),
    )
    around = Surroundings(
        release=setup.release,
        revision=setup.revision,
        env=dict(setup.env),
        nodes=None if setup.nodes is None else dict(setup.nodes),
        namespaces={
            name: {"metadata": {"name": name, "annotations": annotations}}
            for name, annotations in json.loads(setup.namespaces).items()
        },
        untrusted_values="text",
    )
    return Injector(load_snapshot(sources, around))


def mesh_of(setup: Setup) -> Mesh:
    """Return the mesh of a setup: from a user's text where there is one, else from an effective MeshConfig.

    A folder without the built-in defaults has the users' texts alone; ``nil`` stands for no mesh at all.
    """
    minor = behaviour_of(setup.release).minor
    if setup.mesh == "nil":
        return without_mesh(minor)
    if not (setup.folder / "mesh-default.json").exists():
        return load_mesh(setup.text("mesh", setup.mesh, ".yaml"), minor)
    if (setup.folder / "mesh" / f"{setup.mesh}.input.yaml").exists():
        return load_mesh(setup.text("mesh", setup.mesh, ".input.yaml"), minor)
    defaults = None
    if setup.mesh_defaults:
        defaults = effective_mesh(setup.text("mesh", setup.mesh_defaults, ".yaml"), minor).proxy_config
    return effective_mesh(setup.text("mesh", setup.mesh, ".yaml"), minor, proxy_defaults=defaults)


def effective_mesh(text: str, minor: int, *, proxy_defaults: Message | None = None) -> Mesh:
    """Return the mesh whose MeshConfig is exactly what the text says: everything else is zero."""
    config = apply_message(Message(type=schema_of(minor).message(MESH_CONFIG)), load(text))
    return Mesh(minor=minor, config=config, proxy_defaults=proxy_defaults or default_proxy_config(minor))


def without_mesh(minor: int) -> Mesh:
    """Return the nearest to no mesh at all, which only Istio's own tests have: everything is zero."""
    return effective_mesh("", minor, proxy_defaults=Message(type=schema_of(minor).message(PROXY_CONFIG)))


def judge(case: Case, untrusted_values: UntrustedValues = "text") -> Verdict:
    """Ask and compare."""
    ask: Callable[[Case, UntrustedValues], Iterator[str]] = _webhook if case.door == "webhook" else _file
    try:
        return Verdict(case=case, differences=tuple(ask(case, untrusted_values)))
    except (
        InjectorError,
        ArithmeticError,
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
        RecursionError,
    ) as error:
        return Verdict(case=case, differences=(_crash(error),))


def _crash(error: BaseException) -> str:
    frame = error.__traceback__
    while frame and frame.tb_next:
        frame = frame.tb_next
    where = f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}" if frame else "?"
    return f"crash: {type(error).__name__}: {error} at {where}"


# ---- the webhook


def respond(case: Case, untrusted_values: UntrustedValues = "text") -> tuple[int, Any]:
    """Return the HTTP status and the answer, JSON or text, that the injector gives."""
    injector = injector_for(case.setup, untrusted_values)
    try:
        accept(case.body, case.content_type)
        return 200, json.loads(injector.review(case.body, case.path))
    except BadReview as refusal:
        return refusal.status, f"{refusal.message}\n"


def accept(body: bytes, content_type: str | None) -> None:
    """Raise BadReview for a POST that Istio's handler refuses without reading it, as the edge does."""
    if not body:
        raise BadReview(400, "no body found")
    if content_type != "application/json":
        raise BadReview(415, "invalid Content-Type, want `application/json`")


def patch_of(answer: bytes) -> list[Any] | None:
    """Return the operations of an answer; None where it has no patch."""
    patch = json.loads(answer)["response"].get("patch")
    return None if patch is None else json.loads(base64.b64decode(patch))


def _webhook(case: Case, untrusted_values: UntrustedValues) -> Iterator[str]:
    status, answer = respond(case, untrusted_values)
    if case.status == 0:
        if status != 400:
            yield f"status: Istio panics, so 400 is due, not {status}: {answer!r:.300}"
        return
    if status != case.status:
        yield f"status: {case.status} expected, got {status}: {answer!r:.300}"
        return
    if status != 200:
        if answer != case.answer:
            yield f"text: {case.answer!r} expected, got {answer!r}"
        return
    yield from _reviews(case, answer)


def _reviews(case: Case, answer: Any) -> Iterator[str]:
    expected, response = dict(case.answer), dict(answer["response"])
    patch = response.pop("patch", None)
    wanted = dict(expected.pop("response"))
    wanted.pop("patch", None)
    if {key: value for key, value in answer.items() if key != "response"} != expected:
        yield f"head: {expected} expected, got { {k: v for k, v in answer.items() if k != 'response'} }"
    if patch is not None:
        operations = json.loads(base64.b64decode(patch))
        yield from _patched(case, operations)
    yield from _responses(case, wanted, response)


def _responses(case: Case, wanted: dict[str, Any], response: dict[str, Any]) -> Iterator[str]:
    if (case.loose_text or case.error_class in WORDING_OF_LIBRARIES) and {
        "status"
    } <= wanted.keys() & response.keys():
        wanted, response = dict(wanted), dict(response)
        theirs, ours = wanted.pop("status"), response.pop("status")
        if case.loose_text and _words(theirs["message"]) != _words(ours["message"]):
            yield f"message: {theirs['message']!r} expected in any order, got {ours['message']!r}"
    if wanted != response:
        for key in sorted(wanted.keys() | response.keys()):
            if wanted.get(key) != response.get(key):
                yield f"response.{key}: {wanted.get(key)!r:.600} expected, got {response.get(key)!r:.600}"


def _words(message: str) -> list[str]:
    """Return the parts of a sentence without their order: annotations by lines, templates by commas."""
    return sorted(re.split(r"\n|, |; have ", message))


def _patched(case: Case, operations: list[Any]) -> Iterator[str]:
    if case.patched is None and case.patched_base == "" and not case.operations:
        yield f"patched: nothing expected, got {operations!r:.300}"
        return
    ours = apply(case.object, operations) if case.object is not None else None
    if case.patched is None or case.patched_base == "none":
        return
    theirs = case.patched
    if case.patched_base == "normalized":
        ours, theirs = normalise(ours, POD), normalise(theirs, POD)
    ours = _with_version(case, ours)
    if case.loose_env_order:
        ours, theirs = _env_sorted(ours), _env_sorted(theirs)
    yield from unequal(theirs, ours)


def _env_sorted(pod: Any) -> Any:
    containers = [
        container | ({"env": sorted(container["env"], key=lambda e: e["name"])} if "env" in container else {})
        for container in pod["spec"]["containers"]
    ]
    return pod | {"spec": pod["spec"] | {"containers": containers}}


def _with_version(case: Case, value: Any) -> Any:
    """Put the version of Istio's test where ours, the template's hash, stands in a status annotation."""
    if not case.template_version or value is None:
        return value
    text = json.dumps(value)
    text = re.sub(r'(\{\\"version\\":\\")[0-9a-f]{64}(\\")', rf"\g<1>{case.template_version}\g<2>", text)
    return json.loads(text)


def unequal(theirs: Any, ours: Any, path: str = "") -> Iterator[str]:
    """Yield one line per place where two JSON values differ; True is not 1."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in [*theirs, *(key for key in ours if key not in theirs)]:
            here = f"{path}/{key}"
            if key not in ours:
                yield f"{here}: {theirs[key]!r:.400} is missing"
            elif key not in theirs:
                yield f"{here}: {ours[key]!r:.400} is too much"
            else:
                yield from unequal(theirs[key], ours[key], here)
    elif isinstance(theirs, list) and isinstance(ours, list):
        yield from _unequal_lists(theirs, ours, path)
    elif isinstance(theirs, bool) is not isinstance(ours, bool) or theirs != ours:
        yield f"{path}: {theirs!r:.600} expected, got {ours!r:.600}"


def _unequal_lists(theirs: list[Any], ours: list[Any], path: str) -> Iterator[str]:
    for index, (one, other) in enumerate(zip(theirs, ours, strict=False)):
        name = one.get("name", index) if isinstance(one, dict) else index
        yield from unequal(one, other, f"{path}/{name}")
    if len(theirs) != len(ours):
        rest = theirs[len(ours) :] or ours[len(theirs) :]
        word = "missing" if len(theirs) > len(ours) else "too much"
        yield f"{path}: {rest!r:.400} {word}"


# ---- by file


def _file(case: Case, untrusted_values: UntrustedValues) -> Iterator[str]:
    injector = injector_for(case.setup, untrusted_values)
    texts: list[str] = []
    found: list[Any] = []
    warnings: list[str] = []
    try:
        for document in documents(case.input):
            outcome = injector.inject_workload(document.value, namespace=case.namespace)
            warnings.extend(outcome.warnings)
            texts.append(dump(outcome.document, width=_width(case)) if outcome.reencoded else document.text)
            found.append(outcome.document)
    except InjectorError as error:
        yield from _file_error(case, str(error))
        return
    if case.error:
        yield f"error: {case.error!r} expected, none came"
        return
    yield from _file_documents(case, texts, found, warnings)


def _width(case: Case) -> int:
    return -1 if behaviour_of(case.release).minor in UNFOLDED else 80


def _file_error(case: Case, error: str) -> Iterator[str]:
    if not case.error:
        yield f"error: none expected, got {error!r}"
    elif case.error_class not in WORDING_OF_LIBRARIES and not case.loose_text and error != case.error:
        yield f"error: {case.error!r} expected, got {error!r}"


def _file_documents(case: Case, texts: list[str], found: list[Any], warnings: list[str]) -> Iterator[str]:
    found = [_with_version(case, document) for document in found if document is not None]
    if case.documents is not None:
        yield from unequal([d for d in case.documents if d is not None], found)
    if case.output is not None and not case.template_version:
        ours = "".join(f"{text}---\n" for text in texts)
        if ours != case.output and not tuple(unequal(case.documents, found)):
            yield f"bytes: {_first_difference(case.output, ours)}"
    if case.warnings is not None and tuple(warnings) != case.warnings:
        yield f"warnings: {case.warnings} expected, got {tuple(warnings)}"


def _first_difference(theirs: str, ours: str) -> str:
    for line, (one, other) in enumerate(zip(theirs.splitlines(), ours.splitlines(), strict=False), start=1):
        if one != other:
            return f"line {line}: {one!r} expected, got {other!r}"
    return f"{len(theirs)} characters expected, got {len(ours)}"
