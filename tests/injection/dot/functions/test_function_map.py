"""Which functions the templates of which release may call."""

from __future__ import annotations

import ast
import re

import pytest

from injector.errors import TemplateExecError, TemplateSyntaxError
from injector.gotemplate import compile_template, types
from injector.gotemplate.sprig import ADDED
from injector.injection.dot.functions import function_map
from injector.istio.releases import behaviour_of

MINORS = range(32)


def functions(minor: int, **env: str):
    return function_map(behaviour_of(f"1.{minor}"), env=env, mesh=None)


def istio(minor: int) -> set[str]:
    """Istio's own functions: those that sprig does not have, and those that hide sprig's."""
    table, plain = functions(minor), functions(31)
    hidden = {"indent", "contains", "env", "omit"} | ({"toJson"} if minor <= 18 else set())
    sprig = {name for name in plain if plain[name] is table.get(name)} - hidden
    return {name for name in table if name not in sprig}


def history(shared) -> dict[int, set[str]]:
    """The functions of each minor's last patch, as recorded from Istio's own source."""
    names: set[str] = set()
    found: dict[int, set[str]] = {}
    minor = 0
    for line in (shared / "go-outputs" / "out_funcmap_history.txt").read_text().splitlines():
        version = re.match(r"1\.(\d+)\.", line)
        change = re.match(r"\s*funcs \+ (\[.*?\]) - (\[.*?\])", line)
        first = re.match(r"1\.0\.0 funcs (\[.*\])", line)
        if version:
            minor = int(version[1])
        if first:
            names = set(ast.literal_eval(first[1]))
        elif change:
            names = (names | set(ast.literal_eval(change[1]))) - set(ast.literal_eval(change[2]))
        found[minor] = names - {"SPRIG:TxtFuncMap"}
    return found


def test_every_release_has_the_functions_that_it_had(shared):
    recorded = history(shared)
    current: set[str] = set()
    for minor in MINORS:
        current = recorded.get(minor, current)
        expected = current - ({"omitNil"} if minor < 28 else set())
        table = functions(minor)
        assert expected <= table.keys(), minor
        if minor < 8:
            assert table.keys() == expected, minor
        else:
            assert {
                name
                for name in table
                if name not in functions(8) and name not in ADDED["3.2.0"] | ADDED["3.3.0"]
            } <= (expected), minor


def test_sprig_came_in_three_versions():
    assert "quote" not in functions(7)
    assert {"quote", "upper"} <= functions(8).keys()
    assert not ADDED["3.2.0"] & functions(8).keys()
    assert ADDED["3.2.0"] <= functions(9).keys()
    assert "sha512sum" not in functions(23)
    assert "sha512sum" in functions(24)


@pytest.mark.parametrize(("minor", "own"), [(8, True), (18, True), (19, False), (31, False)])
def test_to_json_is_istios_until_1_18_and_sprigs_after(minor, own):
    assert (functions(minor)["toJson"].params == (types.MAP_STRING,)) is own


def test_istios_functions_hide_sprigs():
    assert len(functions(8)["env"].params) == 2
    assert functions(17)["omit"].params[0] is types.MAP_ANY
    assert functions(18)["omit"].params[0] is types.MAP_STRING
    text = '{{ indent 2 "a\\nb" }} {{ nindent 1 "a" }} {{ contains "a" "cab" }}'
    assert compile_template("t", text, functions=functions(31)).render({}).text == "a\n  b \n a true"


def test_an_unknown_function_is_a_syntax_error():
    with pytest.raises(TemplateSyntaxError, match='function "render" not defined'):
        compile_template("t", '{{ render "x" }}', functions=functions(14))


def test_env_reads_the_mapping_that_it_is_given():
    table = functions(20, A="1", B="")
    text = '{{ env "A" "x" }} {{ env "B" "y" }} {{ env "HOME" "z" }}'
    assert compile_template("t", text, functions=table).render({}).text == "1 y z"


def test_value_or_default_took_strings_in_1_1():
    text = "{{ valueOrDefault .v 5 }}"
    assert compile_template("t", text, functions=functions(2)).render({"v": ""}).text == "5"
    with pytest.raises(TemplateExecError, match="expected string; found 5"):
        compile_template("t", text, functions=functions(1)).render({"v": ""})


def test_serialisers_are_marked_as_template_text():
    table = functions(31)
    marked = {name for name in istio(31) if table[name].text}
    assert marked == {"toJSON", "toJsonMap", "toYaml", "structToJSON", "protoToJSON"}


def test_asking_twice_gives_the_same_sprig():
    assert functions(31)["quote"] is functions(31)["quote"]
