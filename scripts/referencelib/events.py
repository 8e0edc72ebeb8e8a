"""The Events that a running injector posts, from the code of the service."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from injector import service
from referencelib.markdown import code, table

SERVICE: Final = Path(service.__file__).parent

EVENTS: Final = {
    "ClockSkew": (
        "Secret",
        "The clock of a replica differs from the API server's by more than `--max-clock-skew`.",
        "Correct the node's clock. The other replicas renew meanwhile.",
    ),
    "ConfigurationDeniesPods": (
        "ConfigMap",
        "A new configuration serves, and would deny pods that were injected recently.",
        "Look at the pods that the message names; correct the template, or the pods.",
    ),
    "ConfigurationSkipsPods": (
        "ConfigMap",
        "A new configuration serves, and would not inject pods that were injected recently.",
        "If that was not intended, look at `policy`, the selectors and the pods' labels.",
    ),
    "ConfigurationInjectsNothing": (
        "ConfigMap",
        "The configuration that serves injects no sample pod.",
        "Look at `policy`, `defaultTemplates` and the selectors.",
    ),
    "ConfigurationRejected": (
        "ConfigMap",
        "A change of the mounted files cannot be used; the last good one serves.",
        "Correct what the message names. `sidecar-injector lint` finds it before it is applied.",
    ),
}
"""For each reason: the object of the Event, its meaning, and what to do."""

KINDS: Final = frozenset(("ConfigMap", "MutatingWebhookConfiguration", "ProxyConfig"))
_REASON: Final = re.compile("[A-Z][a-z]+(?:[A-Z][a-z]+)+")


def page(note: str) -> str:
    """Return the page of Events; raises SystemExit for a reason without a description here."""
    found = sorted({*_reasons()})
    if unknown := [reason for reason in found if reason not in EVENTS]:
        raise SystemExit(f"say in scripts/referencelib/events.py what the Events {unknown} mean")
    rows = ((code(reason), *EVENTS[reason]) for reason in found)
    return f"""\
# Events

{note} Warnings that the injector posts in its own namespace: on the Secret of `--self-signed`, and on the
ConfigMap that `--config-map` names. List them with

    kubectl -n sidecar-injector get events --field-selector source=sidecar-injector

The log has the same. `/healthz/ready?verbose` on the monitoring port shows all but
`ConfigurationDeniesPods` and `ConfigurationSkipsPods`. [operate.md](../operate.md#alerts) has the alerts.

{table(("reason", "on", "means", "do"), rows)}"""


def _reasons() -> Iterator[str]:
    """Yield the words that look like a reason, in modules that post Events."""
    for path in sorted(SERVICE.glob("*.py")):
        text = path.read_text(encoding="utf-8")
        if "._warn(" not in text and "._events.warn(" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            word = node.value if isinstance(node, ast.Constant) else None
            if isinstance(word, str) and _REASON.fullmatch(word) and word not in KINDS:
                yield word
