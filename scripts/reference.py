"""Write the pages of docs/ that are generated from the code: those of `PAGES`.

    .venv/bin/python scripts/reference.py

The suite checks that each page is up to date.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import click
import yaml

ROOT: Final = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

import release_facts  # noqa: E402 - from this checkout
from referencelib import annotations, configuration, events, findings, templates  # noqa: E402
from referencelib.markdown import cell, code, table  # noqa: E402

from injector.cli.main import COMMANDS, group  # noqa: E402
from injector.cli.options import variable_of  # noqa: E402

DOCS: Final = ROOT / "docs"
QUESTIONS: Final = ROOT / "tests" / "docs" / "questions.yaml"

NOTE: Final = "<!-- written by scripts/reference.py: do not edit -->\n"

# ---- commands

EXIT_CODES: Final = (
    ("0", "All went well."),
    (
        "1",
        (
            "It failed: one line on stderr says what, where and what to do. "
            "`explain`, `lint` and `compare` also end with 1 for what they find."
        ),
    ),
    ("2", "The command line was wrong: an unknown option, an impossible value."),
    ("130", "Interrupted (Ctrl-C)."),
    ("141", "The reader of the output ended (`| head`)."),
)


def commands() -> str:
    """Return the page of every command with its options."""
    parts = [
        f"# Commands\n\n{NOTE}",
        "`sidecar-injector COMMAND --help` says the same.\n",
        table(("command", "does"), ((f"[{name}](#{name})", cell(text)) for name, text in COMMANDS.items())),
        "## Exit codes\n",
        table(("code", "means"), EXIT_CODES),
        *(_command(name) for name in COMMANDS),
    ]
    return "\n".join(parts)


def _command(name: str) -> str:
    command = group.get_command(click.Context(group), name)
    assert command is not None, name  # noqa: S101 - for the type checker
    prefix = command.context_settings.get("auto_envvar_prefix", "")
    context = click.Context(command, info_name=f"sidecar-injector {name}", parent=None)
    rows = [_option(each, prefix, context) for each in command.params if isinstance(each, click.Option)]
    shown = [row for row in rows if row]
    head = ("option", "value", "default", "meaning") + (("variable",) if prefix else ())
    text = "\n\n".join(" ".join(part.split()) for part in (command.help or "").split("\n\n"))
    usage = " ".join(command.collect_usage_pieces(context))
    return f"## {name}\n\n```text\nsidecar-injector {name} {usage}\n```\n\n{text}\n\n{table(head, shown)}"


def _option(option: click.Option, prefix: str, context: click.Context) -> tuple[str, ...]:
    """Return the row of an option, () for one that is kept only for old callers."""
    if option.hidden:
        return ()
    flags = ", ".join(map(code, (*option.opts, *option.secondary_opts)))
    value = "" if option.is_flag else code(option.make_metavar(context))
    repeat = " Repeatable." if option.multiple and "repeatable" not in (option.help or "").lower() else ""
    row = (flags, value, _default(option), cell(f"{option.help or ''}{repeat}".strip()))
    return (*row, code(variable_of(option))) if prefix else row


def _default(option: click.Option) -> str:
    default = option.default
    if callable(default) or default in (None, "", (), False) or "UNSET" in repr(default):
        return ""
    return code("true" if default is True else str(default))


# ---- questions


def questions() -> str:
    """Return the page of frequent questions, with commands and answers."""
    topics = yaml.safe_load(QUESTIONS.read_text(encoding="utf-8"))
    total = sum("asked" in each for topic in topics for each in topic["questions"])
    parts = [
        f"# Why was my pod (not) injected?\n\n{NOTE}",
        f"""\
Ask about your own pod first:

    sidecar-injector explain -f app.yaml              # from files
    sidecar-injector explain deploy/web -n shop       # from the cluster: also whether the webhook is called

[explain.md](explain.md) says how to read the answer. Below are {total} questions that people asked in
public, each with the command that answers it, and twelve broken set-ups. The commands need no cluster: give
them your manifest, and your mesh's configuration as in [the README](../README.md#by-hand). The text in
quotes is part of what they print; the suite runs each of them on a small input of
[tests/docs/questions.yaml](../tests/docs/questions.yaml). [findings.md](findings.md) lists what `lint`
finds.
""",
        *(f"## {topic['topic']}\n\n{_topic(topic['questions'])}" for topic in topics),
    ]
    return "\n".join(parts)


def _topic(asked: Iterable[Mapping[str, Any]]) -> str:
    rows = (
        (
            cell(each["question"]),
            code(each["run"]),
            f"{cell(each['answer'])} <br>“{cell(code(each['says'][0]))}”",
            ", ".join(map(_source, each.get("asked", ()))) or "-",
        )
        for each in asked
    )
    return table(("question", "`sidecar-injector …`", "answer", "asked in"), rows)


def _source(source: str) -> str:
    repository, _, number = source.partition("#")
    return f"[{source}](https://github.com/{repository}/issues/{number})"


# ---- all of them


PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "annotations.md": annotations.page,
    "findings.md": findings.page,
    "reference/commands.md": commands,
    "reference/configuration.md": lambda: configuration.page(NOTE),
    "reference/events.md": lambda: events.page(NOTE),
    "reference/functions.md": lambda: templates.page(NOTE),
    "releases.md": release_facts.page,
    "why-not-injected.md": questions,
}
"""Each page below docs/, and the function that makes it."""


def pages() -> Iterator[tuple[Path, str]]:
    """Yield every page's path and text."""
    for name, make in PAGES.items():
        yield DOCS / name, make()


def main() -> int:
    """Write all pages."""
    for path, text in pages():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
