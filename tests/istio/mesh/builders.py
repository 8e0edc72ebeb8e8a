"""Messages for tests, made from YAML, and strategies for JSON that a message may be given."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from injector.istio.mesh.descriptors import (
    MESH_CONFIG,
    PROXY_CONFIG,
    DurationType,
    EnumType,
    Message,
    MessageField,
    MessageType,
    ScalarType,
    StructureType,
    ValueType,
    WrapperType,
    schema_of,
)
from injector.istio.mesh.jsonpb import apply
from injector.kubeyaml import load


def a_proxy_config(text: str = "", minor: int = 31) -> Message:
    """Return a ProxyConfig with only what the text sets."""
    return apply(Message(type=schema_of(minor).message(PROXY_CONFIG)), load(text))


def a_mesh_config(text: str = "", minor: int = 31) -> Message:
    """Return a MeshConfig with only what the text sets."""
    return apply(Message(type=schema_of(minor).message(MESH_CONFIG)), load(text))


DURATIONS = st.sampled_from(["0s", "1s", "45s", "1m", "100ms", "1.5s", "-0.5s", "1h2m3.004s", "5ns"])
TEXTS = st.sampled_from(["", "a", "x<y>&z", "é", "\u2028", "q\"'\\", "15021"])


def scalars(declared: ScalarType) -> st.SearchStrategy[Any]:
    """Return values that fit a scalar."""
    if declared.name == "string":
        return TEXTS
    if declared.name == "bool":
        return st.booleans()
    if declared.name in ("double", "float"):
        return st.sampled_from([0, 1.5, 100, 1e-7, "2.5"])
    return st.sampled_from([0, 1, 15020, "7"])


def values(declared: ValueType, depth: int) -> st.SearchStrategy[Any]:
    """Return values that fit a type."""
    match declared:
        case ScalarType():
            return scalars(declared)
        case WrapperType():
            return scalars(declared.scalar)
        case DurationType():
            return DURATIONS
        case EnumType():
            return st.sampled_from([*declared.numbers, *declared.names, 99])
        case StructureType():
            return st.just({"a": 1})
        case MessageType():
            return messages(declared, depth + 1)


def of_field(each: MessageField, depth: int) -> st.SearchStrategy[Any]:
    """Return values that fit a field."""
    element = values(each.type, depth)
    if each.label == "list":
        return st.lists(element, max_size=2)
    if each.label == "map":
        return st.dictionaries(st.sampled_from(["a", "B", "é"]), element, max_size=2)
    return element


def messages(declared: MessageType, depth: int = 0) -> st.SearchStrategy[dict[str, Any]]:
    """Return JSON objects that fit a message, with either spelling of a field's name."""
    if depth > 3 or not declared.fields:
        return st.just({})

    def of_names(fields: list[MessageField]) -> st.SearchStrategy[dict[str, Any]]:
        pairs = [
            st.tuples(st.sampled_from([each.name, each.json_name]), st.none() | of_field(each, depth))
            for each in fields
        ]
        return st.tuples(*pairs).map(dict)

    chosen = st.lists(st.sampled_from(declared.fields), max_size=4, unique_by=lambda each: each.name)
    return chosen.flatmap(of_names)
