"""``sidecar-injector completion``: the script that makes a shell ask this program for completions."""

from __future__ import annotations

import sys

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from injector.cli.main import COMPLETE, PROGRAM, group

SHELLS: dict[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}

_FILES, _NO_FILES = ":0", ":4"
"""Directives of cobra, which kubectl uses: ShellCompDirectiveDefault and NoFileComp."""

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
    # Only the script: click's own `source` also asks this machine's bash for its version.
    completer = SHELLS[shell](group, {}, PROGRAM, COMPLETE)
    click.echo(completer.source_template % completer.source_vars())


def kubectl() -> None:
    """Answer kubectl, which calls this program with the words after the plugin's name.

    It prints a line for each completion, with its help after a tab, and then a directive for the shell:
    `_FILES` if the shell itself completes files, else `_NO_FILES`.
    """
    *arguments, begun = sys.argv[1:] or [""]
    items = ShellComplete(group, {}, PROGRAM, COMPLETE).get_completions(arguments, begun)
    for item in items:
        if item.type == "plain":
            click.echo(f"{item.value}\t{item.help}" if item.help else item.value)
    click.echo(_FILES if any(item.type != "plain" for item in items) else _NO_FILES)
