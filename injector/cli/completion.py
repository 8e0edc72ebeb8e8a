"""``sidecar-injector completion``: the script with which a shell asks us what completes a line."""

from __future__ import annotations

import sys

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from injector.cli.main import COMPLETE, PROGRAM, group

SHELLS: dict[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}

_FILES, _NO_FILES = ":0", ":4"
"""The directives of cobra, which kubectl is made with: ShellCompDirectiveDefault and NoFileComp."""

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
    # The script alone: click's own `source` also asks the bash of this machine for its version.
    completer = SHELLS[shell](group, {}, PROGRAM, COMPLETE)
    click.echo(completer.source_template % completer.source_vars())


def kubectl() -> None:
    """Answer kubectl, which asks this program with the words that are behind the plugin's name.

    A line for each completion, with its help behind a tab, and then what the shell is to do: `_FILES` where
    it completes files itself, else `_NO_FILES`.
    """
    *arguments, begun = sys.argv[1:] or [""]
    items = ShellComplete(group, {}, PROGRAM, COMPLETE).get_completions(arguments, begun)
    for item in items:
        if item.type == "plain":
            click.echo(f"{item.value}\t{item.help}" if item.help else item.value)
    click.echo(_FILES if any(item.type != "plain" for item in items) else _NO_FILES)
