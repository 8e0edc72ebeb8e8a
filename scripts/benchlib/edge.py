"""The service with a reviewer that does nothing, as a process: the cost of a review besides its answer.

It implements only the service's protocol of a reviewer. It does what the floor does: parse, answer the same
bytes.
"""

from __future__ import annotations

import base64
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from benchlib.servers import FLOOR_BYTES
from injector.injection.inject import Answer
from injector.service.generation import Texts
from injector.service.options import ServiceOptions
from injector.service.process import serve

NOTHING: Final = base64.b64encode(b"[]").decode()


class Parsing:
    """Parses a review and answers with ten kilobytes, the same ones each time."""

    def __init__(self) -> None:
        response = {"allowed": True, "patchType": "JSONPatch", "patch": NOTHING}
        self._fixed = orjson.dumps({"response": response, "padding": "x" * FLOOR_BYTES})

    def answer(self, body: bytes, path: str, late: object = None) -> Answer:  # noqa: ARG002 - the service's
        """Read the few fields that the log line needs."""
        request: dict[str, Any] = orjson.loads(body)["request"]
        return Answer(
            body=self._fixed,
            outcome="injected",
            reason="policy",
            message="a sentence of ordinary length about why this pod is injected",
            uid=request["uid"],
            namespace=request["namespace"],
            name=request.get("name", ""),
        )

    def refresh(self) -> None:
        """Do nothing."""

    def description(self) -> dict[str, str]:
        """Say what serves."""
        return {"release": "none"}

    def warnings(self) -> tuple[str, ...]:
        """Return nothing."""
        return ()

    def counts(self) -> Mapping[str, int]:
        """Return nothing."""
        return {}


def load(texts: Texts, options: ServiceOptions) -> Parsing:  # noqa: ARG001 - the service's signature
    """Make the reviewer of any configuration."""
    return Parsing()


def main(folder: Path) -> int:
    """Serve until interrupted, with the service's defaults for everything else."""
    options = ServiceOptions(
        tls_certificate=folder / "tls.crt",
        tls_key=folder / "tls.key",
        address="127.0.0.1",
        port=0,
        monitoring_address="127.0.0.1",
        monitoring_port=0,
    )
    return serve(options, load=load)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
