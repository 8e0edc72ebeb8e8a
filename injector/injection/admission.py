"""AdmissionReview bytes in and out: decode for Istio's injector of a release, encode its answer.

Knows no HTTP but the status of a BadReview, and nothing of how a pod is injected.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from injector.errors import BadReview, InjectionError, YAMLError
from injector.golang.jsontext import kind_of
from injector.injection.releases import Behaviour
from injector.json_types import JSON, JSONObject, Operation
from injector.kubeyaml import load

GROUP: Final = "admission.k8s.io"
CONTENT_TYPE: Final = "application/json"

_PATCH: Final = b'"patch":"'

_SPACE: Final = b" \t\r\n"
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_TYPE_META: Final = (
    'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
)
_SYNTAX: Final = {
    "Extra data": "after top-level value",
    "Expecting property name enclosed in double quotes": "looking for beginning of object key string",
    "Expecting ':' delimiter": "after object key",
    "Expecting ',' delimiter": "after object key:value pair",
    "Illegal trailing comma before end of object": "looking for beginning of object key string",
}


class UndecodableReviewError(InjectionError):
    """The body is no AdmissionReview: answered with 200, ``allowed: false`` and no uid, as Istio does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """One request of an API server.

    ``object`` is None where the review has none; ``api_version`` and ``kind`` are echoed by the
    releases that echo them.
    """

    uid: str
    namespace: str
    name: str
    object: JSON
    api_version: str = ""
    kind: str = ""


def accept(body: bytes, content_type: str | None) -> None:
    """Raise BadReview for a POST that Istio's handler turns away unread.

    An empty body is noticed first; then the media type, which must be ``application/json`` to the letter.
    """
    if not body:
        raise BadReview(400, "no body found")
    if content_type != CONTENT_TYPE:
        raise BadReview(415, "invalid Content-Type, want `application/json`")


def decode(body: bytes, behaviour: Behaviour) -> Review:
    """Read one AdmissionReview.

    Raises BadReview where Istio's handler would crash or refuse the POST, UndecodableReviewError where
    it answers that it could not read the body.
    """
    if not body:
        raise BadReview(400, "no body found")
    review = _parse(body)
    if isinstance(review, dict) or review is None:
        api_version, kind = _identify(review or {}, body, behaviour)
        return _request(review or {}, api_version, kind)
    raise UndecodableReviewError(_not_identified(_mismatch(review, _TYPE_META)))


# ---- from bytes to JSON


def _parse(body: bytes) -> JSON:
    """Return the JSON of a body: it is JSON where it opens with a brace, else YAML, as in Kubernetes."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    text = body.decode("utf-8", "replace")
    if not body.lstrip(_SPACE).startswith(b"{"):
        return _parse_yaml(text)
    try:
        return _without_surrogates(json.loads(text))
    except json.JSONDecodeError as error:
        raise UndecodableReviewError(_not_identified(_syntax(error))) from error


def _parse_yaml(text: str) -> JSON:
    try:
        return load(text)
    except YAMLError as error:
        raise UndecodableReviewError(str(error)) from error


def _without_surrogates(value: JSON) -> JSON:
    """Replace lone surrogates, which only an escape can bring, as encoding/json does."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return value


def _syntax(error: json.JSONDecodeError) -> str:
    """Return encoding/json's sentence for a syntax error; the commonest ones word for word."""
    if error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated string"):
        return "unexpected end of JSON input"
    context = _SYNTAX.get(error.msg, "looking for beginning of value")
    return f"invalid character '{error.doc[error.pos]}' {context}"


def _not_identified(reason: str) -> str:
    return f"couldn't get version/kind; json parse error: {reason}"


def _mismatch(value: JSON, go_type: str) -> str:
    return f"json: cannot unmarshal {kind_of(value)} into Go value of type {go_type}"


# ---- what the body is


def _identify(review: JSONObject, body: bytes, behaviour: Behaviour) -> tuple[str, str]:
    """Return apiVersion and kind of a review that this release reads."""
    api_version, kind = _text(review, "apiVersion"), _text(review, "kind")
    if behaviour.review_needs_kind:
        for value, name in ((kind, "Kind"), (api_version, "apiVersion")):
            if not value:
                raise UndecodableReviewError(f"Object '{name}' is missing in '{_shown(body)}'")
    group, _, version = api_version.rpartition("/")
    if kind == "AdmissionReview" and group == GROUP and version in behaviour.review_versions:
        return api_version, kind
    _refuse_kind(api_version, kind, behaviour)
    return api_version, kind


def _refuse_kind(api_version: str, kind: str, behaviour: Behaviour) -> None:
    """Say what happens to something that is not an AdmissionReview of a known version."""
    if (api_version, kind) == ("v1", "Pod"):
        if behaviour.refuses_other_kinds:
            raise UndecodableReviewError(
                f"unsupported type :&TypeMeta{{Kind:{kind},APIVersion:{api_version},}}"
            )
        raise BadReview(400, "the body is a Pod, not an AdmissionReview")
    if behaviour.reads_any_review or (not behaviour.review_needs_kind and not (api_version and kind)):
        return
    raise UndecodableReviewError(
        f'no kind "{kind}" is registered for version "{api_version}" in scheme "{behaviour.scheme}"'
    )


def _text(review: JSONObject, key: str) -> str:
    """Return a string under a key in any case, as encoding/json finds it."""
    value = review.get(key)
    if value is None:
        value = next((item for name, item in review.items() if name.lower() == key.lower()), None)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise UndecodableReviewError(_not_identified(_mismatch(value, "string")))
    return value


def _shown(body: bytes) -> str:
    return body.decode("utf-8", "replace")


def _request(review: JSONObject, api_version: str, kind: str) -> Review:
    request = review.get("request")
    if request is None:
        raise BadReview(400, "the AdmissionReview has no request")
    if not isinstance(request, dict):
        raise UndecodableReviewError(_mismatch(request, f"{_package(api_version)}.AdmissionRequest"))
    uid, namespace, name = (_string(request, key) for key in ("uid", "namespace", "name"))
    return Review(
        uid=uid,
        namespace=namespace,
        name=name,
        object=request.get("object"),
        api_version=api_version,
        kind=kind,
    )


def _package(api_version: str) -> str:
    return api_version.rpartition("/")[2] or "v1beta1"


def _string(request: JSONObject, key: str) -> str:
    value = request.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        found = kind_of(value)
        field = f"AdmissionRequest.request.{key}"
        raise UndecodableReviewError(
            f"json: cannot unmarshal {found} into Go struct field {field} of type string"
        )
    return value


# ---- the answer


def encode_operations(operations: Sequence[Operation]) -> bytes:
    """Return a JSON patch as text."""
    return orjson.dumps(operations)


def encode_patch(review: Review, patch: bytes, behaviour: Behaviour) -> bytes:
    """Return the answer that injects; ``patch`` is the text of a JSON patch in base64."""
    answer = _encode(review, {"allowed": True, "patch": "", "patchType": "JSONPatch"}, behaviour)
    before, after = answer.rsplit(_PATCH, 1)  # the patch is long, and nothing of it needs an escape
    return b"".join((before, _PATCH, patch, after))


def encode_allowed(review: Review, behaviour: Behaviour) -> bytes:
    """Return the answer that leaves the pod alone."""
    return _encode(review, {"allowed": True}, behaviour)


def encode_denied(review: Review | None, message: str, behaviour: Behaviour) -> bytes:
    """Return the answer that refuses the pod; ``review`` is None where there is none to echo."""
    return _encode(review, {"allowed": False, "status": {"metadata": {}, "message": message}}, behaviour)


def _encode(review: Review | None, response: dict[str, Any], behaviour: Behaviour) -> bytes:
    head: dict[str, Any] = {}
    if review is not None and behaviour.echoes_kind:
        head = {"kind": review.kind, "apiVersion": review.api_version}
    return orjson.dumps(head | {"response": {"uid": review.uid if review else ""} | response})
