"""``render``: values that are templates themselves, until 1.13."""

from __future__ import annotations

import pytest

from injector.gotemplate import Struct, compile_template, from_json
from injector.injection.dot.context import dot_type
from injector.injection.dot.functions import function_map
from injector.istio.go_types import OBJECT_META, struct
from injector.istio.releases import behaviour_of
from injector.patch.schema import NEWEST

BEHAVIOUR = behaviour_of("1.5")
VALUES = {"global": {"x": "deep"}, "text": ""}


def rendered(inner: str, *, template: str = "{{ render .Values.text }}", known: bool = True) -> str:
    values = {"Values": from_json({**VALUES, "text": inner})}
    pod = {
        "ObjectMeta": Struct(struct(OBJECT_META, NEWEST), {"name": "web", "namespace": "shop"}, pointer=True)
    }
    compiled = compile_template(
        "inject",
        template,
        functions=function_map(BEHAVIOUR, env={}, mesh=None),
        known=values if known else {},
        dot_type=dot_type(BEHAVIOUR),
    )
    return compiled.render(pod if known else {**pod, **values}).text


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        ("plain text", "plain text"),
        ("{{ .Values.global.x }}.{{ .ObjectMeta.Namespace }}", "deep.shop"),
        ("{{ valueOrDefault .ObjectMeta.Name `none` }}.svc", "web.svc"),
        ("{{ render `{{ .ObjectMeta.Name }}` }}", "web"),
        ("{{ nope", ""),
        ("{{ .Nope }}", ""),
    ],
)
def test_a_text_is_rendered_with_the_same_data(inner, expected, known):
    assert rendered(inner, known=known) == expected


def test_a_template_that_is_called_renders_with_what_it_was_given():
    outer = '{{ define "d" }}{{ render .Values.text }}{{ end }}{{ template "d" . }}'
    assert rendered("{{ .ObjectMeta.Name }}", template=outer) == "web"


def test_without_the_dot_nothing_is_rendered():
    outer = '{{ define "d" }}[{{ render "{{ 1 }}" }}]{{ end }}{{ template "d" "x" }}'
    assert rendered("", template=outer) == "[]"
