"""Which functions there are, of which types, and which of them refuse."""

from __future__ import annotations

import pytest

from injector.errors import TemplateExecError
from injector.gotemplate import compile_template
from injector.gotemplate.sprig import ADDED, UNAVAILABLE, functions
from injector.gotemplate.sprig.shared import go
from injector.gotemplate.values import MISSING
from injector.injection.dot.functions.encoding import decode, encode

SPRIG = functions(encode, decode)


def test_the_table_is_that_of_sprig_to_the_last_type(shared):
    lines = (shared / "go-outputs" / "sprig_3.3.0_signatures.txt").read_text().splitlines()
    declared = dict(line.split(maxsplit=1) for line in lines)
    assert SPRIG.keys() == declared.keys()
    assert len(SPRIG) == 211
    for name, signature in declared.items():
        function, expected = SPRIG[name], go(signature, print)
        actual = (function.params, function.variadic, function.result)
        assert actual == (expected.params, expected.variadic, expected.result), name


def test_what_a_version_added_is_there():
    assert ADDED["3.2.0"] <= SPRIG.keys()
    assert ADDED["3.3.0"] <= SPRIG.keys()


@pytest.mark.parametrize("name", sorted(UNAVAILABLE))
def test_what_cannot_be_answered_alike_twice_refuses_when_called(name):
    function = SPRIG[name]
    assert not function.pure
    with pytest.raises(Exception, match="not available in this injector: ") as raised:
        function.call(*[MISSING] * len(function.params))
    assert type(raised.value).__name__ == "FunctionError"


def test_a_function_that_refuses_may_stand_where_it_is_not_reached():
    template = compile_template("t", "{{ if .x }}{{ now }}{{ end }}a", functions=SPRIG)
    assert template.render({"x": False}).text == "a"
    with pytest.raises(
        TemplateExecError, match=r"error calling now: not available in this injector: the clock"
    ):
        template.render({"x": True})


def test_only_functions_that_write_say_that_they_do():
    writing = {name for name, function in SPRIG.items() if function.mutates}
    assert writing == {"set", "unset", "merge", "mergeOverwrite", "mustMerge", "mustMergeOverwrite"}
    assert not any(SPRIG[name].pure for name in writing)


def test_serialisers_are_marked_as_template_text():
    assert {name for name, function in SPRIG.items() if function.text} == {
        *("toJson", "toPrettyJson", "toRawJson", "mustToJson", "mustToPrettyJson", "mustToRawJson")
    }
    assert {name: SPRIG[name].quotes for name in ("quote", "squote")} == {"quote": '"', "squote": "'"}
