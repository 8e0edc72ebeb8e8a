"""The shapes of JSON that pass between rooms. Knows nothing but typing."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict

JSON: TypeAlias = Any
"""None, bool, int, float, str, list[JSON] or dict[str, JSON], as orjson reads it."""

JSONObject: TypeAlias = dict[str, Any]

Pod: TypeAlias = JSONObject
"""A Pod as the API server sends it. Never mutated: a change is a new dict that shares what stays."""

Operation = TypedDict(
    "Operation",
    {
        "op": Literal["add", "remove", "replace", "move", "copy", "test"],
        "path": str,
        "from": NotRequired[str],
        "value": NotRequired[JSON],
    },
)
"""One RFC 6902 operation."""


class ReviewStatus(TypedDict, total=False):
    """metav1.Status as far as an AdmissionResponse uses it."""

    metadata: JSONObject
    message: str
    code: int
    reason: str


class AdmissionRequest(TypedDict):
    """admission.k8s.io AdmissionRequest as far as the injector reads it."""

    uid: str
    object: JSON
    namespace: NotRequired[str]
    name: NotRequired[str]
    dryRun: NotRequired[bool]


class AdmissionResponse(TypedDict):
    """admission.k8s.io AdmissionResponse; ``patch`` is base64 of a JSON patch."""

    uid: str
    allowed: bool
    patch: NotRequired[str]
    patchType: NotRequired[Literal["JSONPatch"]]
    status: NotRequired[ReviewStatus]
    warnings: NotRequired[list[str]]
