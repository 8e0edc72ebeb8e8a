from __future__ import annotations

import json
from typing import Any

import pytest

from injector.budget import Budget
from injector.errors import BadReview
from injector.injection import admission
from injector.injection.admission import (
    Review,
    UndecodableReviewError,
    encode_allowed,
    encode_denied,
    encode_operations,
    encode_patch,
    in_base64,
)
from injector.istio.releases import behaviour_of
from tests.injection.builders import a_review, answered

NEW, OLD, OLDEST = behaviour_of("1.31"), behaviour_of("1.4"), behaviour_of("1.0")


def decode(body: bytes, behaviour: Any) -> Review:
    return admission.decode(body, behaviour, Budget())


def refused(body: bytes, behaviour: Any = NEW) -> str:
    with pytest.raises(UndecodableReviewError) as refusal:
        decode(body, behaviour)
    return str(refusal.value)


def unanswered(body: bytes, behaviour: Any = NEW) -> tuple[int, str]:
    with pytest.raises(BadReview) as refusal:
        decode(body, behaviour)
    return refusal.value.status, refusal.value.message


def test_a_review_is_read() -> None:
    review = decode(a_review({"kind": "Pod"}, version="v1", name="web"), NEW)
    assert review == Review(
        uid="u1",
        namespace="shop",
        name="web",
        object={"kind": "Pod"},
        api_version="admission.k8s.io/v1",
        kind="AdmissionReview",
    )


def test_no_body_is_a_bad_call() -> None:
    assert unanswered(b"") == (400, "no body found")


@pytest.mark.parametrize("request_", [b"", b',"request":null'])
def test_a_review_without_request_is_a_bad_call(request_: bytes) -> None:
    body = b'{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"%s}' % request_
    assert unanswered(body) == (400, "the AdmissionReview has no request")


@pytest.mark.parametrize("body", [b"{}", b"null", b"  \n"])
def test_an_old_release_would_crash_on_nothing(body: bytes) -> None:
    assert unanswered(body, OLD)[0] == 400


def test_a_new_release_says_what_is_missing() -> None:
    assert refused(b"null") == "Object 'Kind' is missing in 'null'"
    assert (
        refused(b'{"kind":"AdmissionReview"}')
        == """Object 'apiVersion' is missing in '{"kind":"AdmissionReview"}'"""
    )


def test_a_pod_as_body_is_a_crash_or_an_error() -> None:
    body = b'{"apiVersion":"v1","kind":"Pod"}'
    assert unanswered(body, behaviour_of("1.8")) == (400, "the body is a Pod, not an AdmissionReview")
    assert unanswered(body, behaviour_of("1.16"))[0] == 400
    told = "unsupported type :&TypeMeta{Kind:Pod,APIVersion:v1,}"
    assert refused(body, behaviour_of("1.17")) == refused(body) == told


def test_an_unknown_version_or_kind_is_told_as_kubernetes_does() -> None:
    sentence = 'no kind "AdmissionReview" is registered for version "admission.k8s.io/v2" in scheme "pkg/runtime/scheme.go:111"'
    assert refused(a_review({}, version="v2")) == sentence
    assert "no kind" in refused(a_review({}, version="v1"), OLD)
    unknown = 'no kind "AdmissionReview" is registered for version "admission.k8s.io/v1"'
    assert refused(a_review({}, version="v1"), behaviour_of("1.1")) == unknown
    scheme = "istio.io/istio/pilot/pkg/kube/inject/webhook.go:46"
    assert refused(a_review({}, version="v1"), behaviour_of("1.3")) == f'{unknown} in scheme "{scheme}"'
    assert 'no kind "Nope"' in refused(a_review({}).replace(b"AdmissionReview", b"Nope"))


def test_the_oldest_release_reads_any_version() -> None:
    assert decode(a_review({}, version="v2"), OLDEST).uid == "u1"


def test_old_releases_need_neither_kind_nor_version() -> None:
    assert decode(b'{"request":{"uid":"u","object":{}}}', OLD).uid == "u"


def test_kind_and_version_are_found_in_any_case() -> None:
    assert (
        decode(b'{"KIND":"AdmissionReview","APIVersion":"admission.k8s.io/v1","request":{}}', NEW).uid == ""
    )


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"[]", "json: cannot unmarshal array into Go value of type struct"),
        (b'"x"', "json: cannot unmarshal string into Go value of type struct"),
        (b'{"kind":1}', "json: cannot unmarshal number into Go struct field .kind of type string"),
        (
            b'{"apiVersion":[]}',
            "json: cannot unmarshal array into Go struct field .apiVersion of type string",
        ),
        (b'{"kind":"a"', "unexpected end of JSON input"),
        (b'{"kind":"a', "unexpected end of JSON input"),
        (b'{"a":1} {"b":2}', "invalid character '{' after top-level value"),
        (b'{"a" 1}', "invalid character '1' after object key"),
        (b'{"a":1 "b":2}', "invalid character '\"' after object key:value pair"),
        (b"{a:1}", "invalid character 'a' looking for beginning of object key string"),
        (b'{"a":x}', "invalid character 'x' looking for beginning of value"),
        (b'{"a":[1:2]}', "invalid character ':' after array element"),
        (b'{"a":"\\q"}', "invalid character 'q' in string escape code"),
        (b'{"a":"\\u{1}"}', "invalid character '{' in \\u hexadecimal character escape"),
        (b'{"a":"x\ty"}', "invalid character '\\t' in string literal"),
        (b'{"a":tru3}', "invalid character '3' in literal true (expecting 'e')"),
        (b'{"a":\xc3\xa9}', "invalid character 'Ã' looking for beginning of value"),
        (b'{"a":NaN}', "invalid character 'N' looking for beginning of value"),
        (b'{"a":-Infinity}', "invalid character 'I' in numeric literal"),
    ],
)
def test_what_is_no_review_is_told_in_gos_words(body: bytes, sentence: str) -> None:
    assert refused(body).startswith(f"couldn't get version/kind; json parse error: {sentence}")


def test_what_is_no_yaml_is_told_in_its_words() -> None:
    assert refused(b"\x00\x01") == "yaml: control characters are not allowed"


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        (5, "json: cannot unmarshal number into Go value of type v1.AdmissionRequest"),
        (
            {"uid": 5},
            "json: cannot unmarshal number into Go struct field AdmissionRequest.request.uid of type types.UID",
        ),
    ],
)
def test_a_request_of_the_wrong_type_cannot_be_decoded(request_: Any, sentence: str) -> None:
    body = {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request_}
    assert refused(json.dumps(body).encode()) == sentence


def test_a_yaml_body_and_a_byte_order_mark_are_accepted() -> None:
    body = b"\xef\xbb\xbfkind: AdmissionReview\napiVersion: admission.k8s.io/v1\nrequest: {uid: u, object: {a: 1}}\n"
    assert decode(body, NEW).object == {"a": 1}


def test_a_yaml_body_has_its_keys_sorted_and_a_json_body_as_they_came() -> None:
    yaml = b"kind: AdmissionReview\napiVersion: admission.k8s.io/v1\nrequest: {uid: u, object: {b: 1, a: {d: 1, c: 2}}}"
    assert json.dumps(decode(yaml, NEW).object) == '{"a": {"c": 2, "d": 1}, "b": 1}'
    assert json.dumps(decode(a_review({"b": 1, "a": 2}), OLD).object) == '{"b": 1, "a": 2}'


def test_broken_utf_8_and_lone_surrogates_become_the_replacement_character() -> None:
    assert decode(a_review({"a": "B"}).replace(b"B", b"\xff"), OLD).object == {"a": "\ufffd"}
    assert decode(a_review({"a": ["B", 1]}).replace(b"B", b"\\ud800"), OLD).object == {"a": ["\ufffd", 1]}


REVIEW = Review(
    uid="u", namespace="", name="", object={}, api_version="admission.k8s.io/v1", kind="AdmissionReview"
)
HEAD = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}


def test_a_patch_is_answered_in_the_version_asked() -> None:
    operations: list[Any] = [{"op": "add", "path": "/a", "value": "é"}]
    response = {"uid": "u", "allowed": True, "patch": operations, "patchType": "JSONPatch"}
    patch = in_base64(encode_operations(operations))
    assert answered(encode_patch(REVIEW, patch, NEW)) == HEAD | {"response": response}


def test_an_old_release_does_not_echo_the_version() -> None:
    assert answered(encode_allowed(REVIEW, OLD)) == {"response": {"uid": "u", "allowed": True}}


def test_a_refusal_has_a_message_and_the_uid() -> None:
    response = {"uid": "u", "allowed": False, "status": {"metadata": {}, "message": "no"}}
    assert answered(encode_denied(REVIEW, "no", NEW)) == HEAD | {"response": response}


def test_istio_1_7_answers_with_an_empty_patch_type_where_there_is_no_patch() -> None:
    old = behaviour_of("1.7")
    assert answered(encode_allowed(REVIEW, old))["response"]["patchType"] == ""
    assert answered(encode_denied(None, "no", old))["response"]["patchType"] == ""
    assert answered(encode_patch(REVIEW, in_base64(b"[]"), old))["response"]["patchType"] == "JSONPatch"


def test_a_body_that_was_not_understood_is_refused_without_uid() -> None:
    response = {"uid": "", "allowed": False, "status": {"metadata": {}, "message": "no"}}
    assert answered(encode_denied(None, "no", NEW)) == {"response": response}
