"""Findings: how a place is written."""

from __future__ import annotations

import pytest

from injector.diagnosis.findings import Place


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (Place("app.yaml"), "app.yaml"),
        (Place("app.yaml", 3), "app.yaml:3"),
        (Place("app.yaml", 3, 7, "spec.containers[0]"), "app.yaml:3:7: spec.containers[0]"),
        (Place("Namespace shop", path="metadata.labels"), "Namespace shop: metadata.labels"),
    ],
)
def test_a_place_is_written_as_compilers_write_it(place: Place, text: str) -> None:
    assert str(place) == text
