"""The generated types: the same as Go's own description of a pod, and quick to load."""

from __future__ import annotations

import json
import runpy
from typing import Any

import pytest

from injector.patch import KINDS, GoType, go_type
from injector.patch.kinds_data import NAMED, STRUCTS, VERSIONS
from tests.conftest import ROOT
from tests.oracle import IS_FULL, KUBERNETES, Ask

LEAVES = {"quantity": "Quantity", "intOrString": "IntOrString", "time": "Time", "raw": "FieldsV1"}


def described(schema: GoType) -> str:
    """Return a type as the oracle names it: without package, pointers and names of scalars."""
    schema = schema.target
    if schema.kind in LEAVES:
        return LEAVES[schema.kind]
    if schema.kind == "list":
        return f"[]{described(schema.element)}"
    if schema.kind == "map":
        return f"map[string]{described(schema.element)}"
    return schema.name if schema.kind == "struct" else schema.kind


def reachable(schema: GoType, found: dict[str, GoType]) -> dict[str, GoType]:
    while schema.kind in ("pointer", "list", "map"):
        schema = schema.element
    if schema.kind == "struct" and schema.name not in found:
        found[schema.name] = schema
        for field in schema.fields:
            reachable(field.type, found)
    return found


def as_described(schema: GoType) -> list[dict[str, Any]]:
    return [
        {
            "name": field.name,
            "type": described(field.type),
            "pointer": field.type.kind == "pointer",
            "omitempty": field.omit_empty,
        }
        | ({"mergeKey": field.merge_key} if field.merge_key else {})
        for field in schema.fields
    ]


def test_a_pod_has_the_fields_that_go_describes(ask_go: Ask) -> None:
    types = json.loads(ask_go([{"op": "podSchema"}])[0])["types"]
    strategies = {
        (name, field["name"]): "merge" in field.pop("strategy", "")
        for name, fields in types.items()
        for field in fields
    }
    ours = reachable(go_type("Pod", KUBERNETES), {})
    assert {name: as_described(schema) for name, schema in ours.items()} == types
    assert {
        (name, field.name): field.merges for name, schema in ours.items() for field in schema.fields
    } == strategies


@pytest.mark.parametrize("version", VERSIONS)
def test_every_type_of_the_data_can_be_read(version: int) -> None:
    for name in (*STRUCTS, *NAMED):
        schema = go_type(name, version)
        names = [field.name for field in schema.fields] if schema.kind == "struct" else []
        assert len(names) == len(set(names))
        for field in schema.fields if schema.kind == "struct" else ():
            assert field.type.target.kind
            assert not field.merge_key or field.merges


@pytest.mark.parametrize("kind", KINDS)
def test_every_workload_has_its_metadata(kind: str) -> None:
    assert {"kind", "apiVersion", "metadata"} <= go_type(KINDS[kind]).by_name.keys()


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("Pod", "v1.Pod"),
        ("apps/v1beta1.Deployment", "v1beta1.Deployment"),
        ("[]core/v1.Container", "[]v1.Container"),
        ("*meta/v1.Time", "*v1.Time"),
        ("map[core/v1.ResourceName]api/resource.Quantity", "map[v1.ResourceName]resource.Quantity"),
        ("map[string][]string", "map[string][]string"),
    ],
)
def test_a_type_is_printed_as_go_prints_it(name: str, printed: str) -> None:
    assert str(go_type(name)) == printed


def test_a_field_is_found_in_any_case_and_the_exact_one_first() -> None:
    container = go_type("Container")
    assert container.field("livenessprobe") is container.field("livenessProbe")
    assert container.field("liveness_probe") is None
    # Go folds the Kelvin sign to k.
    assert go_type("PodSpec").field("ho\u017ftNetwor\u212a") is go_type("PodSpec").field("hostNetwork")
    # A ligature is one character to Go, not the letters that it stands for.
    assert go_type("PodSpec").field("dnsCon\ufb01g") is None


@pytest.mark.skipif(not IS_FULL, reason="asks the Go module proxy")
def test_the_data_is_what_the_generator_writes() -> None:
    script = runpy.run_path(str(ROOT / "scripts/generate_schema.py"))
    schemas = script["asked"]()
    text = "\n".join(script["kinds_lines"](schemas)) + "\n"
    assert (ROOT / "injector/patch/kinds_data.py").read_text() == text
