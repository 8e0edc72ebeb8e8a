from __future__ import annotations

import pytest

from injector.istio.mesh.annotation import parse_annotation, proxy_config_fault
from injector.istio.mesh.message import MessageError
from injector.istio.releases import behaviour_of


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", ""),
        ("statusPort: 9999", ""),
        ("unknownField: 1", ""),
        (
            "drainDuration: banana",
            'failed to convert to apply proxy config: bad Duration: time: invalid duration "banana"',
        ),
        (
            "a: [",
            "failed to convert to apply proxy config: yaml: line 1: did not find expected node content",
        ),
        (
            "discoveryAddress: bad",
            '1 error occurred:\n\t* invalid discovery address: unable to split "bad": address bad: missing port in address\n\n',
        ),
    ],
)
def test_an_annotation_is_judged_as_istios_webhook_judges_it(text, fault):
    assert proxy_config_fault(text, behaviour_of("1.31")) == fault


def test_an_annotation_that_is_no_yaml_says_what_gos_library_says():
    with pytest.raises(MessageError, match="yaml: line 1: did not find expected node content"):
        parse_annotation("a: [")
