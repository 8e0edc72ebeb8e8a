"""argv to one command. Knows the commands' names, and imports only the one that runs."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Final

import click

from injector import __version__
from injector.errors import InjectorError

COMMANDS: Final = {
    "inject": "Add sidecars to the workloads in files.",
    "explain": "Say for each workload whether it is injected, and why.",
    "serve": "Run the HTTPS webhook.",
    "lint": "Check configuration, values and mesh; show what the template became.",
    "compare": "Send the same pods to two webhooks and show where the answers differ.",
    "certs": "Make a development CA and a certificate for the webhook.",
    "probe": "Check the health file that `serve --healthCheckFile` writes.",
}
"""Each command's line in the help, and the module ``injector.cli.NAME`` that holds it."""


class LazyGroup(click.Group):
    """A group that imports a command when it is asked for: ``inject`` starts in a third of a second."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the commands in the order of their importance."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the module of one command."""
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"injector.cli.{cmd_name}").command
        assert isinstance(command, click.Command)  # noqa: S101 - for the type checker
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


EPILOG = """\b
Examples:
  sidecar-injector inject -f app.yaml | kubectl apply -f -
  sidecar-injector inject -f app.yaml --injectConfigFile config.yaml --valuesFile values.json
  sidecar-injector explain -f app.yaml -n shop
  sidecar-injector certs
  sidecar-injector serve --port 8443 --tlsCertFile certs/tls.crt --tlsKeyFile certs/tls.key
"""


@click.group(cls=LazyGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="sidecar-injector")
def group() -> None:
    """Add sidecars to Kubernetes pods from Istio's own templates, by hand and as a webhook."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command: exit code 0 when all went well, 1 on failure, 2 when the call itself was wrong."""
    try:
        group.main(args=None if argv is None else list(argv), standalone_mode=False)
    except click.UsageError as error:
        error.show()
        sys.exit(2)
    except click.exceptions.Exit as request:
        sys.exit(request.exit_code)
    except click.Abort:
        sys.exit(130)
    except (InjectorError, click.ClickException) as error:
        click.echo(f"{click.style('error:', fg='red', bold=True)} {_sentence(error)}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        # The reader has gone (`| head`): nothing is left to tell anybody, and no traceback helps.
        sys.stderr.close()
        sys.exit(141)


def _sentence(error: Exception) -> str:
    return error.format_message() if isinstance(error, click.ClickException) else str(error)


if __name__ == "__main__":
    main()
