"""Run one command, in colour or not, and return its exit code. Imports only the command that runs."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TextIO

import click
from click.shell_completion import shell_complete

from injector import __version__
from injector.errors import InjectorError

PROGRAM: Final = "sidecar-injector"
PLUGIN: Final = "kubectl-sidecar_injector"
"""The name by which kubectl finds ``kubectl sidecar-injector``: an underscore for the dash."""

COMPLETE: Final = "_SIDECAR_INJECTOR_COMPLETE"
"""The variable by which a shell asks for completion; `completion` writes it into the shell's script."""

FAILED: Final = 1
WRONG_CALL: Final = 2
INTERRUPTED: Final = 130
"""The exit code in shells of a process that SIGINT ended: 128 + 2."""

READER_GONE: Final = 141
"""The same for SIGPIPE: 128 + 13."""

COLOURS: Final = {"always": True, "never": False}
"""The values of ``--color`` besides auto."""

COMMANDS: Final = {
    "inject": "Add sidecars to the workloads in files.",
    "explain": "Say for each workload whether it is injected, and why.",
    "serve": "Run the HTTPS webhook.",
    "lint": "Check configuration, values and mesh; show what the template became.",
    "compare": "Send the same pods to two webhooks and show where the answers differ.",
    "certs": "Make a development CA and a certificate for the webhook.",
    "krm": "Inject a ResourceList: a function of kustomize and kpt.",
    "probe": "Check the health file that `serve --health-check-file` writes.",
    "completion": "Print what makes a shell complete commands, options and values.",
    "version": "Print the version and the releases of Istio that are known.",
}
"""Each command's line in the help; the module ``injector.cli.NAME`` contains it."""


def colour_of(environment: Mapping[str, str]) -> bool | None:
    """Return whether the environment asks for colour, by no-color.org and clicolors; None: on terminals.

    NO_COLOR wins: a user who sets it cannot read colours, while forcing them is for pipes into a viewer.
    """
    if environment.get("NO_COLOR"):
        return False
    if environment.get("CLICOLOR_FORCE", "0") not in {"", "0"}:
        return True
    if environment.get("CLICOLOR") == "0" or environment.get("TERM") == "dumb":
        return False
    return None


def _choose(context: click.Context, _parameter: click.Parameter, value: Any) -> None:
    """Set the colour for this command and for the report of its errors."""
    root = context.find_root()
    if value is None and context is not root:
        return  # the option before the command's name stays in force
    context.color = root.color = COLOURS[value] if value in COLOURS else colour_of(os.environ)


COLOUR_OPTION: Final = click.Option(
    ["--color"],
    type=click.Choice(("auto", *COLOURS)),
    expose_value=False,
    is_eager=True,
    callback=_choose,
    help="Colours; auto: on a terminal, and as NO_COLOR and CLICOLOR_FORCE say.",
)
"""An option of every command, so that it works before and after the command's name."""


class LazyGroup(click.Group):
    """A group that imports a command on first use: ``inject`` starts in a third of a second."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the commands, the most important first."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the module of one command."""
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"injector.cli.{cmd_name}").command
        assert isinstance(command, click.Command)  # noqa: S101 - for the type checker
        if COLOUR_OPTION not in command.params:
            command.params.append(COLOUR_OPTION)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run one command; its error is shown here, where its colour is known."""
        try:
            return super().invoke(ctx)
        except click.UsageError:
            raise
        except (InjectorError, click.ClickException) as error:
            click.echo(f"{click.style('error:', fg='red', bold=True)} {sentence_of(error)}", err=True)
            ctx.exit(FAILED)


EPILOG = """\b
Examples:
  sidecar-injector inject app.yaml | kubectl apply -f -
  sidecar-injector inject app.yaml --inject-config-file config.yaml --values-file values.json
  sidecar-injector explain -f app.yaml -n shop
  sidecar-injector certs
  sidecar-injector serve --port 8443 --tls-cert-file certs/tls.crt --tls-key-file certs/tls.key
"""


@click.group(cls=LazyGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name=PROGRAM)
def group() -> None:
    """Add sidecars to Kubernetes pods from Istio's own templates, by hand and as a webhook."""


group.params.append(COLOUR_OPTION)


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command: exit code 0 for success, 1 for failure, 2 for a usage error.

    130 after Ctrl-C, and 141 when the reader of stdout has gone, as for a process that the signal ended.
    """
    gc.disable()  # a command ends before cycles matter; `serve` enables the collector once it has loaded
    _open_closed_streams()
    if asked := os.environ.get(COMPLETE):
        sys.exit(_complete(asked))
    code = _run(sys.argv[1:] if argv is None else list(argv))
    try:
        sys.stderr.flush()
    except OSError:
        _discard(sys.stderr)
    gc.freeze()  # or Python searches for cycles at its end: the two take a fifth of `inject`
    sys.exit(code)


def _complete(asked: str) -> int:
    """Print the completions of the line that a shell gives in COMP_WORDS and COMP_CWORD."""
    try:
        failed = shell_complete(group, {}, PROGRAM, COMPLETE, asked)
    except (LookupError, ValueError):  # one of the two is missing, or the index is not a number
        failed = 1
    if failed:
        _say(f"error: {COMPLETE}={asked} is for shells that also set COMP_WORDS and COMP_CWORD: unset it")
        return WRONG_CALL
    return 0


def _open_closed_streams() -> None:
    """Replace streams that the caller closed (``>&-``): Python has None there.

    Reading gives nothing and messages are lost, but output fails as on a full disk: it was asked for.
    """
    if sys.stdin is None:
        sys.stdin = Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115 - for as long as the process
    if sys.stdout is None:
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_RDONLY), "w", encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115


def _run(arguments: list[str]) -> int:
    """Run one command and write out what it printed; return the exit code."""
    try:
        code = _command(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        code = READER_GONE  # `| head`: there is no reader to report it to
    except OSError as error:
        # Streams have no name: an error with a name is about a file.
        what = f"cannot use {error.filename}" if error.filename else "cannot write the output"
        _say(f"error: {what}: {error.strerror or error}")
        code = FAILED
    except (KeyboardInterrupt, click.Abort):
        _say("interrupted")
        code = INTERRUPTED
    else:
        return code
    _discard(sys.stdout)
    return code


def _command(arguments: list[str]) -> int:
    name = "kubectl sidecar-injector" if Path(sys.argv[0]).name == PLUGIN else PROGRAM
    try:
        with group.make_context(name, arguments) as context:
            group.invoke(context)
    except click.UsageError as error:
        error.show()
        return WRONG_CALL
    except click.exceptions.Exit as request:
        return request.exit_code
    return 0


def _say(sentence: str) -> None:
    with contextlib.suppress(OSError):
        click.echo(sentence, err=True)


def _discard(stream: TextIO) -> None:
    """Discard what is buffered for a stream, or Python fails on it at its end, with 120."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def sentence_of(error: InjectorError | click.ClickException) -> str:
    """Return an error's sentence for the person who has to act; click's ``str()`` lacks the option's name."""
    return error.format_message() if isinstance(error, click.ClickException) else str(error)
