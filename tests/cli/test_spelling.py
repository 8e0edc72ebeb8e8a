"""Options have one spelling in every command; older ones are taken and not shown."""

from __future__ import annotations

import re

import click
import pytest

from injector.cli.main import COMMANDS, group
from tests.cli.conftest import Run
from tests.cli.manifests import DEPLOYMENT, first

CONFIG = "policy: enabled\ntemplates:\n  sidecar: |\n    metadata: {labels: {a: b}}\n"


def options(name: str) -> list[click.Option]:
    command = group.get_command(click.Context(group), name)
    assert command is not None
    return [each for each in command.params if isinstance(each, click.Option)]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_shows_options_as_kubectl_writes_them(name: str) -> None:
    shown = [word for each in options(name) for word in (*each.opts, *each.secondary_opts)]
    assert [
        word for word in shown if not re.fullmatch(r"-[a-zA-Z]|--[a-z][a-z0-9]*(-[a-z0-9]+)*", word)
    ] == []


def test_one_option_has_one_name_and_one_meaning_in_all_commands() -> None:
    """What two commands share is declared once, so that it has one help text too."""
    declared: dict[str, set[tuple[str, str]]] = {}
    for name in COMMANDS:
        for each in options(name):
            for word in each.opts:
                declared.setdefault(word, set()).add((each.opts[-1], str(each.name)))
    # -o is a format or a file in one command, a format in the others: the name is the same.
    assert {word: found for word, found in declared.items() if len(found) > 1} == {}


@pytest.mark.parametrize(
    "spelling", ["--inject-config-file", "--injectConfigFile", "--inject-config", "--injectConfig"]
)
def test_every_spelling_of_an_option_works(run: Run, tmp_path, spelling: str) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG)
    result = run("inject", "-f", "-", spelling, "config.yaml", stdin=DEPLOYMENT)
    assert result.returncode == 0, result.stderr
    assert first(result.stdout)["spec"]["template"]["metadata"]["labels"]["a"] == "b"


@pytest.mark.parametrize(
    ("was", "now"), [("--inFlightMemory", "--in-flight-memory"), ("--in-flight-memory", "--in-flight-memory")]
)
def test_an_error_names_the_spelling_that_help_shows(run: Run, was: str, now: str) -> None:
    result = run("serve", was, "much")
    assert result.returncode == 2
    assert f"Invalid value for '{now}': 'much' is not a size" in result.stderr


def test_flags_of_sidecar_injector_1_4_are_taken(run: Run) -> None:
    flags = """--injectConfig --injectValues --meshConfig --tlsCertFile --tlsKeyFile --caCertFile
        --healthCheckFile --healthCheckInterval --reconcileWebhookConfig --webhookConfigName --webhookName
        --monitoringPort --port --kubeconfig"""
    known = {word for each in options("serve") for word in (*each.opts, *getattr(each, "aliases", ()))}
    assert set(flags.split()) <= known
    result = run("probe", "--probe-path", "missing", "--interval", "4s")
    assert (result.returncode, "missing: cannot read it" in result.stderr) == (1, True)
