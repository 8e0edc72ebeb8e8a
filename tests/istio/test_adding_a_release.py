"""docs/adding-a-release.md is true: a release is its facts, and 1.31's are those that the page shows."""

from __future__ import annotations

import re
from dataclasses import fields

from injector.injection.dot.context import dot_type
from injector.injection.dot.functions import function_map
from injector.istio.facts import NEWEST, RELEASED
from injector.istio.mesh.defaults import default_mesh_config, default_proxy_config
from injector.istio.mesh.messages_data import ENUMS, MESSAGES
from injector.istio.releases import FACTS, behaviour_of
from tests.conftest import ROOT

PAGE = (ROOT / "docs/adding-a-release.md").read_text(encoding="utf-8")
BEFORE, AFTER = behaviour_of("1.30"), behaviour_of("1.31")


def shown() -> list[tuple[str, str]]:
    """Return each line that the page shows as added, with the file it names."""
    blocks = re.findall(r"^`([^`]+\.py)` .*?```diff\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE)
    return [(file, line[1:]) for file, block in blocks for line in block.splitlines()]


def test_every_line_that_the_page_shows_stands_in_the_file_that_it_names() -> None:
    assert len(shown()) == 14
    missing = [(file, line) for file, line in shown() if f"\n{line}" not in (ROOT / file).read_text("utf-8")]
    assert missing == []


def test_1_31_differs_from_1_30_in_the_facts_that_the_page_names_and_in_no_other() -> None:
    differing = {
        each.name for each in fields(AFTER) if getattr(BEFORE, each.name) != getattr(AFTER, each.name)
    }
    told = set(re.findall(r"^[ +] {4}(\w+): \w+ = (?:since|varies)\($", PAGE, re.MULTILINE))
    assert differing == told | {"release", "minor"}, "docs/adding-a-release.md shows every fact of 1.31"
    assert told == {fact.name for fact in FACTS if 31 in (fact.span.since, fact.span.until + 1)}
    assert RELEASED == 31


def test_1_32_has_no_fact_of_its_own() -> None:
    assert [fact.name for fact in FACTS if 32 in (fact.span.since, fact.span.until + 1)] == []
    assert dot_type(behaviour_of("1.32")).fields.keys() == dot_type(AFTER).fields.keys()
    assert function_names("1.32") == function_names("1.31")
    assert default_mesh_config(32).data == default_mesh_config(31).data
    assert NEWEST == 32


def test_its_templates_see_the_field_that_the_page_names_and_no_other_that_1_30_lacks() -> None:
    before, after = dot_type(BEFORE).fields, dot_type(AFTER).fields
    assert set(after) - set(before) == {"ProxyInitImage"}, "docs/adding-a-release.md shows them all"
    assert set(before) <= set(after)


def test_as_many_messages_begin_with_each_as_the_page_says() -> None:
    def begun(minor: int) -> int:
        every = (row for rows in (*MESSAGES.values(), *ENUMS.values()) for row in rows)
        return sum(row.endswith(f" {minor}-") for row in every)

    assert f"in which {begun(31)} rows begin with 1.31" in PAGE
    assert f"{begun(32)} rows begin with 1.32" in PAGE


def test_what_the_page_says_has_not_changed_has_not() -> None:
    assert function_names("1.30") == function_names("1.31"), "docs/adding-a-release.md says they are the same"
    assert default_proxy_config(30).data == default_proxy_config(31).data
    assert default_mesh_config(30).data == default_mesh_config(31).data


def function_names(release: str) -> set[str]:
    return set(function_map(behaviour_of(release), env={}, mesh=None))
