"""docs/architecture.md says what the code says: its picture, its places and its worked example."""

from __future__ import annotations

import ast
import re
from collections import Counter
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any, Final

import pytest

from injector import Injector
from injector.budget import Budget
from injector.injection.inject import request_for
from injector.injection.render import template_data
from tests.conftest import ROOT

PAGE: Final = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PLACE: Final = re.compile(r"`((?:injector|scripts|tests|docs)/[\w./]+)`")


def example(name: str) -> str:
    """Return the text of one block of the worked example."""
    _, _, rest = PAGE.partition(f"<!-- example: {name} -->\n```")
    text, _, _ = rest.partition("\n```\n<!-- /example -->")
    return text.partition("\n")[2]


@pytest.fixture(scope="module")
def injector() -> Injector:
    """An injector with the template of the worked example."""
    template = "".join(f"    {line}\n" for line in example("template").splitlines())
    config = f"policy: enabled\ndefaultTemplates: [sidecar]\ntemplates:\n  sidecar: |\n{template}"
    return Injector.load(config, '{"global":{"hub":"registry.example","tag":"1.2"}}')


@pytest.mark.parametrize("path", sorted(set(PLACE.findall(PAGE))))
def test_a_place_that_the_page_names_exists(path: str) -> None:
    assert (ROOT / path).exists()


def test_every_row_of_where_to_change_names_a_place() -> None:
    _, _, table = PAGE.partition("## Where do I change")
    rows = [line for line in table.splitlines()[4:] if line.startswith("| ")]
    assert len(rows) >= 12, rows
    assert all(PLACE.search(row) for row in rows)


MOST_LINES: Final = 450
"""A module that is longer has two ideas; what is generated is data, and may be as long as it is."""
MOST_METHODS: Final = 40
CLASS: Final = re.compile(r"^ *class (\w+)", re.MULTILINE)

MODULES: Final = sorted(path for path in (ROOT / "injector").rglob("*.py") if not path.stem.endswith("_data"))


def test_no_module_is_too_long_to_be_read_at_once() -> None:
    lengths = {path.relative_to(ROOT): path.read_text("utf-8").count("\n") for path in MODULES}
    assert {path: length for path, length in lengths.items() if length > MOST_LINES} == {}


def test_no_class_has_more_methods_than_one_remembers() -> None:
    counts = {
        (str(path.relative_to(ROOT)), node.name): sum(
            isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) for each in node.body
        )
        for path in MODULES
        # Parsing all of them takes a second.
        if (text := path.read_text("utf-8")).count("def ") > MOST_METHODS
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ClassDef)
    }
    assert {name: count for name, count in counts.items() if count > MOST_METHODS} == {}


def test_a_name_of_a_class_has_one_meaning() -> None:
    names = Counter(name for path in MODULES for name in CLASS.findall(path.read_text("utf-8")))
    assert [name for name, count in names.items() if count > 1] == []


def test_the_picture_is_what_the_imports_make() -> None:
    spec = spec_from_file_location("architecture_picture", ROOT / "scripts" / "architecture_picture.py")
    assert spec is not None
    assert spec.loader is not None
    script: Any = module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.PICTURE.read_text(encoding="utf-8") == script.picture(), (
        "draw it again: scripts/architecture_picture.py"
    )


def test_the_worked_template_becomes_the_code_that_the_page_shows(injector: Injector) -> None:
    assert injector.snapshot.templates["sidecar"].usual.source() == example("code")


def test_the_worked_pod_makes_the_strings_that_the_page_shows(injector: Injector) -> None:
    pod = {
        "metadata": {"name": "a", "labels": {"app": "shop: x"}},
        "spec": {"containers": [{"name": "app", "image": "app"}]},
    }
    request = request_for(pod, "shop", "shop", "/inject", injector.snapshot, Budget(injector.snapshot.limits))
    data = template_data(request, injector.snapshot, pod)
    rendering = injector.snapshot.templates["sidecar"].usual.render(data.fields)
    assert f"{rendering.strings!r}\n{rendering.values!r}" == example("strings")
