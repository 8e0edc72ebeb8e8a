"""What is decided when a template is compiled, what is left to a rendering, and what is a text or a value in it."""

from __future__ import annotations

import re

import pytest

from injector.errors import TemplateExecError, TemplateSyntaxError
from injector.gotemplate import Function, FunctionError, Struct, compile_template, types
from injector.gotemplate.sprig.defaults import FUNCTIONS as DEFAULTS
from injector.gotemplate.types import StructType
from injector.rendering import Quoted, Rendering, Structured
from tests.gotemplate.sample import DATA, FUNCTIONS, META, a_dot, a_field, a_function


def compiled(text, known=None, functions=FUNCTIONS, dot_type=None):
    return compile_template("t", text, functions=functions, known=known or {}, dot_type=dot_type)


def rendered(text, dot=None, known=None, functions=FUNCTIONS, dot_type=None) -> Rendering:
    return compiled(text, known, functions, dot_type).render(dot or {})


def split(text, dot=None, known=None, functions=FUNCTIONS):
    rendering = rendered(text, dot, known, functions)
    return rendering.strings, rendering.values


class Counting:
    """A function that counts how often it is called."""

    def __init__(self, result="x", **more) -> None:
        self.calls = 0
        self.result = result
        self.function = a_function(self._call, types.ANY, **more)

    def _call(self, _value):
        self.calls += 1
        return self.result


# Texts and values.


def test_what_the_pod_says_is_a_value_between_texts():
    assert split("a: {{ .x }}!", {"x": "1"}) == (("a: ", "!"), ("1",))


def test_what_is_known_is_text():
    assert split("a: {{ .x }}!", known={"x": "1"}) == (("a: 1!",), ())


def test_neighbouring_texts_are_one_whatever_branches_they_come_from():
    text = "a{{ if .k }}b{{ end }}{{ if .x }}c{{ else }}d{{ end }}{{ .y }}e"
    assert split(text, {"x": True, "y": "Y"}, {"k": 1.0}) == (("abc", "e"), ("Y",))
    assert split(text, {"y": "Y"}, {"k": 1.0}) == (("abd", "e"), ("Y",))


def test_two_values_side_by_side_have_an_empty_text_between_them():
    assert split("{{ .x }}{{ .y }}", {"x": "1", "y": "2"}) == (("", "", ""), ("1", "2"))


def test_what_a_serialiser_prints_is_a_value_that_can_be_text():
    rendering = rendered("a {{ json .x }} b{{ .x }}", {"x": "1"})
    assert (rendering.strings, rendering.values) == (("a ", " b", ""), ("{1}", "1"))
    assert [value.__class__ for value in rendering.values] == [Structured, str]
    assert rendering.inlined() == Rendering(("a {1} b", ""), ("1",))


def texts(text, dot):
    rendering = rendered(text, dot).inlined()
    return rendering.strings, rendering.values


def test_text_stays_text_in_string_functions():
    assert texts("a {{ json .x | indent }} b", {"x": "1\n2"}) == (("a {1\n  2} b",), ())
    assert texts("{{ $j := json .x }}{{ $j }}", {"x": "1"}) == (("{1}",), ())
    assert texts("{{ or (json .x) (json .y) }}", {"x": "1", "y": "2"}) == (("{1}",), ())


def test_text_mixed_with_a_value_is_a_value():
    assert split('{{ printf "%s%s" (json .x) .y }}', {"x": "1", "y": "2"}) == (("", ""), ("{1}2",))
    assert split("{{ or .x (json .y) }}", {"x": "", "y": "2"}) == (("", ""), ("{2}",))


def test_quote_prints_its_quotes_as_text_around_a_value():
    strings, values = split("a: {{ .x | quote }}", {"x": 'q"\n'})
    assert (strings, values) == (('a: "', '"'), ('q\\"\\n',))
    assert isinstance(values[0], Quoted)
    assert values[0].raw == 'q"\n'


@pytest.mark.parametrize("text", ["{{ quote .x }}", "{{ (.x | quote) }}", "{{ ((quote (.x))) }}"])
def test_quote_is_seen_through_parentheses(text):
    assert split(text, {"x": "y"}) == (('"', '"'), ("y",))


@pytest.mark.parametrize(
    ("value", "inside"), [(True, "true"), (1.5, "1.5"), (7, "7"), (types.STRING and "", "")]
)
def test_quote_quotes_any_value(value, inside):
    assert split("{{ .x | quote }}", {"x": value}) == (('"', '"'), (inside,))


@pytest.mark.parametrize("dot", [{}, {"x": None}])
def test_quote_of_nothing_prints_nothing(dot):
    assert split("a{{ .x | quote }}b", dot) == (("ab",), ())


def test_squote_prints_single_quotes():
    assert split("{{ .x | squote }}{{ .y | squote }}", {"x": 'a"', "y": 1.0}) == (
        ("'", "''", "'"),
        ('a"', "1"),
    )


def test_quote_of_several_values_or_of_a_known_one_is_an_ordinary_call():
    assert split("{{ quote .x .y }}", {"x": "1", "y": "2"}) == (("", ""), ('"1" "2"',))
    assert split("{{ quote .x }}", known={"x": "1"}) == (('"1"',), ())
    assert split("{{ ($y := quote .x) }}", {"x": "1"}) == (("", ""), ('"1"',))


def test_a_typed_string_is_quoted_without_a_question():
    text = "{{ .ObjectMeta.Name | quote }}"
    rendering = rendered(text, {"ObjectMeta": Struct(META, {"name": "n"})}, dot_type=DATA)
    assert (rendering.strings, rendering.values) == (('"', '"'), ("n",))
    assert "is not None" not in compiled(text, dot_type=DATA).source()


FALLING_BACK = {**FUNCTIONS, "default": DEFAULTS["default"]}


@pytest.mark.parametrize(
    ("value", "text"),
    [("x", "x"), ("", "none"), (None, "none"), (0.0, "none"), ([], "none"), (False, "none"), (1.0, "1")],
)
def test_default_is_python_s_own_or(value, text):
    template = compiled('{{ default "none" .x }}|{{ .x | default "none" }}', functions=FALLING_BACK)
    assert template.render({"x": value}).text == f"{text}|{text}"
    assert "f_default" not in template.source()


def test_a_default_that_may_fail_is_computed_first_as_in_go():
    template = compiled("{{ default (boom) .ObjectMeta.Name }}", functions=FALLING_BACK, dot_type=DATA)
    with pytest.raises(TemplateExecError, match="boom"):
        template.render({"ObjectMeta": Struct(META, {"name": "n"})})


def test_a_default_of_texts_is_a_text():
    text = "{{ default `none` .ObjectMeta.Name | quote }}{{ eq (default `none` .ObjectMeta.Name) `none` }}"
    template = compiled(text, functions=FALLING_BACK, dot_type=DATA)
    assert template.render({"ObjectMeta": Struct(META, {})}).text == '"none"true'
    assert "is not None" not in template.source()
    assert "f_eq" not in template.source()


@pytest.mark.parametrize(
    ("default", "text"),
    [('"d"', "d"), ("15020", "15020"), ("1.5", "1.5"), ("true", "true"), ("nil", "<nil>")],
)
def test_an_annotation_is_looked_up_in_its_map(default, text):
    template = compiled(f"{{{{ annotation .ObjectMeta `a` {default} }}}}", dot_type=DATA)
    for given, expected in (({}, text), ({"a": ""}, ""), ({"a": "1"}, "1")):
        dot = {"ObjectMeta": Struct(META, {"annotations": given})}
        assert template.render(dot).text == expected
    assert template.render({"ObjectMeta": Struct(META, {})}).text == text
    assert "f_annotation" not in template.source()


@pytest.mark.parametrize(
    "call", ["annotation .ObjectMeta .ObjectMeta.Name 1", "annotation .ObjectMeta `a` .ObjectMeta.Name"]
)
def test_an_annotation_of_which_not_all_is_known_is_asked_for_at_run_time(call):
    template = compiled(f"{{{{ {call} }}}}", dot_type=DATA)
    assert template.render({"ObjectMeta": Struct(META, {"name": "1"})}).text == "1"
    assert "f_annotation" in template.source()


# What is known.


def test_branches_on_what_is_known_are_decided():
    source = compiled("{{ if .k }}{{ .a }}{{ else }}{{ .b }}{{ end }}", {"k": "yes"}).source()
    assert "if" not in source
    assert "'b'" not in source


def test_pure_functions_of_what_is_known_are_called_once():
    counting = Counting()
    template = compiled("{{ f .k }}{{ .x }}", {"k": 1.0}, {"f": counting.function})
    assert [template.render({"x": "y"}).text for _ in range(3)] == ["xy"] * 3
    assert counting.calls == 1


def test_impure_functions_are_called_in_every_rendering():
    counting = Counting(pure=False)
    template = compiled("{{ f .k }}", {"k": 1.0}, {"f": counting.function})
    assert [template.render({}).text for _ in range(3)] == ["x"] * 3
    assert counting.calls == 3


def test_a_repeated_call_is_made_once_in_a_rendering():
    counting = Counting()
    text = "{{ f .x }}{{ if f .x }}{{ f .x }}{{ end }}{{ f .y }}"
    assert rendered(text, {"x": 1.0}, functions={"f": counting.function}).text == "xxx"
    assert counting.calls == 2


def test_a_repeated_call_for_an_element_is_made_once_for_each():
    counting = Counting()
    text = "{{ range .x }}{{ if f . }}{{ f . }}{{ end }}{{ end }}"
    assert rendered(text, {"x": ["a", "b", "c"]}, functions={"f": counting.function}).text == "xxx"
    assert counting.calls == 3


def test_what_a_variable_was_is_not_taken_for_what_it_is():
    identity = {"f": a_function(lambda value: f"<{value}>", types.ANY)}
    text = "{{ $a := .x }}{{ f $a }}{{ if .y }}{{ $a = .y }}{{ end }}{{ f $a }}{{ range .l }}{{ $a = . }}{{ f $a }}{{ end }}"
    dot = {"x": "1", "y": "2", "l": ["3", "4"]}
    assert rendered(text, dot, functions=identity).text == "<1><2><3><4>"


def test_a_call_made_under_a_condition_is_made_again_outside():
    counting = Counting()
    text = "{{ if .c }}{{ f .x }}{{ end }}{{ f .x }}{{ or .c (f .y) }}{{ f .y }}"
    assert rendered(text, {"c": True}, functions={"f": counting.function}).text == "xxtruex"
    assert rendered(text, {}, functions={"f": counting.function}).text == "xxx"


def test_a_known_list_is_unrolled():
    text = "{{ range $i, $e := .k }}{{ $i }}{{ $e }}{{ $.x }};{{ end }}"
    template = compiled(text, {"k": ["a", "b"]})
    assert "for" not in template.source()
    assert template.render({"x": "-"}) == Rendering(("0a", ";1b", ";"), ("-", "-"))


def test_a_long_known_list_is_a_loop():
    text = "{{ range .k }}{{ . }}{{ $.x }}{{ end }}|{{ range $i, $e := .k }}{{ $i }}{{ end }}"
    known = {"k": [str(number) for number in range(100)]}
    template = compiled(text, known)
    assert len(template.source()) < 2000
    everything = "".join(known["k"])
    assert template.render({"x": ""}).text == everything + "|" + everything


@pytest.mark.slow
def test_nested_known_loops_do_not_multiply_without_end():
    text = "{{ range $.k }}" * 5 + "{{ $.x }}" + "{{ end }}" * 5
    template = compiled(text, {"k": [1.0] * 8})
    assert len(template.source()) < 1_000_000
    assert len(template.render({"x": "y"}).values) == 8**5


def test_a_known_number_is_counted_without_being_written_out():
    assert rendered("{{ range 1000 }}a{{ end }}{{ range 0 }}b{{ else }}c{{ end }}").text == "a" * 1000 + "c"


def test_a_loop_with_a_jump_under_an_unknown_condition_stays_a_loop():
    text = "{{ range .k }}{{ if eq . $.x }}{{ break }}{{ end }}{{ . }}{{ end }}"
    assert rendered(text, {"x": "b"}, {"k": ["a", "b", "c"]}).text == "a"
    text = "{{ range .k }}{{ if eq . $.x }}{{ continue }}{{ else }}{{ . }}{{ end }}{{ end }}"
    assert rendered(text, {"x": "b"}, {"k": ["a", "b", "c"]}).text == "ac"


def test_an_error_in_what_is_known_is_raised_when_it_is_reached():
    template = compiled("{{ if .x }}{{ .k.a.b }}{{ end }}ok", {"k": {"a": None}})
    assert template.render({}).text == "ok"
    with pytest.raises(TemplateExecError) as caught:
        template.render({"x": True})
    expected = 'template: t:1:16: executing "t" at <.k.a.b>: nil pointer evaluating interface {}.b'
    assert str(caught.value) == expected
    assert (caught.value.name, caught.value.line, caught.value.column) == ("t", 1, 16)


def test_assignments_under_unknown_conditions_are_seen_afterwards():
    text = "{{ $a := 1 }}{{ if .x }}{{ $a = 2 }}{{ else if .y }}{{ $a = 3 }}{{ end }}{{ $a }}"
    assert [rendered(text, dot).text for dot in ({"x": 1.0}, {"y": 1.0}, {})] == ["2", "3", "1"]


def test_assignments_under_known_conditions_stay_known():
    text = "{{ $a := 1 }}{{ if .k }}{{ $a = 2 }}{{ end }}{{ range .l }}{{ $a = . }}{{ end }}{{ $a }}"
    assert compiled(text, {"k": True, "l": ["x", "y"]}).render({}) == Rendering(("y",), ())


def test_an_inner_variable_of_the_same_name_is_another_one():
    text = "{{ $a := 1 }}{{ if .x }}{{ $a := 2 }}{{ $a = 3 }}{{ end }}{{ $a }}"
    assert rendered(text, {"x": 1.0}).text == "1"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("{{$x := .s}}{{range .l}}{{with $x}}{{$x = 5}}{{.}}{{end}}{{end}}", "s5"),
        ('{{$x := .s}}{{range .l}}{{with $x}}{{$x = 5}}{{printf "%v" .}}{{end}}{{end}}', "s5"),
        ('{{$x := .s}}{{range .l}}{{$x | printf "%v%v" ($x = 5)}}{{end}}', "5s55"),
        ("{{$x := .s}}{{range .l}}{{print $x ($x = 5) $x}}{{end}}", "s5 55 5 5"),
        ("{{$x := .s}}{{range .l}}{{and $x ($x = 5) $x}}{{or $x ($x = 6)}}{{end}}", "5555"),
        ("{{$x := .s}}{{range .l}}{{$x | or ($x = 0)}}{{end}}{{$x}}", "s00"),
        ("{{$x := .s}}{{range .l}}{{$y := $x}}{{$x = 5}}{{$y}}{{end}}", "s5"),
        ("{{$x := .s}}{{if .l}}{{$y := $x}}{{$x = 5}}{{$y}}{{$x}}{{end}}{{$x}}", "s55"),
        (
            '{{$x := .m}}{{range .l}}{{$x.k | printf "%v%v" ($x = $)}}{{end}}',
            "map[k:q l:[1 2] m:map[k:1] s:s]1map[k:q l:[1 2] m:map[k:1] s:s]q",
        ),
        ("{{$x := .l}}{{range $x}}{{$x = 5}}{{.}}{{end}}{{$x}}", "125"),
        ("{{$x := 1}}{{$y := 2}}{{range .l}}{{$x = $y}}{{$y = .}}{{$x}}{{$y}}{{end}}", "2112"),
        ("{{$x := 1}}{{range .l}}{{if $x = .}}{{$x}}{{end}}{{end}}{{if true}}{{$x = 7}}{{end}}{{$x}}", "127"),
        ('{{$x := .s}}{{range .l}}{{template "n" $x}}{{$x = 5}}{{end}}{{define "n"}}{{.}}{{end}}', "s5"),
        (
            "{{$x := .s}}{{range .l}}{{with .}}{{$x = .}}{{with $x}}{{$x = 0}}{{.}}{{$x}}{{end}}{{end}}{{end}}",
            "1020",
        ),
        ('{{$x := .s}}{{range .l}}{{len (print $x ($x = 55)) | printf "%v %v" $x}}{{end}}', "55 355 5"),
        ("{{$x := .s}}{{$y := and $x ($x := 5)}}{{$x}}{{$y}}", "55"),
        ("{{($z := .s) | print $z}}", "ss"),
        (
            "{{$x := .s}}{{range .l}}{{template `n` $x = printf `a%v` $x}}{{end}}{{$x}}{{define `n`}}{{.}}{{end}}",
            "asaasaas",
        ),
        (
            "{{$x := .s}}{{range .l}}{{with $x = printf `a%v` $x}}{{$x = 5}}{{.}};{{end}}{{end}}{{$x}}",
            "as;a5;5",
        ),
        (
            "{{$x := .s}}{{range .l}}{{range $x = slice $.l 0 1}}{{$x}}{{.}},{{end}};{{end}}{{$x}}",
            "11,;11,;1",
        ),
        ("{{$x := .s}}{{$y := or $x ($x = 5)}}{{$x}}{{$y}}", "ss"),
        ("{{print ($x := .s)}}{{print ($y := .s)}}{{$x}}{{$y}}", "ssss"),
        ("{{$x := 1}}{{($x = print $x 2) | quote}}{{$x}}", '"1 2"1 2'),
        ("{{$x := 1}}{{if .s}}{{print ($x = .k)}}{{$x = 2}}{{print ($x = .k)}}{{end}}{{$x}}", "qqq"),
        ("{{$x := .s}}{{$y := or $x ($x := 5)}}{{$x}}{{$y}}", "ss"),
        ("{{if ($z := .s) | print}}{{range .l}}{{$z = print $z .}}{{end}}{{$z}}{{end}}", "s12"),
    ],
)
@pytest.mark.parametrize("known", [(), ("l",), ("s", "m", "l", "k")], ids=len)
def test_a_variable_is_what_it_was_when_go_read_it(text, answer, known):
    dot = {"s": "s", "l": [1.0, 2.0], "m": {"k": 1.0}, "k": "q"}
    given = {name: value for name, value in dot.items() if name not in known}
    assert rendered(text, given, {name: dot[name] for name in known}).text == answer


def test_variables_in_parentheses_live_on():
    assert rendered("{{ print ($a := .x) }}{{ $a }}", {"x": "1"}).text == "11"
    assert rendered("{{ print ($a := 5) }}{{ $a }}").text == "55"
    text = "{{ $a := 1 }}{{ if .x }}{{ print ($a = .x) }}{{ end }}{{ $a }}"
    assert rendered(text, {"x": "2"}).text == "22"
    assert rendered("{{ $a := 1 }}{{ print ($a = 2) }}{{ $a }}").text == "22"
    with pytest.raises(TemplateExecError, match=r"undefined variable: \$a"):
        rendered("{{ print ($a = 2) }}")


def test_a_piped_value_is_computed_before_the_arguments():
    with pytest.raises(TemplateExecError, match=r"error calling boom"):
        rendered("{{ boom | printf .x.y }}", {"x": None})
    with pytest.raises(TemplateExecError, match=r"error calling boom"):
        rendered("{{ boom | or (1) }}")
    with pytest.raises(TemplateExecError, match=r"error calling boom"):
        rendered("{{ boom | .x.y }}", {"x": None}, dot_type=None)


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("{{ .m | f (nil).x }}", "<nil>", "nil is not a command"),
        ("{{ .m | f .a.b }}", "<.a.b>", "can't evaluate field b in type interface {}"),
        ("{{ .m.k.z | f .a.b }}", "<.m.k.z>", "can't evaluate field z in type interface {}"),
        ("{{ .m | f 1 }}", "<1>", "expected string; found 1"),
        ('{{ .m | f "x" }}', '<"x">', "wrong type for value; expected string; got map[string]interface {}"),
        ("{{ .a f }}", "<.a>", "a is not a method but has arguments"),
        ("{{ .m | .m.k }}", "<.m.k>", "k is not a method but has arguments"),
        ("{{ .a.b | .m.k }}", "<.a.b>", "can't evaluate field b in type interface {}"),
        ("{{ $x = .a.b }}", "<.a.b>", "can't evaluate field b in type interface {}"),
        ("{{ ($x = .a.b) }}", "<.a.b>", "can't evaluate field b in type interface {}"),
        ("{{ range $x = .a.b }}{{ end }}", "<.a.b>", "can't evaluate field b in type interface {}"),
        ("{{ range $x = .m }}{{ end }}", "<.m>", "undefined variable: $x"),
    ],
)
@pytest.mark.parametrize("known", [True, False])
def test_of_two_errors_the_one_that_go_meets_first_is_told(text, place, message, *, known):
    dot = {"a": 1.0, "m": {"k": 1.0}}
    takes = a_function(lambda *_: "", types.STRING, types.STRING)
    text = f'{{{{ define "d" }}}}{text}{{{{ end }}}}{{{{ $x := 1 }}}}{{{{ template "d" . }}}}'
    with pytest.raises(TemplateExecError) as caught:
        rendered(text, {} if known else dot, dot if known else {}, {"f": takes})
    assert str(caught.value).endswith(f' executing "d" at {place}: {message}')


def test_no_value_is_given_arguments_that_nobody_looks_at():
    assert rendered("{{ .nope.x (index .s 9) }}", {"s": "a"}).text == "<no value>"


# The dot.


def test_the_whole_dot_holds_what_is_known_too():
    assert rendered("{{ .ProxyConfig }}", a_dot(), dot_type=DATA).text.startswith("{TPROXY ")
    text = "{{ . }}{{ with $ }}{{ .b }}{{ end }}"
    assert rendered(text, {"a": "1"}, {"b": "2"}).text == "map[a:1 b:2]2"
    assert rendered("{{ if . }}y{{ else }}n{{ end }}").text == "n"


def test_a_struct_prints_its_fields_known_or_not():
    two = StructType(
        name="main.Two", fields={"A": a_field(types.STRING, "a"), "B": a_field(types.INT32, "b")}
    )
    template = compiled("{{ . }} {{ if . }}y{{ end }} {{ .A }}", {"A": "x"}, dot_type=two)
    assert template.render({}).text == "{x 0} y x"


def test_a_field_that_the_struct_does_not_have_is_an_error_when_reached():
    template = compiled("{{ if .Native }}{{ .Nope }}{{ end }}", dot_type=DATA)
    assert template.render({"Native": False}).text == ""
    with pytest.raises(TemplateExecError, match=r"can't evaluate field Nope in type \*main.Data"):
        template.render({"Native": True})


def test_a_field_that_is_not_given_is_zero():
    text = "{{ .UID }}|{{ .ObjectMeta.Name }}|{{ .ProxyConfig }}|{{ len .Values }}|{{ .Spec.Containers }}"
    assert rendered(text, dot_type=DATA).text == "0||<nil>|0|[]"


def test_rendering_twice_gives_the_same():
    text = "{{ range .Spec.Containers }}{{ .Name }}{{ end }}{{ .ObjectMeta.Annotations }}{{ .Values.m }}"
    template = compiled(text, {"Values": a_dot()["Values"]}, dot_type=DATA)
    first = template.render(a_dot())
    assert template.render(a_dot()) == first


# Templates in templates.


def test_a_template_is_compiled_in_place_for_what_its_caller_knows():
    text = '{{ define "r" }}{{ if .k }}{{ .x }}{{ end }}{{ end }}{{ template "r" . }}{{ template "r" . }}'
    template = compiled(text, {"k": True})
    assert "if" not in template.source()
    assert template.render({"x": "y"}).text == "yy"


def test_a_template_that_calls_itself_is_a_function():
    text = '{{ define "r" }}{{ .v }}{{ with .next }}, {{ template "r" . }}{{ end }}{{ end }}<{{ template "r" .x }}>'
    template = compiled(text)
    assert template.render({"x": {"v": "1", "next": {"v": "2", "next": {"v": "3"}}}}) == Rendering(
        ("<", ", ", ", ", ">"), ("1", "2", "3")
    )


def test_endless_recursion_is_an_error():
    with pytest.raises(TemplateExecError, match=r"exceeded maximum template depth \(100000\)"):
        rendered('{{ define "r" }}{{ template "r" . }}{{ end }}{{ template "r" .x }}', {"x": 1.0})


@pytest.mark.slow
def test_templates_that_call_each_other_often_do_not_grow_without_end():
    levels = "".join(
        f'{{{{ define "{level}" }}}}{{{{ .x }}}}{{{{ template "{level + 1}" . }}}}{{{{ template "{level + 1}" . }}}}{{{{ end }}}}'
        for level in range(14)
    )
    template = compiled(levels + '{{ define "14" }}.{{ end }}{{ template "0" . }}')
    assert len(template.source()) < 2_000_000
    assert template.render({"x": ""}).text == "." * 2**14


def test_deeply_nested_inlining_stops():
    levels = "".join(
        f'{{{{ define "{level}" }}}}{{{{ if .x }}}}{{{{ template "{level + 1}" . }}}}{{{{ end }}}}{{{{ end }}}}'
        for level in range(90)
    )
    template = compiled(levels + '{{ define "90" }}!{{ end }}{{ template "0" . }}')
    assert template.render({"x": 1.0}).text == "!"


def test_ranges_nested_too_deeply_are_refused_at_load():
    text = "{{ range .x }}" * 17 + "{{ end }}" * 17
    with pytest.raises(TemplateSyntaxError, match=r"template: t:1: range nested too deeply"):
        compiled(text)


# Functions that change their arguments.


def _set(items, key, value):
    items[key] = value
    return items


MUTATING = {
    **FUNCTIONS,
    "set": Function(
        call=_set,
        params=(types.MAP_ANY, types.STRING, types.ANY),
        result=types.MAP_ANY,
        pure=False,
        mutates=True,
    ),
    "dict": Function(call=dict, result=types.MAP_ANY),
}


def test_a_template_that_changes_data_changes_a_copy():
    known = {"k": {"a": "1", "l": [{"b": "2"}]}}
    dot = {"x": {"c": "3"}}
    text = '{{ $_ := set .k "n" "4" }}{{ $_ = set .x "n" "5" }}{{ .k }}{{ .x }}{{ range .k.l }}{{ set . "d" 6 }}{{ end }}'
    template = compiled(text, known, MUTATING)
    expected = "map[a:1 l:[map[b:2]] n:4]map[c:3 n:5]map[b:2 d:6]"
    assert [template.render(dot).text for _ in range(2)] == [expected] * 2
    assert known == {"k": {"a": "1", "l": [{"b": "2"}]}}
    assert dot == {"x": {"c": "3"}}


def test_a_map_made_by_a_changing_template_is_fresh_in_every_rendering():
    text = '{{ $d := dict }}{{ if .x }}{{ $_ := set $d "a" 1 }}{{ end }}{{ $d }}'
    template = compiled(text, functions=MUTATING)
    assert [template.render(dot).text for dot in ({"x": 1.0}, {})] == ["map[a:1]", "map[]"]


# Errors.


def raising(_value):
    raise FunctionError("broken")


@pytest.mark.parametrize(
    ("text", "dot", "message"),
    [
        ("\n é{{ f .x }}", {}, 't:2:6: executing "t" at <f .x>: error calling f: broken'),
        ("{{ .x | f }}", {}, 't:1:8: executing "t" at <f>: error calling f: broken'),
        (
            "{{ .g }}",
            {"g": FUNCTIONS["strf"]},
            't:1:3: executing "t" at <{{.g}}>: can\'t print {{.g}} of type func()',
        ),
        (
            '{{ template "n" . }}',
            {},
            't:1:12: executing "t" at <{{template "n" .}}>: template "n" not defined',
        ),
        (
            '{{ define "d" }}{{ f .x }}{{ end }}{{ template "d" . }}',
            {},
            't:1:19: executing "d" at <f .x>: error calling f: broken',
        ),
    ],
)
def test_errors_say_where_they_happened(text, dot, message):
    functions = {"f": a_function(raising, types.ANY)}
    for known in ({}, dot):
        with pytest.raises(TemplateExecError) as caught:
            rendered(text, {} if known else dot, known, functions)
        assert str(caught.value) == f"template: {message}"


def test_the_traceback_points_at_the_line_of_the_template():
    with pytest.raises(TemplateExecError) as caught:
        rendered("a\nb\n{{ .x.y }}", {"x": None})
    frame = caught.value.__cause__.__traceback__.tb_next
    assert (frame.tb_frame.f_code.co_filename, frame.tb_lineno) == ("<template t>", 3)


def test_a_function_hides_a_builtin_of_its_name():
    functions = {"len": a_function(lambda value: f"len {value}", types.ANY)}
    assert rendered("{{ len .x }}", {"x": "a"}, functions=functions).text == "len a"
    functions = {"and": a_function(lambda value: f"and {value}", types.ANY)}
    assert rendered("{{ and .x }}", {"x": "a"}, functions=functions).text == "and a"


def test_functions_can_be_values():
    dot = {"g": FUNCTIONS["strf"], "h": FUNCTIONS["intf"]}
    assert rendered('{{ call .g "a" }}', dot).text == "<a>"
    for text, message in {
        "{{ call .g }}": "wrong number of args for .g: got 0 want 1",
        '{{ call .g "a" "b" }}': "wrong number of args for .g: got 2 want 1",
        "{{ call .g 1 }}": "arg 0: value has type int; should be string",
        "{{ call .g nil }}": "arg 0: value is nil; should be of type string",
        "{{ .h | call }}": "wrong number of args for <func() Value>: got 0 want 1",
    }.items():
        with pytest.raises(TemplateExecError) as caught:
            rendered(text, dot)
        assert str(caught.value).endswith(f"error calling call: {message}")


def test_a_template_can_be_read_as_python():
    source = compiled("{{ if .x }}a{{ end }}{{ .y }}").source()
    assert source.startswith("def render(dot):")
    compile(source, "source", "exec")


def test_a_template_becomes_the_same_code_in_every_process():
    names = "abcdef"
    declared = "".join(f"{{{{ ${name} := .{name} }}}}" for name in names)
    assigned = "".join(f"{{{{ ${name} = 1 }}}}" for name in names)
    source = compiled(f"{declared}{{{{ if .x }}}}{assigned}{{{{ end }}}}{{{{ $a }}}}").source()
    settled = [int(number) for number in re.findall(r"v_\d+ = v_(\d+)", source)]
    assert len(settled) == len(names)
    assert settled == sorted(
        settled
    )  # by name, and not in the order of a set, which the hashes' seed decides


def test_certain_errors_can_be_asked_for():
    text = "{{ if .Native }}{{ .Nope }}{{ end }}{{ if .Values.f }}{{ .Other }}{{ end }}{{ len .Values.zero }}"
    template = compiled(text, {"Values": a_dot()["Values"]}, dot_type=DATA)
    assert [str(fault) for fault in template.faults()] == [
        'template: t:1:19: executing "t" at <.Nope>: can\'t evaluate field Nope in type *main.Data',
        'template: t:1:78: executing "t" at <len .Values.zero>: error calling len: len of type float64',
    ]
    assert compiled("{{ .x }}").faults() == ()
