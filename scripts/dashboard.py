"""Write Grafana's dashboard: panels from the table below, what each shows from docs/metrics.md.

    .venv/bin/python scripts/dashboard.py [--check]

A panel that asks for a metric which docs/metrics.md does not list ends it; tests/service/test_metrics.py
holds that page against what a replica really shows.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "k8s" / "components" / "monitoring" / "dashboard.json"
TABLE = ROOT / "docs" / "metrics.md"

ROW = re.compile(r"^\| `(?P<name>\w+)` \| (?P<kind>\w+) \| [^|]*\| (?P<help>[^|]*) \|$", re.MULTILINE)
METRIC = re.compile(r"\b(?:sidecar_inject(?:or|ion)|process)_\w+")
SUFFIXES = ("_bucket", "_count", "_sum")
"""The suffixes of a histogram's series."""

OF_A_REVIEW = "rate(sidecar_injector_webhook_review_seconds_bucket{S}[5m])"
HITS = "sum(rate(sidecar_injector_replica_hits_total{S}[5m]))"
MISSES = "sum(rate(sidecar_injector_replica_misses_total{S}[5m]))"

PANELS: tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...] = (
    (
        "Reviews by outcome",
        "reqps",
        (("sum by (outcome) (rate(sidecar_injector_reviews_total{S}[5m]))", "{{outcome}}"),),
    ),
    (
        "Time of a review",
        "s",
        tuple(
            (
                f"histogram_quantile({quantile}, sum by (le) ({OF_A_REVIEW}))",
                f"quantile {quantile}",
            )
            for quantile in ("0.5", "0.99")
        ),
    ),
    (
        "Calls without a review, by reason",
        "reqps",
        (("sum by (reason) (rate(sidecar_injector_webhook_refused_total{S}[5m])) > 0", "{{reason}}"),),
    ),
    ("Ready", "short", (("sidecar_injector_ready{S}", "{{pod}}"),)),
    (
        "Certificate expires in",
        "s",
        (("sidecar_injector_certificate_expiry_timestamp_seconds{S} - time()", "{{pod}}"),),
    ),
    (
        "Registration",
        "short",
        (
            ("sidecar_injector_ca_bundle_in_sync{S}", "in sync {{pod}}"),
            ("sidecar_injector_ca_bundle_fighting{S}", "fighting {{pod}}"),
        ),
    ),
    ("Mounted files that serve", "short", (("sidecar_injector_reload_healthy{S}", "{{unit}} {{pod}}"),)),
    (
        "Configuration's number",
        "short",
        (("sidecar_injector_configuration_generation{S}", "{{pod}}"),),
    ),
    (
        "Clock ahead of the API server's",
        "s",
        (("sidecar_injector_clock_skew_seconds{S}", "{{pod}}"),),
    ),
    (
        "Bytes in flight",
        "bytes",
        (
            ("sidecar_injector_in_flight_bytes{S}", "{{pod}}"),
            ("sidecar_injector_in_flight_limit_bytes{S}", "limit {{pod}}"),
        ),
    ),
    (
        "Bytes in caches",
        "bytes",
        (("sum by (cache) (sidecar_injector_cache_bytes{S})", "{{cache}}"),),
    ),
    (
        "Reviews answered from a replica's",
        "percentunit",
        (
            (
                f"{HITS} / ({HITS} + {MISSES})",
                "share",
            ),
        ),
    ),
    ("Connections", "short", (("sidecar_injector_connections{S}", "{{pod}}"),)),
    (
        "Event loop late by",
        "s",
        (("sidecar_injector_loop_lag_seconds{S}", "{{pod}}"),),
    ),
    (
        "CPU",
        "short",
        (("rate(process_cpu_seconds_total{S}[5m])", "{{pod}}"),),
    ),
    ("Resident memory", "bytes", (("process_resident_memory_bytes{S}", "{{pod}}"),)),
)
"""Title, Grafana's unit and queries with their legends; ``{S}`` becomes the dashboard's selector."""

SELECTOR = '{job=~"$job", namespace=~"$namespace"}'
WIDTH, HEIGHT = 12, 7
"""Size of a panel: two side by side in Grafana's 24 columns."""


def metrics() -> dict[str, str]:
    """Return each metric's help by its name."""
    return {match["name"]: match["help"].strip() for match in ROW.finditer(TABLE.read_text(encoding="utf-8"))}


def names(query: str) -> set[str]:
    """Return the metrics in a query; a histogram's series count as the histogram."""
    found = set()
    for name in METRIC.findall(query):
        suffix = next((each for each in SUFFIXES if name.endswith(each)), "")
        found.add(name.removesuffix(suffix))
    return found


def panel(index: int, title: str, unit: str, queries: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    """Return one panel; KeyError where a query uses an unknown metric."""
    table = metrics()
    asked = sorted({name for query, _ in queries for name in names(query)})
    return {
        "id": index + 1,
        "type": "timeseries",
        "title": title,
        "description": " ".join(table[name] for name in asked),
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "gridPos": {"x": WIDTH * (index % 2), "y": HEIGHT * (index // 2), "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + number), "expr": query.replace("{S}", SELECTOR), "legendFormat": legend}
            for number, (query, legend) in enumerate(queries)
        ],
    }


def variable(name: str, query: str) -> dict[str, Any]:
    """Return a variable at the top of the dashboard, filled by a query."""
    return {
        "name": name,
        "type": "query",
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "includeAll": True,
        "multi": True,
        "current": {"text": "All", "value": "$__all"},
    }


def dashboard() -> str:
    """Return the dashboard's JSON."""
    labels = "label_values(sidecar_injector_ready, %s)"
    return (
        json.dumps(
            {
                "uid": "sidecar-injector",
                "title": "Sidecar injector",
                "tags": ["sidecar-injector"],
                "schemaVersion": 39,
                "editable": False,
                "refresh": "30s",
                "time": {"from": "now-3h", "to": "now"},
                "templating": {
                    "list": [
                        {"name": "datasource", "type": "datasource", "query": "prometheus"},
                        variable("job", labels % "job"),
                        variable("namespace", labels % "namespace"),
                    ]
                },
                "panels": [panel(index, *each) for index, each in enumerate(PANELS)],
            },
            indent=1,
        )
        + "\n"
    )


def main() -> None:
    """Write it, or with --check exit with 1 where the file differs."""
    text = dashboard()
    if "--check" not in sys.argv[1:]:
        TARGET.write_text(text, encoding="utf-8")
    elif TARGET.read_text(encoding="utf-8") != text:
        sys.exit(f"{TARGET.relative_to(ROOT)} is not what scripts/dashboard.py writes")


if __name__ == "__main__":
    main()
