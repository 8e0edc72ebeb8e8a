"""Whether output is in colour: by ``--color``, the environment, and whether it goes to a terminal."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import click

AUTO = "auto"
CHOSEN = {"always": True, "never": False}


def colour_of(environment: Mapping[str, str]) -> bool | None:
    """Return whether the environment wants colour, by no-color.org and clicolors; None: on terminals.

    NO_COLOR wins: who sets it everywhere cannot read colours, and who forces them pipes into a viewer.
    """
    if environment.get("NO_COLOR"):
        return False
    if environment.get("CLICOLOR_FORCE", "0") not in {"", "0"}:
        return True
    if environment.get("CLICOLOR") == "0" or environment.get("TERM") == "dumb":
        return False
    return None


def colour_option() -> click.Option:
    """Return the option that every command has, so that it works before and behind the command's name."""
    return click.Option(
        ["--color"],
        type=click.Choice((AUTO, *CHOSEN)),
        expose_value=False,
        is_eager=True,
        callback=_choose,
        help="Colours; auto: on a terminal, and as NO_COLOR and CLICOLOR_FORCE say.",
    )


def _choose(context: click.Context, _parameter: click.Parameter, value: Any) -> None:
    """Set the colour of this command and of what reports its errors."""
    root = context.find_root()
    if value is None and context is not root:
        return  # what was said before the command's name holds
    context.color = root.color = CHOSEN[value] if value in CHOSEN else colour_of(os.environ)
