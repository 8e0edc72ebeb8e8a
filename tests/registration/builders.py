"""A MutatingWebhookConfiguration with an entry of ours and one of somebody else."""

from __future__ import annotations

from typing import Any, Final

NAME: Final = "sidecar-injector.istio.io"

THEIRS: Final = {
    "name": "other.example.com",
    "clientConfig": {"url": "https://x", "caBundle": "QUJD"},
    "x": [1, None, {"deep": "kept"}],
}


def configuration(bundle: str | None = None) -> dict[str, Any]:
    client: dict[str, Any] = {"service": {"name": "injector", "namespace": "mesh"}}
    if bundle is not None:
        client["caBundle"] = bundle
    return {"metadata": {"name": "sidecars"}, "webhooks": [THEIRS, {"name": NAME, "clientConfig": client}]}
