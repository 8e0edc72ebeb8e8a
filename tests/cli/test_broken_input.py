"""Whatever is wrong with what a command reads, it ends with an exit code of ours, and never with half an output."""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from injector.cli.main import FAILED, WRONG_CALL, _run
from injector.injection.steps.status import STATUS
from tests.diagnosis.test_bad_input import WORKLOADS, broken
from tests.oracle import thorough

pytestmark = pytest.mark.slow

LIST = {
    "apiVersion": "v1",
    "kind": "List",
    "items": [*WORKLOADS[:2], {"kind": "List", "items": WORKLOADS[2:]}],
}
FUNCTION = {"kind": "Sidecars", "spec": {"revision": "canary", "values": {"global": {}}, "env": ["A=b"]}}
RESOURCES = {"kind": "ResourceList", "functionConfig": FUNCTION, "items": [*WORKLOADS]}
ENDINGS = (0, FAILED, WRONG_CALL)

COMMANDS = st.sampled_from(
    (
        ("inject", "-"),
        ("inject", "-", "-o", "json"),
        ("inject", "-", "--keep-layout", "--pod-template-path", "spec.pod"),
        ("inject", "-", "--template", "log-shipper", "--untrusted-values", "text"),
        ("lint", "-", "-o", "sarif"),
        ("explain", "-f", "-", "--diff"),
        ("explain", "-f", "-", "-o", "yaml", "--require-injection"),
    )
)
SPELLINGS = st.sampled_from((json.dumps, yaml.safe_dump))


def ended(arguments: tuple[str, ...], stdin: str) -> tuple[int, bytes, str]:
    """Run a command here; whatever it does not tell by its exit code is raised."""
    out, err = io.BytesIO(), io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        patch.setattr(sys, "stdout", io.TextIOWrapper(out, write_through=True))
        patch.setattr(sys, "stderr", io.TextIOWrapper(err, write_through=True))
        try:
            code = _run(list(arguments))
        except SystemExit as end:  # of lint and explain, which have printed what they found
            code = int(end.code or 0)
        sys.stdout.flush()
        return code, out.getvalue(), err.getvalue().decode()


@given(document=broken((*WORKLOADS, LIST)), arguments=COMMANDS, spelling=SPELLINGS)
@thorough(full=5_000, quick=40)
def test_a_broken_document_ends_every_command_with_a_code_and_a_sentence(
    document: Any, arguments: tuple[str, ...], spelling: Any
) -> None:
    code, out, err = ended(arguments, spelling(document))
    assert code in ENDINGS
    assert not code or err or out, "it says why"
    if arguments[0] != "inject":
        return
    assert not (code and out), "nothing is written where something failed"
    if not code and STATUS not in spelling(document):  # which may claim that its own containers were injected
        again, same, _ = ended(arguments, out.decode())
        assert (again, same) == (0, out), "what was injected is injected"


@given(resources=broken((RESOURCES,)), spelling=SPELLINGS)
@thorough(full=2_000, quick=15)
def test_a_broken_resource_list_comes_back_whole_or_not_at_all(resources: Any, spelling: Any) -> None:
    code, out, err = ended(("krm",), spelling(resources))
    assert code in ENDINGS
    assert not code or err
    if out:
        items = yaml.safe_load(out)["items"]
        assert len(items) == len(resources.get("items") or ())
