"""What a template may not make: texts and lists beyond reason, searches without end, changes that stay."""

from __future__ import annotations

import contextlib

import pytest

from injector.errors import TemplateExecError
from injector.gotemplate import compile_template, from_json
from injector.gotemplate.sprig import functions
from injector.injection.dot.functions.encoding import decode, encode

SPRIG = functions(encode, decode)
LONG = "x" * 2_200_000


def rendered(template: str, **data) -> str:
    return compile_template("t", template, functions=SPRIG).render(from_json(data)).text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ('{{ repeat 9000000 "a" }}', "9000000 bytes are more than the 8388608 that a function may make"),
        ('{{ indent 9000000 "a" }}', "9000000 bytes are more"),
        ("{{ nindent 5000 (repeat 5000 `a\n`) }}", "bytes are more"),
        ("{{ replace `x` `yyyy` .long }}", "bytes are more"),
        ("{{ regexReplaceAll `x` .long `yyyy` }}", "bytes are more"),
        ("{{ regexReplaceAllLiteral `x` .long `yyyy` }}", "bytes are more"),
        ("{{ wrapWith 1 `----` .long }}", "bytes are more"),
        ("{{ until 100001 }}", "100001 elements are more than the 100000 that a function may make"),
        ("{{ untilStep 0 -9000000000 -1 }}", "elements are more"),
        ("{{ seq 0 1 200000 }}", "elements are more"),
        ("{{ concat (until 60000) (until 60000) }}", "120000 elements are more"),
        ("{{ append (until 100000) 1 }}", "elements are more"),
        ("{{ prepend (until 100000) 1 }}", "elements are more"),
        ("{{ regexMatch `a{1000}(b{10})` .long }}", ""),
        ("{{ regexMatch (repeat 200 `(a{10}|b)`) .long }}", ""),
    ],
)
def test_what_is_too_large_is_refused(template, complaint):
    with pytest.raises(TemplateExecError, match=complaint or "more than 500000 steps"):
        rendered(template, long=LONG)


def test_an_expression_may_not_be_too_large():
    with pytest.raises(TemplateExecError, match="expression too large"):
        rendered('{{ regexFind (repeat 20 "(abcde){200}") "a" }}')
    with pytest.raises(TemplateExecError, match="expression nests too deeply"):
        rendered('{{ regexFind (repeat 2000 "(") "a" }}')


@pytest.mark.parametrize("expression", [r"\p{Greek}", r"[\P{old_italic}]", "(" * 500 + ")" * 500])
@pytest.mark.parametrize("function", ["regexMatch", "mustRegexMatch", "regexFind"])
def test_what_go_compiles_and_we_do_not_is_refused_and_never_taken_for_no_match(function, expression):
    with pytest.raises(TemplateExecError, match=r"not available in regular expressions|nests too deeply"):
        rendered(f"{{{{ {function} .e `x` }}}}", e=expression)


def test_a_name_that_go_does_not_know_either_matches_nothing():
    assert rendered("{{ regexMatch `\\p{Geek}` `x` }}") == "false"


@pytest.mark.parametrize("expression", ["(a+)+$", "^(a|a)*$", "(a|aa)+$", "(.*a){12}!!$", "(a*)*b"])
def test_a_hostile_text_takes_no_exponential_time(expression):
    """Where it did, the limit of all tests would stop it."""
    assert rendered("{{ regexMatch .e .s }}", e=expression, s="a" * 1000 + "!") == "false"


def test_all_searches_of_one_call_share_their_limit():
    with pytest.raises(TemplateExecError, match="more than 500000 steps"):
        rendered("{{ regexFindAll `a.*b|a` .s -1 }}", s="a" * 2000)


@pytest.mark.parametrize("constraint", ["1 " * 490, ">=1, " * 190, "1   " * 240 + "!", "-" * 999, "x" * 2000])
def test_a_hostile_constraint_takes_no_exponential_time(constraint):
    """Where it did, the limit of all tests would stop it."""
    with contextlib.suppress(TemplateExecError):
        rendered("{{ semverCompare .c `1.0.0` }}", c=constraint)


def test_a_change_lives_as_long_as_its_rendering():
    text = (
        '{{ $_ := set .Values "n" 2 }}{{ $_ := merge .Values.m (dict "b" 1) }}{{ .Values.n }}{{ .Values.m }}'
    )
    values = from_json({"n": 1, "m": {"a": 1}})
    template = compile_template("t", "{{ .Values }} " + text, functions=SPRIG, known={"Values": values})
    first, second = template.render({}).text, template.render({}).text
    assert first == second == "map[m:map[a:1] n:1] 2map[a:1 b:1]"
    assert values == {"n": 1.0, "m": {"a": 1.0}}


def test_keys_and_values_come_sorted():
    assert (
        rendered("{{ keys .m .n }} {{ values .m }}", m={"b": 1, "a": 2}, n={"z": 1, "c": 1})
        == "[a b c z] [2 1]"
    )


def test_sorting_leaves_the_list_as_it_was():
    assert rendered('{{ $l := splitList "," "b,a" }}{{ sortAlpha $l }}{{ $l }}') == "[a b][b a]"


@pytest.mark.parametrize(
    "text",
    [
        '{{ set .m "a" (list 1 .m) }}',
        '{{ merge .m (dict "a" (dict "b" .m)) }}',
        '{{ mergeOverwrite .m (dict "a" .m) }}',
    ],
)
def test_a_map_may_not_hold_itself(text):
    with pytest.raises(TemplateExecError, match="a map may not hold itself"):
        rendered(text, m={})
