"""``sidecar-injector completion``: the script with which a shell asks us what completes a line."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

SHELLS: dict[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}

EPILOG = """\b
Examples:
  source <(sidecar-injector completion bash)                   # in ~/.bashrc
  source <(sidecar-injector completion zsh)                    # in ~/.zshrc, behind compinit
  sidecar-injector completion fish > ~/.config/fish/completions/sidecar-injector.fish
"""


@click.command("completion", epilog=EPILOG)
@click.argument("shell", type=click.Choice(tuple(SHELLS)))
def command(*, shell: str) -> None:
    """Print the script that makes a shell complete commands, options, files and values."""
    from injector.cli.main import COMPLETE, PROGRAM, group  # noqa: PLC0415 - which imports this module

    # The script alone: click's own `source` also asks the bash of this machine for its version.
    completer = SHELLS[shell](group, {}, PROGRAM, COMPLETE)
    click.echo(completer.source_template % completer.source_vars())
