"""AdmissionReview bytes in and out: decode for Istio's injector of a release, encode its answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final, Never

import msgspec
import orjson

from injector.budget import Budget
from injector.errors import BadReview, InjectionError, YAMLError
from injector.golang.jsontext import fold_name, json_fault, kind_of, mismatch, without_surrogates
from injector.golang.strconv import to_int
from injector.istio.releases import Behaviour
from injector.json_types import JSON, JSONObject, Number, Operation
from injector.kubeyaml import count_nodes, count_values, load
from injector.patch import in_key_order

GROUP: Final = "admission.k8s.io"
SERVICE_ACCOUNT: Final = "system:serviceaccount:"
"""How the user name of a program in the cluster, a service account, begins; those of people do not."""

_SPACE: Final = b" \t\r\n"
_TYPE_META: Final = (
    'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
)


class UndecodableReviewError(InjectionError):
    """The body is not an AdmissionReview. Istio answers 200 with ``allowed: false`` and no uid; so do we."""


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """One request of an API server.

    ``object`` is None where the review has none. ``api_version`` and ``kind`` are for the releases that echo
    them. ``unread`` is the result of `is_unread`.
    """

    uid: str
    namespace: str
    name: str
    object: JSON
    api_version: str = ""
    kind: str = ""
    unread: bool = False


def is_unread(request: JSONObject) -> bool:
    """Return whether nobody reads warnings: a controller that compares repeats its dry run for ever."""
    if request.get("dryRun") is not True:
        return False
    user = request.get("userInfo")
    return isinstance(user, dict) and str(user.get("username")).startswith(SERVICE_ACCOUNT)


def decode(body: bytes, behaviour: Behaviour, budget: Budget) -> Review:
    """Read one AdmissionReview.

    Raises BadReview where Istio's handler would crash or refuse the POST, UndecodableReviewError where Istio
    answers that it could not read the body, and LimitError for too many values.
    """
    if not body:
        raise BadReview(400, "no body found")
    budget.charge("values", count_values(body, budget.limits.values), "the review has too many JSON values")
    review = _parse(body, budget)
    budget.check_deadline()
    if isinstance(review, dict) or review is None:
        api_version, kind = _identify(review or {}, body, behaviour)
        return _request(review or {}, api_version, kind)
    raise UndecodableReviewError(_not_identified(mismatch(review, _TYPE_META)))


def decode_head(body: bytes) -> Review:
    """Return what is needed to answer a review whose object is too large to be read."""
    try:
        head = msgspec.json.decode(body, type=_Head)
    except msgspec.MsgspecError:
        return Review(uid="", namespace="", name="", object=None)
    request = head.request
    return Review(
        uid=request.uid,
        namespace=request.namespace,
        name=request.name,
        object=None,
        api_version=head.api_version,
        kind=head.kind,
    )


class _HeadOfRequest(msgspec.Struct):
    uid: str = ""
    namespace: str = ""
    name: str = ""


class _Head(msgspec.Struct, rename={"api_version": "apiVersion"}):
    request: _HeadOfRequest
    api_version: str = ""
    kind: str = ""


# ---- from bytes to JSON


def _parse(body: bytes, budget: Budget) -> JSON:
    """Return the JSON of a body. As in Kubernetes, a body that does not open with a brace is YAML."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    text = body.decode("utf-8", "replace")
    if not body.lstrip(_SPACE).startswith(b"{"):
        return _parse_yaml(text, budget)
    values = count_values(body, budget.limits.irregular_values)
    budget.hold("irregular_values", values, "the review is not plain JSON, and has too many values for that")
    try:
        return without_surrogates(_exactly(text))
    except ValueError as error:
        raise UndecodableReviewError(_not_identified(json_fault(body))) from error


class _ConstantError(ValueError):
    """A word that Python takes for a number and JSON does not."""


def _exactly(text: str) -> JSON:
    """Return the JSON of a text that orjson refuses or would read inexactly: numbers keep their text."""
    return json.loads(text, parse_int=_integer, parse_float=Number, parse_constant=_refuse)


def _integer(text: str) -> JSON:
    number = to_int(text)
    return number if -(2**63) <= number < 2**64 else Number(text)


def _refuse(word: str) -> Never:
    raise _ConstantError(word)


def object_as_written(body: bytes) -> JSON:
    """Return the review's object with its numbers as they are written, for an error message."""
    try:
        return without_surrogates(_exactly(body.decode("utf-8", "replace")))["request"]["object"]
    except (ValueError, LookupError, TypeError):  # it is YAML
        return None


def _parse_yaml(text: str, budget: Budget) -> JSON:
    budget.hold(
        "nodes", count_nodes(text, budget.limits.nodes), "the review, which is YAML, has too many nodes"
    )
    try:
        return in_key_order(load(text))
    except YAMLError as error:
        raise UndecodableReviewError(str(error)) from error


def _not_identified(reason: str) -> str:
    return f"couldn't get version/kind; json parse error: {reason}"


# ---- what the body is


def _identify(review: JSONObject, body: bytes, behaviour: Behaviour) -> tuple[str, str]:
    """Return the apiVersion and kind of a review that this release reads."""
    api_version, kind = _text(review, "apiVersion"), _text(review, "kind")
    if behaviour.review_needs_kind:
        for value, name in ((kind, "Kind"), (api_version, "apiVersion")):
            if not value:
                text = body.decode("utf-8", "replace")
                raise UndecodableReviewError(f"Object '{name}' is missing in '{text}'")
    group, _, version = api_version.rpartition("/")
    if kind == "AdmissionReview" and group == GROUP and version in behaviour.review_versions:
        return api_version, kind
    _refuse_kind(api_version, kind, behaviour)
    return api_version, kind


def _refuse_kind(api_version: str, kind: str, behaviour: Behaviour) -> None:
    """Raise what this release answers to something that is not an AdmissionReview of a known version."""
    if (api_version, kind) == ("v1", "Pod"):
        if behaviour.refuses_other_kinds:
            raise UndecodableReviewError(
                f"unsupported type :&TypeMeta{{Kind:{kind},APIVersion:{api_version},}}"
            )
        raise BadReview(400, "the body is a Pod, not an AdmissionReview")
    if behaviour.reads_any_review or (not behaviour.review_needs_kind and not (api_version and kind)):
        return
    scheme = f' in scheme "{behaviour.scheme}"' if behaviour.scheme else ""
    raise UndecodableReviewError(f'no kind "{kind}" is registered for version "{api_version}"{scheme}')


def _text(review: JSONObject, key: str) -> str:
    """Return the string under a key, which may be in any case, as encoding/json finds it."""
    value = review.get(key)
    if value is None:
        value = next((item for name, item in review.items() if fold_name(name) == fold_name(key)), None)
    if value is None:
        return ""
    if not isinstance(value, str):
        reason = f"json: cannot unmarshal {kind_of(value)} into Go struct field .{key} of type string"
        raise UndecodableReviewError(_not_identified(reason))
    return value


def _request(review: JSONObject, api_version: str, kind: str) -> Review:
    request = review.get("request")
    if request is None:
        raise BadReview(400, "the AdmissionReview has no request")
    if not isinstance(request, dict):
        package = api_version.rpartition("/")[2] or "v1beta1"
        raise UndecodableReviewError(mismatch(request, f"{package}.AdmissionRequest"))
    return Review(
        uid=_string(request, "uid"),
        namespace=_string(request, "namespace"),
        name=_string(request, "name"),
        object=request.get("object"),
        api_version=api_version,
        kind=kind,
        unread=is_unread(request),
    )


def _string(request: JSONObject, key: str) -> str:
    value = request.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        declared = "types.UID" if key == "uid" else "string"
        field = f"Go struct field AdmissionRequest.request.{key} of type {declared}"
        raise UndecodableReviewError(f"json: cannot unmarshal {kind_of(value)} into {field}")
    return value


# ---- the answer


def encode_operations(operations: Sequence[Operation]) -> bytes:
    """Return a JSON patch as text."""
    return orjson.dumps(operations, default=_written)


def _written(value: object) -> orjson.Fragment:
    """Encode a value that orjson does not know: a number of the pod that was kept as text."""
    if isinstance(value, Number):
        return orjson.Fragment(value.text)
    raise TypeError


def in_base64(patch: bytes) -> bytes:
    """Return the text of a JSON patch as an AdmissionReview carries it: a JSON string of its base64."""
    return msgspec.json.encode(patch)


def encode_patch(review: Review, patch: bytes, behaviour: Behaviour, warnings: Sequence[str] = ()) -> bytes:
    """Return the answer that injects; ``patch`` is the result of `in_base64`."""
    response = {"allowed": True, "patch": orjson.Fragment(patch), "patchType": "JSONPatch"}
    return _encode(review, _warned(response, review, warnings), behaviour)


def encode_allowed(review: Review, behaviour: Behaviour, warnings: Sequence[str] = ()) -> bytes:
    """Return the answer that leaves the pod alone."""
    return _encode(review, _warned({"allowed": True}, review, warnings), behaviour)


def _warned(response: dict[str, Any], review: Review, warnings: Sequence[str]) -> dict[str, Any]:
    """Return the response with its warnings, unless there are none or nobody reads them."""
    return response | {"warnings": [*warnings]} if warnings and not review.unread else response


def encode_denied(review: Review | None, message: str, behaviour: Behaviour) -> bytes:
    """Return the answer that denies the pod; ``review`` is None where there is none to echo."""
    return _encode(review, {"allowed": False, "status": {"metadata": {}, "message": message}}, behaviour)


def _encode(review: Review | None, response: dict[str, Any], behaviour: Behaviour) -> bytes:
    head: dict[str, Any] = {}
    if behaviour.always_has_patch_type:
        response = {"patchType": ""} | response
    if review is not None and behaviour.echoes_kind:
        head = {"kind": review.kind, "apiVersion": review.api_version}
    return orjson.dumps(head | {"response": {"uid": review.uid if review else ""} | response})
