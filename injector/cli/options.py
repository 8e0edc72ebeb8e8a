"""Options that several commands share, in both spellings.

Istio's tools spell options ``--injectConfigFile``; most others write ``--inject-config-file``. Both work.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from injector.budget import LIMIT_NAMES, ReviewLimits
from injector.errors import ConfigError
from injector.injection.releases import RELEASES

Command = TypeVar("Command", bound=Callable[..., Any])

PREFIX: Final = "SIDECAR_INJECTOR_SERVE"
"""Begins the variables that name options of `serve`: SIDECAR_INJECTOR_SERVE_PORT is ``--port``.

Not shorter: of a Service called sidecar-injector the kubelet makes SIDECAR_INJECTOR_PORT and more.
"""

FILE: Final = click.Path(path_type=Path)

FEATURES: Final = (
    "ENABLE_NATIVE_SIDECARS",
    "COMPLIANCE_POLICY",
    "PLATFORM",
    "REWRITE_TCP_PROBES",
    "ENABLE_LEGACY_FSGROUP_INJECTION",
)


def spelled(name: str, *, argument: str = "") -> tuple[str, ...]:
    """Return the declarations of an option: Istio's spelling, the usual one, and the argument's name."""
    kebab = re.sub(r"(?<=[a-z])([A-Z])", lambda match: f"-{match[1].lower()}", name)
    names = dict.fromkeys((f"--{name}", f"--{kebab}"))
    return (*names, argument or kebab.replace("-", "_"))


def switch(name: str, *, default: bool, text: str) -> Callable[[Command], Command]:
    """Return an option that is on alone and takes a value as Go's flags do: ``--name=false``."""
    return click.option(
        *spelled(name),
        type=bool,
        is_flag=False,
        flag_value=True,
        default=default,
        show_default=True,
        metavar="[=true|false]",
        help=text,
    )


def environment(settings: Sequence[str]) -> Mapping[str, str]:
    """Return istiod's environment from ``NAME=value`` and ``NAME`` (taken from ours); usage error else."""
    found: dict[str, str] = {}
    for setting in settings:
        name, separator, value = setting.partition("=")
        if not name:
            raise click.BadParameter(f"{setting!r} has no name; write NAME=value", param_hint="--env")
        if not separator and name not in os.environ:
            raise click.BadParameter(
                f"{name} is not set here; write {name}=value to set it", param_hint="--env"
            )
        found[name] = value if separator else os.environ[name]
    return found


def refuse_unknown_variables(context: click.Context) -> None:
    """Raise a usage error for a variable under PREFIX that names no option, which nobody would notice."""
    known = {f"{PREFIX}_{option.name}".upper() for option in context.command.params}
    for variable in sorted(os.environ):
        if variable.startswith(f"{PREFIX}_") and variable not in known:
            raise click.UsageError(f"{variable} in the environment is not the name of an option")


def release_options(command: Command) -> Command:
    """Add what decides how a pod is injected besides the three texts."""
    for option in reversed(
        (
            click.option(
                "--release",
                metavar="1.0…1.32",
                help="Istio's release to behave as; told from the image's tag or the format when not given.",
                callback=_checked_release,
            ),
            click.option(
                "--revision", default="default", show_default=True, help="The revision that answers."
            ),
            click.option(
                "--env",
                "settings",
                multiple=True,
                metavar="NAME[=VALUE]",
                help=f"istiod's environment as the injector sees it, e.g. {FEATURES[0]}=true; repeatable.",
            ),
            click.option(
                *spelled("untrusted-values"),
                type=click.Choice(("scalar", "text")),
                default="scalar",
                show_default=True,
                help="Whether a pod's value can only ever be one scalar, or is parsed as text as Istio does.",
            ),
            click.option(
                *spelled("reviewLimit", argument="review_limits"),
                multiple=True,
                metavar="NAME=NUMBER",
                callback=_checked_limits,
                help="What one pod may use at most, e.g. templates=100; repeatable. "
                f"Names: {', '.join(LIMIT_NAMES)}.",
            ),
        )
    ):
        command = option(command)
    return command


def _checked_limits(
    _context: click.Context, option: click.Parameter, settings: Sequence[str]
) -> ReviewLimits:
    """Return the limits, the defaults where none is given; of one given twice the last counts."""
    given: dict[str, int] = {}
    for setting in settings:
        name, _, number = setting.partition("=")
        if name not in LIMIT_NAMES:
            raise click.BadParameter(f"{name!r} is none of {', '.join(LIMIT_NAMES)}", param=option)
        if not re.fullmatch("[0-9]{1,18}", number):
            raise click.BadParameter(f"{setting!r}: write {name}=NUMBER", param=option)
        given[name] = int(number)
    try:
        return ReviewLimits(**given)
    except ConfigError as error:
        raise click.BadParameter(error.reason, param=option) from error


def _checked_release(_: click.Context, option: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    match = re.fullmatch(r"v?(1\.\d+)(\.\d+)?(-.*)?", value)
    if match is None or match[1] not in RELEASES:
        raise click.BadParameter(f"{value!r} is not a release from 1.0 to {RELEASES[-1]}", param=option)
    return value
