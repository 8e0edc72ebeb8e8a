"""What a scraper sees."""

from __future__ import annotations

import os
import re
import shutil
import ssl
import subprocess
import time
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from injector.registration.plan import COLLECTION
from injector.service.injecting import load_injector
from injector.service.metrics import REFUSALS, Metrics
from tests.conftest import ROOT
from tests.fake_api import fake_api, kubeconfig
from tests.service.fake_service import parts_of
from tests.service.kit import Start, a_review, client_context, samples


def test_istios_names_count_what_their_help_says() -> None:
    metrics = Metrics()
    metrics.reviewed("injected", "policy", 0.001)
    metrics.reviewed("injected", "label", 0.002)
    metrics.reviewed("skipped", "policy", 0.0001)
    metrics.reviewed("denied", "injection", 0.2)
    metrics.refused["body_empty"] += 1
    found = samples(metrics.text("")[0].decode())
    assert found["sidecar_injection_requests_total"] == 5
    assert found["sidecar_injection_success_total"] == 2
    assert found["sidecar_injection_skip_total"] == 1
    assert found["sidecar_injection_failure_total"] == 2
    assert found["sidecar_injection_time_seconds_count"] == 4
    assert found["sidecar_injection_time_seconds_bucket{le=0.1}"] == 3
    assert found["sidecar_injector_reviews_total{outcome=injected,reason=label}"] == 1
    assert found["sidecar_injector_webhook_refused_total{reason=body_empty}"] == 1
    assert found["sidecar_injector_webhook_review_seconds_bucket{le=0.0002}"] == 1


async def test_the_page_comes_as_text_and_as_openmetrics(start: Start) -> None:
    service = await start()
    await service.post(a_review())
    text = await service.get("/metrics")
    assert text.headers["Content-Type"].startswith("text/plain")
    found = samples(text.body.decode())
    assert found["sidecar_injector_connections_opened_total"] >= 1
    assert found["sidecar_injector_certificate_expiry_timestamp_seconds"] > time.time()
    assert found["sidecar_injector_configuration_generation"] == 1
    assert found["sidecar_injector_reload_healthy{unit=certificate}"] == 1
    assert found["sidecar_injector_ready"] == 1
    assert found["process_resident_memory_bytes"] > 1e6
    openmetrics = await service.get(
        "/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"}
    )
    assert openmetrics.headers["Content-Type"].startswith("application/openmetrics-text")
    assert [*parse_openmetrics(openmetrics.body.decode())]


async def test_no_name_of_a_pod_becomes_a_label(start: Start) -> None:
    service = await start()
    await service.post(a_review("uid-of-a-pod"), target="/inject/cluster/name-of-a-cluster")
    text = (await service.get("/metrics")).body.decode()
    for name in ("uid-of-a-pod", "shop", "app-", "name-of-a-cluster", "fake-annotation"):
        assert name not in text


def test_labels_come_from_fixed_sets() -> None:
    text = Metrics().text("")[0].decode()
    assert set(re.findall(r'webhook_refused_total\{reason="(\w+)"\}', text)) == set(REFUSALS)


def promtool(text: str) -> None:
    """Lint a page of metrics; skip loudly where the linter is missing."""
    if shutil.which("promtool") is None:
        pytest.skip("NO promtool (Debian: prometheus): the metrics' names are not linted")
    outcome = subprocess.run(
        ["promtool", "check", "metrics"], input=text, text=True, capture_output=True, check=False
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_promtool_finds_no_fault() -> None:
    metrics = Metrics()
    metrics.reviewed("injected", "policy", 0.001)
    metrics.reload("certificate").succeeded += 1
    promtool(metrics.text("")[0].decode())


async def test_the_page_of_metrics_is_what_a_replica_shows_and_promtool_finds_no_fault(
    start: Start, tmp_path: Path
) -> None:
    """The live page, with all that a replica with a CA, a registration and watches has to show."""
    async with fake_api() as api:
        entry = {"name": "sidecar-injector.istio.io", "clientConfig": {"url": "https://x"}}
        await api.put(COLLECTION, {"metadata": {"name": "sidecars"}, "webhooks": [entry]})
        cluster = {"kubeconfig": str(kubeconfig(api, tmp_path)), "identity": "a", "watch": True}
        parts = parts_of({**cluster, "ca_life": 3600, "grace": 60})
        service = await start(
            load=load_injector,
            inject_config=None,
            inject_values=None,
            parts=parts,
            tls_certificate=None,
            tls_key=None,
        )
        context = client_context(service.ca)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        client = await service.connect(context=context)
        assert (await client.request(body=a_review())).status == 200
        assert (await client.request(body=b"no review")).status == 200
        text = (await service.get("/metrics")).body.decode()
    assert {"ca_bundle_in_sync", "namespaces_staleness_seconds", "skeleton_misses_total"} <= set(
        re.findall(r"^sidecar_injector_(\w+)", text, re.MULTILINE)
    )
    page = reference(text)
    if "WRITE_REFERENCE" in os.environ:
        REFERENCE.write_text(page)
    assert REFERENCE.read_text() == page, (
        "write it anew: WRITE_REFERENCE=1 .venv/bin/pytest tests/service/test_metrics.py"
    )
    # Last, since it skips where the linter is missing: the page is compared all the same.
    promtool(text)


REFERENCE = ROOT / "docs" / "metrics.md"

UNSEEN = {
    "sidecar_injector_connections_evicted_total": ["reason"],
    "sidecar_injector_handshakes_failed_total": ["reason"],
}
"""Labels of what does not happen in the test."""


def reference(text: str) -> str:
    """Return the page of documentation that a replica's page makes."""
    lines = [
        "# Metrics",
        "",
        "A replica serves these on the monitoring port (15014) at `/metrics`, in Prometheus' text format or OpenMetrics.",
        "[operate.md](operate.md#alerts) has the alerts. Query the rate of a counter and the buckets of a histogram. No",
        "label ever holds the name of a pod or a namespace. Without a cluster those about it are missing. The metrics of",
        "the interpreter (`python_…`) are left out here.",
        "",
        "`tests/service/test_metrics.py` writes this page from what a replica shows; Grafana's dashboard is made of it.",
        "",
        "| metric | type | labels | what it says |",
        "|---|---|---|---|",
    ]
    for family in sorted(text_string_to_metric_families(text), key=lambda each: each.name):
        if family.name.startswith("python_"):
            continue  # the interpreter's own
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = sorted({label for sample in family.samples for label in sample.labels} - {"le"}) or (
            UNSEEN.get(name, [])
        )
        named = ", ".join(f"`{label}`" for label in labels)
        lines.append(f"| `{name}` | {family.type} | {named} | {family.documentation} |")
    return "\n".join((*lines, ""))


async def test_what_the_registration_does_is_in_the_log_with_its_fields(start: Start, tmp_path: Path) -> None:
    async with fake_api() as api:
        entry = {"name": "sidecar-injector.istio.io", "clientConfig": {"url": "https://x"}}
        await api.put(COLLECTION, {"metadata": {"name": "sidecars"}, "webhooks": [entry]})
        cluster = {"kubeconfig": str(kubeconfig(api, tmp_path)), "identity": "a"}
        parts = parts_of({**cluster, "ca_life": 3600, "grace": 60})
        service = await start(parts=parts, tls_certificate=None, tls_key=None)
        await service.until(lambda: any(line["message"] == "caBundle written" for line in service.lines()))
    (line,) = [line for line in service.lines() if line["message"] == "caBundle written"]
    assert (line["level"], line["configuration"], line["webhook"], line["writes"]) == (
        "info",
        "sidecars",
        "sidecar-injector.istio.io",
        1,
    )
    assert [line for line in service.lines() if "renewed" in line["message"]]
    assert "-----BEGIN" not in service.log.read_text()
