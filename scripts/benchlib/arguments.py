"""Parse the values of command-line options; argparse reports the errors.

Everything is checked before the first measurement: an error should not come minutes later.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shlex
import shutil
import ssl
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import click

from benchlib import clustermix, configurations, reviews
from injector.cli.serve import worker_count

MOST: Final = 1000
"""The largest count: each is a process or a connection of this machine, or a round of seconds."""

LONGEST: Final = 86_400.0
"""Seconds; a case that takes a day is a soak."""


# ---- numbers


def a_count(text: str) -> int:
    """Return a number of things, one at least."""
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MOST)) and 1 <= int(text) <= MOST):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {MOST}")
    return int(text)


def some_workers(text: str) -> int:
    """Return a number of workers that `serve` takes on this machine."""
    try:
        return worker_count(a_count(text))
    except click.BadParameter as error:
        raise argparse.ArgumentTypeError(error.message) from error


def some_seconds(text: str) -> float:
    """Return a time."""
    return _between(text, 0.0, LONGEST, f"a number of seconds, more than 0 and at most {LONGEST:,.0f}")


def a_rate(text: str) -> float:
    """Return arrivals a second."""
    return _between(text, 0.0, 1e6, "a number of arrivals a second, more than 0 and at most 1,000,000")


def a_share(text: str) -> float:
    """Return a share, which may be 0."""
    return _between(text, -math.ulp(0.0), 1.0, "a share from 0 to 1")


def a_threshold(text: str) -> float:
    """Return how much worse a figure may become, as a share of the old one: 1 is twice as much."""
    return _between(text, -math.ulp(0.0), 100.0, "a share from 0 to 100")


def _between(text: str, above: float, most: float, words: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not above < value <= most:  # false for nan
        raise argparse.ArgumentTypeError(f"{text!r} is not {words}")
    return value


# ---- cases


def known() -> list[str]:
    """Return the names of all cases."""
    return [*reviews.known(), clustermix.NAME]


def a_case(text: str) -> str:
    """Return the name of a case."""
    return _of(known(), text)


def some_reviews(text: str) -> list[str]:
    """Return names of reviews."""
    return [a_review(each) for each in text.split(",")]


def a_review(text: str) -> str:
    """Return the name of a review."""
    return _of(reviews.known(), text)


def some_cases(text: str) -> list[str]:
    """Return cases, each of them REVIEW or REVIEW@TEMPLATE."""
    for case in text.split(","):
        review, at, template = case.partition("@")
        a_case(review)
        if at:
            _of(configurations.known(), template)
    return text.split(",")


def _of(names: list[str], text: str) -> str:
    if text not in names:
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(names)}")
    return text


def a_mix(text: str) -> str:
    """Return the text of a mix if it is valid."""
    try:
        clustermix.owners_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


# ---- places


def a_folder(text: str) -> Path:
    """Return an existing folder."""
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {text}")
    return Path(text)


def a_checkout(text: str) -> Path:
    """Return another checkout of the project; from any other folder Python would run this one."""
    if not (a_folder(text) / "injector" / "cli" / "main.py").is_file():
        raise argparse.ArgumentTypeError(f"{text} is not a checkout of the project")
    return Path(text)


def a_place(text: str) -> Path:
    """Return where a file can be written."""
    path = Path(text)
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"{text} cannot be written")
    return path


def stdout_or_a_place(text: str) -> Path:
    """Return where a file can be written, or ``-``."""
    return Path(text) if text == "-" else a_place(text)


def a_result(text: str) -> dict[str, Any]:
    """Return the figures of an earlier run, from the file that --json wrote."""
    try:
        result = json.loads(Path(text).read_text())
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"{text} cannot be read: {error}") from error
    if not isinstance(result, dict) or not isinstance(result.get("cases"), dict):
        raise argparse.ArgumentTypeError(f"{text} is not what --json writes: it has no cases")
    return result


def a_command(text: str) -> str:
    """Return a command whose program can be found."""
    words = shlex.split(text)
    if not words or shutil.which(words[0]) is None:
        raise argparse.ArgumentTypeError(f"there is no program {words[0] if words else text!r}")
    return text


def a_url(text: str) -> str:
    """Return an https URL."""
    try:
        parts = urlsplit(text)
        is_url = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0
    except ValueError:  # of brackets or a port that are not valid
        is_url = False
    if not is_url:
        raise argparse.ArgumentTypeError("it is not https://HOST:PORT/PATH")
    return text


def a_ca(text: str) -> str:
    """Return a file that holds the certificate of a CA."""
    try:
        ssl.create_default_context(cafile=text)
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{text} holds no certificate: {error}") from error
    return text
