"""The templates of every Istio release in the reference data parse, with the functions that they use."""

from __future__ import annotations

import re

import pytest
import yaml

from injector.errors import TemplateSyntaxError
from injector.gotemplate import parse
from injector.gotemplate.builtins import BUILTINS

ISTIO = {
    "annotation",
    "append",
    "appendMultusNetwork",
    "applicationPorts",
    "contains",
    "default",
    "directory",
    "env",
    "excludeInboundPort",
    "formatDuration",
    "fromJSON",
    "includeInboundPorts",
    "indent",
    "isset",
    "join",
    "list",
    "nindent",
    "omit",
    "omitNil",
    "otelResourceAttributes",
    "protoToJSON",
    "quote",
    "render",
    "strdict",
    "structToJSON",
    "toJSON",
    "toJson",
    "toJsonMap",
    "toLower",
    "toYaml",
    "trimAll",
    "trimSuffix",
    "trunc",
    "valueOrDefault",
}
FUNCTIONS = {*BUILTINS, *ISTIO}


def templates(shared):
    for path in sorted((shared / "conformance").glob("*/configs/*.yaml")):
        config = yaml.safe_load(path.read_text())
        named = config.get("templates")
        single = {} if named else {"template": config["template"]}
        for name, text in (named or single).items():
            yield f"{path.parent.parent.name} {path.stem} {name}", path.parent.parent.name, text


def test_every_template_parses(shared):
    count = 0
    for name, release, text in templates(shared):
        delimiters = ("[[", "]]") if re.match(r"1\.[01]$", release) and "{{" not in text else ("{{", "}}")
        try:
            tree = parse(name, text, FUNCTIONS, delimiters)
        except TemplateSyntaxError as error:
            pytest.fail(str(error))
        assert tree.templates[name].nodes
        count += 1
    assert count > 50
