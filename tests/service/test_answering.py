"""The answer to a review that a fault of ours stopped."""

from __future__ import annotations

import orjson
import pytest

from injector.service.answering import crashed


@pytest.mark.parametrize(
    ("body", "uid", "version"),
    [
        (b'{"apiVersion":"admission.k8s.io/v1beta1","request":{"uid":"u"}}', "u", "admission.k8s.io/v1beta1"),
        (b'{"apiVersion":1,"request":{"uid":2}}', "", "admission.k8s.io/v1"),
        (b'{"request":{"uid":"u"}}', "u", "admission.k8s.io/v1"),
        (b'{"request":[]}', "", "admission.k8s.io/v1"),
        (b"not JSON", "", "admission.k8s.io/v1"),
        (b"[" * 5000, "", "admission.k8s.io/v1"),
    ],
)
def test_it_denies_with_the_uid_where_there_is_one(body: bytes, uid: str, version: str) -> None:
    answer = orjson.loads(crashed(body))
    assert (answer["response"]["uid"], answer["apiVersion"]) == (uid, version)
    assert answer["response"]["allowed"] is False
