from __future__ import annotations

from typing import Any

import pytest

from injector.errors import ConfigError
from injector.injection.config import (
    ConfigErrors,
    Faults,
    InjectConfig,
    line_of_template,
    parse_config,
    read_mapping,
)
from injector.istio.releases import behaviour_of


def parsed(document: dict[str, Any], release: str = "1.31") -> InjectConfig:
    faults = Faults()
    config = parse_config(document, behaviour_of(release), file="config", faults=faults)
    faults.raise_if_any()
    return config


def faults_of(document: dict[str, Any], release: str = "1.31") -> list[str]:
    with pytest.raises(ConfigError) as refusal:
        parsed(document, release)
    return str(refusal.value).splitlines()


def test_defaults_of_a_configuration_with_one_template() -> None:
    config = parsed({"templates": {"sidecar": "x"}})
    assert config == InjectConfig(policy="", templates={"sidecar": "x"}, default_templates=("sidecar",))


def test_everything_a_configuration_can_say() -> None:
    config = parsed(
        {
            "policy": "enabled",
            "Templates": {"a": "x"},
            "defaultTemplates": ["a"],
            "aliases": {"b": ["a", "a"], "c": None},
            "neverInjectSelector": [{"matchLabels": {"a": "b"}}],
            "alwaysInjectSelector": None,
            "injectedAnnotations": {"k": "v"},
        }
    )
    assert config.default_templates == ("a",)
    assert config.aliases == {"b": ("a", "a"), "c": ()}
    assert config.injected_annotations == {"k": "v"}
    assert (len(config.never_inject_selectors), config.always_inject_selectors) == (1, ())


def test_the_poison_beside_templates_is_no_template() -> None:
    document = {"templates": {"sidecar": "x"}, "template": "{{ Mismatched }}"}
    assert parsed(document).templates == {"sidecar": "x"}


def test_up_to_1_8_the_one_template_is_the_sidecar() -> None:
    config = parsed({"template": "x", "injectedAnnotations": {"k": "v"}, "neverInjectSelector": [{}]}, "1.0")
    assert (config.templates, config.injected_annotations) == ({"sidecar": "x"}, {})
    assert config.never_inject_selectors == ()


def test_the_other_format_says_how_to_go_on() -> None:
    assert faults_of({"template": "x"}) == [
        "config: templates: there are no templates (it has `template`, so it is of 1.8 or older: say so with --release)"
    ]
    assert "so it is of 1.9 or newer" in faults_of({"templates": {"a": "b"}}, "1.8")[0]
    assert faults_of({}) == ["config: templates: there are no templates"]
    assert faults_of({}, "1.4") == ["config: template: there is no template"]


def test_all_faults_are_reported_at_once_with_their_paths() -> None:
    document = {
        "policy": False,
        "templates": {"a": 1},
        "defaultTemplates": "a",
        "aliases": {"b": [2]},
        "neverInjectSelector": [3],
    }
    assert faults_of(document) == [
        "config: neverInjectSelector[0]: must be a mapping, not a number",
        "config: policy: must be a string, not a boolean (YAML reads it so; put it in quotes)",
        "config: templates.a: must be a string, not a number",
        "config: defaultTemplates: must be a list, not a string",
        "config: aliases.b[0]: must be a string, not a number",
    ]


def test_an_unusable_selector_is_skipped_with_a_warning() -> None:
    broken = {"matchExpressions": [{"key": "a", "operator": "Bogus"}]}
    config = parsed({"templates": {"a": "b"}, "alwaysInjectSelector": [broken]})
    assert config.always_inject_selectors == ()
    assert config.warnings[0].startswith("alwaysInjectSelector[0] is skipped: ")


@pytest.mark.parametrize(("text", "expected"), [("", None), ("a: 1", {"a": 1}), ("# nothing\n", None)])
def test_a_mapping_is_read(text: str, expected: dict[str, Any] | None) -> None:
    assert read_mapping(text, "values", Faults()) == expected


def test_what_is_no_mapping_or_no_yaml_is_a_fault_with_file_and_line() -> None:
    faults = Faults()
    assert read_mapping("[1]", "values", faults) == {}
    assert read_mapping("a: 1\nb: [", "config", faults) == {}
    assert str(faults.found[0]) == "values: must be a mapping, not a list"
    assert str(faults.found[1]).startswith("config:")
    assert faults.found[1].line > 0


def test_one_fault_is_raised_as_it_is_and_several_together() -> None:
    faults = Faults()
    faults.raise_if_any()
    faults.add("first", file="f", line=2, path="p")
    with pytest.raises(ConfigError, match="f:2: p: first"):
        faults.raise_if_any()
    faults.add("second")
    with pytest.raises(ConfigErrors) as several:
        faults.raise_if_any()
    assert str(several.value) == "f:2: p: first\nsecond"
    assert (several.value.file, several.value.line) == ("f", 2)


@pytest.mark.parametrize(
    ("text", "name", "line"),
    [
        ("templates:\n  a: |\n    x\n  b: |-\n    y\n", "b", 5),
        ("template: |\n  x\n", "template", 2),
        ('template: "x"\n', "template", 0),
    ],
)
def test_the_line_of_a_template_is_found(text: str, name: str, line: int) -> None:
    assert line_of_template(text, name) == line
