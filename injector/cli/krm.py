"""``sidecar-injector krm``: add sidecars to a ResourceList, as kustomize and kpt ask.

https://github.com/kubernetes-sigs/kustomize/blob/master/cmd/config/docs/api-conventions/functions-spec.md
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import click
import orjson
from click.core import ParameterSource

from injector.cli.configuration import (
    TEXTS,
    NamedText,
    configuration_options,
    load_injector,
    without_effect,
)
from injector.cli.files import stdin_text
from injector.cli.main import sentence_of
from injector.cli.options import namespace_option, pod_template_option
from injector.diagnosis.items import Item, mapping
from injector.errors import ConfigError, InjectionError, InjectorError
from injector.golang.strconv import parse_int
from injector.injection.injector import Injector
from injector.json_types import JSON, JSONObject
from injector.kubeyaml import documents, keep_layout

FUNCTION_CONFIG: Final = "functionConfig"

PATHS: Final = (
    ("internal.config.kubernetes.io/path", "internal.config.kubernetes.io/index"),
    ("config.kubernetes.io/path", "config.kubernetes.io/index"),
)
"""Annotations in which an orchestrator says from which file an object is; the older ones last."""

EPILOG = """\b
Examples:
  sidecar-injector krm --revision canary < resources.yaml
  kpt fn eval --exec 'sidecar-injector krm' -- revision=canary
\b
With kustomize, a file that `transformers:` names, for kustomize build --enable-alpha-plugins --enable-exec:
  apiVersion: sidecar-injector/v1
  kind: Sidecars
  metadata:
    name: sidecars
    annotations:
      config.kubernetes.io/function: |
        exec: {path: sidecar-injector, args: [krm]}
  spec:
    revision: canary
    values: |
      {"global": {"hub": "registry.example.com/istio"}}
"""


@click.command("krm", epilog=EPILOG)
@namespace_option
@pod_template_option
@configuration_options
def command(**flags: Any) -> None:
    """Inject the workloads of a ResourceList: a KRM function for kustomize and kpt.

    Reads a ResourceList from stdin and writes it to stdout with sidecars and with a result for each workload.
    Its functionConfig may hold every option below, by its name in camel case (in `spec`, or in `data` of a
    ConfigMap), and the three texts themselves as `config`, `values` and `mesh`. As for `inject`, the policy,
    selectors, Namespaces and ProxyConfig resources have no say.
    """
    text = stdin_text()
    resources = _resources(text)
    remarks: list[JSONObject] = []
    try:
        given = _settings(resources.get(FUNCTION_CONFIG))
        flags |= _options(given)
        injector = load_injector({**flags, **_texts(given)})
        remarks = [_result("warning", each) for each in without_effect(flags, injector)]
        outcomes = [_worked(injector, item, flags) for item in resources["items"]]
    except (InjectorError, click.ClickException) as error:
        sentence = sentence_of(error)
        outcomes = [Outcome(item=None, results=(_result("error", sentence),), failure=sentence)]
    results = [*remarks, *(result for outcome in outcomes for result in outcome.results)]
    failures = [outcome.failure for outcome in outcomes if outcome.failure]
    items = resources["items"] if failures else [outcome.item for outcome in outcomes]
    after = resources | {"items": items, "results": [*(resources.get("results") or ()), *results]}
    sys.stdout.buffer.write(keep_layout(text, after).encode())
    sys.stdout.buffer.flush()
    if failures:
        raise click.ClickException("\n".join(failures))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """An object of the list after injection, the messages about it, and why it failed, if it did."""

    item: JSON
    results: tuple[JSONObject, ...] = ()
    failure: str = ""


def _resources(text: str) -> JSONObject:
    """Return the document on stdin; ConfigError where it is not a ResourceList."""
    found = [each.value for each in documents(text, source="<stdin>") if each.value is not None]
    value = found[0] if len(found) == 1 else None
    if (
        not isinstance(value, dict)
        or value.get("kind") != "ResourceList"
        or not isinstance(value.get("items") or [], list)
    ):
        raise ConfigError("this is not a ResourceList, which kustomize and kpt send", file="<stdin>")
    return value | {"items": value.get("items") or []}


def _settings(function_config: JSON) -> JSONObject:
    """Return the fields of a functionConfig that are ours; ConfigError where they are not valid."""
    if not function_config:
        return {}
    if not isinstance(function_config, dict):
        raise ConfigError("it is not an object", file=FUNCTION_CONFIG)
    place = "data" if function_config.get("kind") == "ConfigMap" else "spec"
    found = function_config.get(place) or {}
    if not isinstance(found, dict):
        raise ConfigError(f"{place} is not a map of options", file=FUNCTION_CONFIG)
    return dict(found)


def _options(given: JSONObject) -> Mapping[str, Any]:
    """Return the flags for options given as fields: ``untrustedValues: text``."""
    arguments = []
    for name, value in given.items():
        if name in TEXTS:
            continue
        word = re.sub("[A-Z]", lambda match: f"-{match[0].lower()}", name)
        values = value if isinstance(value, list) else [value]
        arguments += [f"--{word}={_as_text(each)}" for each in values]
    with command.make_context(FUNCTION_CONFIG, arguments) as context:
        return {
            name: value
            for name, value in context.params.items()
            if context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        }


def _texts(given: JSONObject) -> Mapping[str, NamedText]:
    """Return the texts of a functionConfig, by their flags; they replace the command line's files."""
    return {
        flag: NamedText(f"{FUNCTION_CONFIG}.{name}", _as_text(given[name]))
        for name, flag in TEXTS.items()
        if name in given
    }


def _as_text(value: JSON) -> str:
    """Return a text unchanged, and anything else as JSON, which is YAML too."""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _worked(injector: Injector, item: JSON, flags: Mapping[str, Any]) -> Outcome:
    """Return one object of the list with its sidecars, or why it has none."""
    try:
        outcome = injector.inject_workload(
            item, namespace=flags["namespace"], pod_template_path=flags["pod_template_path"]
        )
    except InjectionError as error:
        result = _result("error", str(error), item)
        return Outcome(item=item, results=(result,), failure=f"{_item(item).title}: {error}")
    results = [
        _result("info", f"{'injected' if each.decision.inject else 'skipped'}: {each.decision.reason}", item)
        for each in outcome.considered
    ]
    return Outcome(item=outcome.as_written, results=tuple(results))


def _result(severity: str, message: str, item: JSON = None) -> JSONObject:
    """Return a Result of the specification about an object, or about the whole list."""
    found: JSONObject = {"message": message, "severity": severity}
    if not isinstance(item, dict):
        return found
    metadata = _item(item).metadata
    named = {"apiVersion": item.get("apiVersion"), "kind": item.get("kind"), "name": metadata.get("name")}
    named["namespace"] = metadata.get("namespace")
    found["resourceRef"] = {key: value for key, value in named.items() if value}
    annotations = mapping(metadata.get("annotations"))
    for path, index in PATHS:
        if path in annotations:
            at = parse_int(str(annotations.get(index, "")))
            return found | {"file": {"path": annotations[path], **({} if at is None else {"index": at})}}
    return found


def _item(value: JSON) -> Item:
    return Item(value=mapping(value), source="<stdin>")
