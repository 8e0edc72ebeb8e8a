"""What the real Go library answered, line by line."""

from __future__ import annotations

import json
import re

from injector.istio.mesh.defaults import default_proxy_config
from injector.istio.mesh.descriptors import Message, MessageError
from injector.istio.mesh.effective import parse_annotation
from injector.istio.mesh.jsonpb import apply, proto_to_json
from tests.istio.mesh.builders import a_proxy_config

LINE = re.compile(r'^(".*?") +merged=(.*) err=(.*) \| alone=(\S+) (.*)$')


def answer(base: Message, text: str) -> tuple[str, str]:
    try:
        return proto_to_json(apply(base, parse_annotation(text))), "<nil>"
    except MessageError as error:
        return proto_to_json(base), str(error)


def test_every_line_of_gos_output_is_agreed_with(shared):
    text = (shared / "go-outputs" / "out_proto_jsonpb.txt").read_text()
    lines = [match for line in text.splitlines() if (match := LINE.match(line))]
    assert len(lines) > 50
    defaults = default_proxy_config(31)
    assert f"default: {proto_to_json(defaults)}" == text.splitlines()[0]
    base = defaults.replace(proxyMetadata={"Z": "0"})
    for quoted, merged, error, alone, alone_error in (line.groups() for line in lines):
        given = json.loads(quoted)
        assert answer(base, given) == (merged, error), given
        assert answer(a_proxy_config(), given) == (alone, alone_error), given
