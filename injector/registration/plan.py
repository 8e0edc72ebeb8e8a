"""Plan the write that gives a webhook configuration its CA bundle.

A write contains only the ``caBundle`` of our own entries, so other entries and fields stay as they are, byte
for byte.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from injector.json_types import JSONObject

API_VERSION: Final = "admissionregistration.k8s.io/v1"
KIND: Final = "MutatingWebhookConfiguration"
COLLECTION: Final = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
VALIDATING_KIND: Final = "ValidatingWebhookConfiguration"
VALIDATING: Final = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"

CA_BUNDLE_MANAGER: Final = "sidecar-injector-ca-bundle"
"""The field manager that owns only caBundle, so that an installer's apply does not remove it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookNames:
    """Which entries are ours: those called ``name``, or everything under it if it starts with ``*.``."""

    name: str

    def matches(self, entry: str) -> bool:
        """Return whether the entry called ``entry`` is ours."""
        if self.name.startswith("*."):
            return entry.endswith(self.name[1:]) or entry == self.name[2:]
        return entry == self.name

    def lease(self, configuration: str) -> str:
        """Return the name of the Lease for keeping these entries of ``configuration``.

        Other entries have another Lease, so an installation only waits for a leader of its own.
        """
        return f"{configuration}.{self.name.removeprefix('*.')}"


def ours(configuration: JSONObject, names: WebhookNames) -> Iterator[JSONObject]:
    """Yield our entries of ``configuration``, in its order."""
    for entry in configuration.get("webhooks") or ():
        if names.matches(str(entry.get("name", ""))):
            yield entry


def live_bundle(entry: JSONObject) -> bytes:
    """Return the entry's caBundle decoded; empty if it has none or an invalid one."""
    text = (entry.get("clientConfig") or {}).get("caBundle") or ""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def in_sync(configuration: JSONObject, names: WebhookNames, bundle: bytes) -> bool:
    """Return whether we have an entry and all of ours have ``bundle``."""
    bundles = [live_bundle(entry) for entry in ours(configuration, names)]
    return bool(bundles) and all(live == bundle for live in bundles)


def plan(
    configuration: JSONObject, names: WebhookNames, bundle: bytes, *, kind: str = KIND
) -> JSONObject | None:
    """Return the object to apply as CA_BUNDLE_MANAGER so that our entries have ``bundle``; None if they do.

    It names all our entries, also those that are right: what an apply leaves out, its manager gives up, and
    the API server removes. So it names those of another installation as well, with what they have.
    It carries the resourceVersion that was looked at, so that an entry removed meanwhile is a Conflict and
    not a half entry that the API server refuses.
    """
    if in_sync(configuration, names, bundle) or not any(ours(configuration, names)):
        return None
    text = base64.b64encode(bundle).decode()
    bundles = dict(_kept(configuration)) | {str(entry["name"]): text for entry in ours(configuration, names)}
    metadata = configuration["metadata"]
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": metadata["name"], "resourceVersion": metadata["resourceVersion"]},
        "webhooks": [{"name": name, "clientConfig": {"caBundle": text}} for name, text in bundles.items()],
    }


def _kept(configuration: JSONObject) -> Iterator[tuple[str, str]]:
    """Yield name and caBundle, as it is written there, of each entry in which CA_BUNDLE_MANAGER owns that."""
    for entry in configuration.get("webhooks") or ():
        text = (entry.get("clientConfig") or {}).get("caBundle")
        if text and CA_BUNDLE_MANAGER in _owners(configuration, entry):
            yield str(entry["name"]), text


def written_by_us(configuration: JSONObject, entry: JSONObject) -> bool:
    """Return whether the entry's caBundle is owned by CA_BUNDLE_MANAGER alone: then its CAs are ours."""
    return _owners(configuration, entry) == {CA_BUNDLE_MANAGER}


def _owners(configuration: JSONObject, entry: JSONObject) -> set[str]:
    """Return the field managers that own the entry's caBundle."""
    return {
        str(record.get("manager"))
        for record in configuration.get("metadata", {}).get("managedFields") or ()
        if _owns_bundle(record.get("fieldsV1") or {}, str(entry.get("name")))
    }


def _owns_bundle(fields: Mapping[str, JSONObject], name: str) -> bool:
    webhooks = fields.get("f:webhooks") or {}
    return any(
        f'"{name}"' in key and "f:caBundle" in (owned.get("f:clientConfig") or {})
        for key, owned in webhooks.items()
        if isinstance(owned, dict)
    )
