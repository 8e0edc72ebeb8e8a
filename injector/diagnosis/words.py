"""Words of a configuration that Istio takes in silence and that mean nothing to it."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final

from injector.errors import ConfigError
from injector.injection.snapshot import InjectConfig
from injector.kubeyaml import line_of

POLICIES: Final = ("enabled", "disabled")


def unknown_policy(config: InjectConfig, text: str, file: str) -> ConfigError | None:
    """Return what is wrong with the policy's word: Istio injects nothing under one that it does not know.

    ``text`` is what ``config`` was read from, ``file`` its name.
    """
    if config.policy in POLICIES:
        return None
    reason = f"unknown policy {config.policy!r}" if config.policy else "there is no policy"
    known = f"write one of {', '.join(POLICIES)}{close_to(config.policy, POLICIES)}"
    return ConfigError(
        f"{reason}: nothing would be injected anywhere; {known}",
        file=file,
        line=line_of(text, ("policy",)) if config.policy else 0,
        path="policy",
    )


def close_to(word: str, words: Sequence[str]) -> str:
    """Return the question whether a known word was meant; "" where none is close."""
    near = get_close_matches(word, words, n=1, cutoff=0.75)
    return f": did you mean {near[0]!r}?" if near else ""
