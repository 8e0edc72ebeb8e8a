from __future__ import annotations

import pytest

from injector.budget import Budget
from injector.errors import InjectionError
from injector.injection.config import InjectConfig
from injector.injection.steps.selection import select_templates, template_of

CONFIG = InjectConfig(
    policy="enabled",
    templates={},
    default_templates=("sidecar", "extra"),
    aliases={"both": ("sidecar", "custom"), "none": (), "nested": ("both",), "extra": ("logs",)},
)


@pytest.mark.parametrize(
    ("annotation", "templates"),
    [
        (None, ("sidecar", "logs")),
        ("gateway", ("gateway",)),
        (" a , b", ("a", "b")),
        ("a,", ("a", "")),
        ("", ("",)),
        ("both", ("sidecar", "custom")),
        ("none", ()),
        ("nested", ("both",)),
    ],
)
def test_templates_are_those_of_the_annotation_with_aliases_resolved_once(annotation, templates):
    annotations = {} if annotation is None else {"inject.istio.io/templates": annotation}
    assert select_templates(annotations, CONFIG, Budget()) == templates


def test_an_unknown_template_is_named_together_with_those_that_exist():
    with pytest.raises(
        InjectionError, match=r'^requested template "a\\"b" not found; have gateway, sidecar$'
    ):
        template_of('a"b', {"sidecar": 1, "gateway": 2})


def test_a_known_template_is_found():
    assert template_of("sidecar", {"sidecar": 1}) == 1
