"""Options that several commands share, the types of their values, and the common spelling.

Options are written as in kubectl, ``--inject-config-file``. Istio's older tools write ``--injectConfigFile``:
that works too, as do former names of an option, and neither is shown.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from injector.budget import LIMIT_NAMES, ReviewLimits
from injector.cli.addresses import is_web
from injector.errors import ConfigError
from injector.golang.times import SECOND, DurationError, parse_duration
from injector.istio.releases import RELEASES

Command = TypeVar("Command", bound=Callable[..., Any])

PREFIX: Final = "SIDECAR_INJECTOR_SERVE"
"""The prefix of the variables for options of `serve`: SIDECAR_INJECTOR_SERVE_PORT is ``--port``. A shorter
one would clash: for a Service called sidecar-injector the kubelet sets SIDECAR_INJECTOR_PORT and more."""


class Named(click.Path):
    """A path that is not empty: the path in an unset variable would be the current folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path."""
        if not str(value):
            self.fail("it is empty, as a variable is that is not set", param, ctx)
        return super().convert(value, param, ctx)


class File(Named):
    """A file's path; an address, which only manifests may have, is refused and not quoted."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path."""
        if is_web(str(value)):
            self.fail("this is an address, and only a file is read here: fetch it with curl", param, ctx)
        return super().convert(value, param, ctx)


FILE: Final = File(path_type=Path, readable=False)

FEATURES: Final = (
    "ENABLE_NATIVE_SIDECARS",
    "COMPLIANCE_POLICY",
    "PLATFORM",
    "REWRITE_TCP_PROBES",
    "ENABLE_LEGACY_FSGROUP_INJECTION",
    "JWT_POLICY",
    "CLUSTER_ID",
)
"""The variables of istiod's environment that the injector itself reads, whatever the templates read."""


class Option(click.Option):
    """An option with other accepted spellings that are not shown: not in help, errors or completion."""

    def __init__(self, declarations: Sequence[str], *, aliases: Sequence[str], **attributes: Any) -> None:
        super().__init__(declarations, **attributes)
        self.aliases = aliases

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        """Tell the parser every spelling."""
        shown = self.opts
        self.opts = [*shown, *(alias for alias in self.aliases if alias not in shown)]
        super().add_to_parser(parser, ctx)
        self.opts = shown


def option(*declarations: str, was: Sequence[str] = (), **attributes: Any) -> Callable[[Command], Command]:
    """Return a decorator like ``click.option`` that also accepts long names in Istio's spelling.

    ``was`` are former names of the option, in kebab case: they are accepted in both spellings.
    """
    names = [name for name in declarations if name.startswith("--") and "/" not in name]
    aliases = [camel(name) for name in names]
    for name in was:
        aliases += [name, camel(name)]
    return click.option(*declarations, cls=Option, aliases=aliases, **attributes)


def camel(name: str) -> str:
    """Return Istio's spelling of a name: ``--inject-config-file`` is ``--injectConfigFile``."""
    return re.sub("(?<=[a-z0-9])-([a-z])", lambda match: match[1].upper(), name)


def switch(name: str, *, default: bool, text: str) -> Callable[[Command], Command]:
    """Return an option that is on without a value and accepts one as Go's flags do: ``--name=false``."""
    return option(
        name,
        type=bool,
        is_flag=False,
        flag_value=True,
        default=default,
        show_default=True,
        metavar="[=true|false]",
        help=text,
    )


def together(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Return a decorator that adds options, shown in this order."""

    def add(command: Command) -> Command:
        for each in reversed(options):
            command = each(command)
        return command

    return add


recursive_option = click.option(
    "-R", "--recursive", is_flag=True, help="Read folders with all that is below them."
)
namespace_option = click.option(
    "-n", "--namespace", default="", help="Namespace of workloads that name none."
)
pod_template_option = option(
    "--pod-template-path",
    default="",
    metavar="PATH",
    help="Where kinds that are not known keep their pod template: spec.template",
)
text_options = together(
    option(
        "--inject-config-file",
        was=["--inject-config"],
        type=FILE,
        help="The ConfigMap key `config`, or the whole ConfigMap; built-in when not given.",
    ),
    option(
        "--values-file",
        was=["--inject-values"],
        type=FILE,
        help="The ConfigMap key `values`, or the ConfigMap; laid over the built-in ones without a config.",
    ),
    option(
        "--mesh-config-file",
        was=["--mesh-config"],
        type=FILE,
        help="The mesh configuration, or its ConfigMap.",
    ),
)
"""The three texts that say how to inject: the files that a mesh keeps in its ConfigMaps."""


def completing(words: Sequence[str]) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """Return a shell completion of a value to one of ``words``; other values are accepted."""
    return lambda _context, _parameter, begun: [word for word in words if word.startswith(begun)]


def environment(settings: Sequence[str]) -> Mapping[str, str]:
    """Return istiod's environment from ``NAME=value`` and ``NAME`` (from our own); else a usage error."""
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


def variable_of(option: click.Parameter) -> str:
    """Return the variable for an option of `serve`, from the name that help shows."""
    return f"{PREFIX}{max(option.opts, key=len).removeprefix('-').replace('-', '_').upper()}"


def refuse_unknown_variables(context: click.Context) -> None:
    """Raise a usage error for a variable under PREFIX that names no option: it would have no effect."""
    known = {variable_of(option) for option in context.command.params}
    known |= {f"{PREFIX}_{option.name}".upper() for option in context.command.params}  # the former names
    for variable in sorted(os.environ):
        if variable.startswith(f"{PREFIX}_") and variable not in known:
            raise click.UsageError(f"{variable} in the environment is not the name of an option")


def _checked_limits(
    _context: click.Context, parameter: click.Parameter, settings: Sequence[str]
) -> ReviewLimits:
    """Return the limits, with defaults; of a limit given twice the last counts."""
    given: dict[str, int] = {}
    for setting in settings:
        name, _, number = setting.partition("=")
        if name not in LIMIT_NAMES:
            raise click.BadParameter(f"{name!r} is none of {', '.join(LIMIT_NAMES)}", param=parameter)
        if not re.fullmatch("[0-9]{1,18}", number):
            raise click.BadParameter(f"{setting!r}: write {name}=NUMBER", param=parameter)
        given[name] = int(number)
    try:
        return ReviewLimits(**given)
    except ConfigError as error:
        raise click.BadParameter(error.reason, param=parameter) from error


def _checked_release(_: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    match = re.fullmatch(r"v?(1\.\d+)(\.\d+)?(-.*)?", value)
    if match is None or match[1] not in RELEASES:
        raise click.BadParameter(f"{value!r} is not a release from 1.0 to {RELEASES[-1]}", param=parameter)
    return value


release_options = together(
    click.option(
        "--release",
        metavar="1.0…1.32",
        shell_complete=completing(RELEASES),
        help="Istio's release to behave as; told from the image's tag or the format when not given.",
        callback=_checked_release,
    ),
    click.option("--revision", default="default", show_default=True, help="The revision that answers."),
    click.option(
        "--env",
        "settings",
        multiple=True,
        metavar="NAME[=VALUE]",
        shell_complete=completing([f"{name}=" for name in FEATURES]),
        help=f"istiod's environment as the injector sees it, e.g. {FEATURES[0]}=true; repeatable.",
    ),
    option(
        "--untrusted-values",
        type=click.Choice(("scalar", "text")),
        default="scalar",
        show_default=True,
        help="Whether a pod's value can only ever be one scalar, or is parsed as text as Istio does.",
    ),
    option(
        "--review-limit",
        "review_limits",
        multiple=True,
        metavar="NAME=NUMBER",
        shell_complete=completing([f"{name}=" for name in LIMIT_NAMES]),
        callback=_checked_limits,
        help="What one pod may use at most, e.g. templates=100; repeatable. "
        f"Names: {', '.join(LIMIT_NAMES)}.",
    ),
)
"""What decides how a pod is injected besides the three texts."""


# ---- types of values: ``1m30s`` as Go has it to seconds, ``64Mi`` to bytes


def duration(value: object) -> float:
    """Return a Go duration (``300ms``, ``1h30m``) or a bare 0 as seconds; a usage error names the units."""
    if isinstance(value, (int, float)):
        return float(value)
    text = str(value)
    try:
        nanoseconds = parse_duration(text)
    except DurationError:
        nanoseconds = -1
    if nanoseconds < 0:
        raise click.BadParameter(f"{text!r} is not a duration; write 300ms, 4s, 1m30s")
    return nanoseconds / SECOND


def a_second_or_more(value: object) -> float:
    """Return a duration of at least a second, as exact as a certificate and the header Date are."""
    seconds = duration(value)
    if seconds < 1:
        raise click.BadParameter(f"{str(value)!r} is less than 1s")
    return seconds


def some_time(value: object) -> float:
    """Return a duration that is not zero."""
    seconds = duration(value)
    if not seconds:
        raise click.BadParameter(f"{str(value)!r} is not a positive duration; write 300ms, 4s, 1m30s")
    return seconds


UNIT_BYTES: Final = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}
AMOUNT = re.compile(r"0*([0-9]+)(|k|M|G|Ki|Mi|Gi)")
MOST_DIGITS: Final = 18
LARGEST_SIZE: Final = 2**63 - 1
"""Bytes. A Kubernetes quantity is not larger, nor an integer in a log line."""


def size(value: object) -> int:
    """Return a whole Kubernetes quantity (``64Mi``, ``100M``) as bytes; a usage error names the units."""
    text = str(value)
    found = AMOUNT.fullmatch(text)
    if found is None:
        raise click.BadParameter(f"{value!r} is not a size; write 64Mi, 100M")
    digits, unit = found.groups()
    if len(digits) > MOST_DIGITS or int(digits) * UNIT_BYTES[unit] > LARGEST_SIZE:
        raise click.BadParameter(f"{text[:40]!r} is more than any machine has; write 64Mi, 100M")
    return int(digits) * UNIT_BYTES[unit]
