"""Figures as a table, a verdict or a page with plots."""

from __future__ import annotations

import html
from math import log10
from typing import Any, Final

THRESHOLD: Final = 0.15
"""By how much a figure may be worse than the one it is compared with: two runs on one machine differ by a
tenth."""

WIDTH: Final = 640
ROW: Final = 26


_COLUMNS: Final = {
    "cpu_us": "CPU µs",
    "floor_cpu_us": "floor µs",
    "ratio": "floors",
    "edge_cpu_us": "edge µs",
    "naive_cpu_us": "naive µs",
    "go_cpu_us": "Go µs",
    "go_ratio": "Go ÷ ours",
    "other_cpu_us": "other µs",
    "other_ratio": "others",
    "reviews_per_second": "reviews/s",
    "p50_ms": "p50 ms",
    "p90_ms": "p90 ms",
    "p99_ms": "p99 ms",
    "p999_ms": "p99.9 ms",
    "rss_mib": "RSS MiB",
    "hit_rate": "hits",
    "replica_rate": "replicas",
    "failed": "failed",
}


def table(cases: dict[str, dict[str, Any]]) -> str:
    """Return the figures as text."""
    rows = _rows(cases)
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if not at else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )


def _rows(cases: dict[str, dict[str, Any]]) -> list[list[str]]:
    """Return the table's cells, without columns that were not measured."""
    columns = {
        key: title
        for key, title in _COLUMNS.items()
        if any(case.get(key) is not None for case in cases.values())
    }
    rows = [["case", *columns.values()]]
    return rows + [[name, *(_shown(case.get(column)) for column in columns)] for name, case in cases.items()]


def markdown(result: dict[str, Any]) -> str:
    """Return all figures as the tables of docs/performance.md."""
    parts = [f"Measured on {result['machine']}.", _grid(_rows(result["cases"]))]
    titles = [f"`{name}` is {title}" for name, title in result.get("templates", {}).items()]
    if titles:
        parts.append(f"Templates: {'; '.join(titles)}.")
    for key, rows in _EXTRA.items():
        found = result.get(key)
        if found:
            parts.append(
                _grid(
                    [
                        ["", "measured", "target"],
                        *(
                            [text, f"{found[name]:g} {unit}", target]
                            for name, (text, unit, target) in rows.items()
                        ),
                    ]
                )
            )
    return "\n\n".join(parts)


def compared(result: dict[str, Any]) -> str:
    """Return README's table: the reviews with which Istio's injector was measured too.

    All figures are medians of the rounds, and each quotient is that of two figures in the table.
    """
    cases = result["cases"]
    known = {name: title for name, title in COMPARED.items() if cases.get(name, {}).get("floor_cpu_us")}
    with_go = any(cases[name].get("go_cpu_us") for name in known)
    go_titles = ["Go, measured beside it", "Go ÷ ours"] if with_go else ["Istio 1.31 (Go)"]
    titles = [
        "review",
        "CPU of a review",
        "fixed answer",
        "multiple",
        *go_titles,
        "naive Python",
        "reviews/s",
    ]
    return _grid(
        [titles, *(_compared_row(name, title, cases[name], with_go=with_go) for name, title in known.items())]
    )


def _compared_row(name: str, title: str, case: dict[str, Any], *, with_go: bool) -> list[str]:
    naive, ours, floor = case.get("naive_cpu_us"), case["cpu_us"], case["floor_cpu_us"]
    if with_go:
        go = case.get("go_cpu_us")
        beside = [f"{go / 1000:.2f} ms", f"{go / ours:.1f}"] if go else ["-", "-"]
    else:
        beside = [f"{ISTIO[name][0] / ISTIO[name][1]:.0f}" if name in ISTIO else "-"]
    return [
        title,
        f"{ours / 1000:.2f} ms",
        f"{floor / 1000:.2f} ms",
        f"{ours / floor:.1f}",
        *beside,
        f"{naive / floor:.0f}" if naive else "-",
        f"{case['reviews_per_second']:,.0f}",
    ]


def fill_in(text: str, tables: dict[str, str]) -> str:
    """Return a page with each table in its place, between ``<!-- NAME -->`` and ``<!-- /NAME -->``."""
    for name, table_ in tables.items():
        before, begin, rest = text.partition(f"<!-- {name} -->")
        _, end, after = rest.partition(f"<!-- /{name} -->")
        if begin and end:
            text = f"{before}{begin}\n{table_}\n{end}{after}"
    return text


COMPARED: Final = {
    "cluster-mix": "what a cluster sends",
    "small": "small, 5.6 kB",
    "small-unseen": "small, no two pods alike",
    "typical": "typical, 21 kB, three containers",
    "typical-unseen": "typical, no two pods alike",
    "env2000": "2,000 variables, 277 kB",
}
"""The cases of README's table, and their descriptions."""

ISTIO: Final = {
    "small": (7.6, 0.18),
    "small-unseen": (7.6, 0.18),
    "typical": (12.1, 0.14),
    "typical-unseen": (12.1, 0.14),
    "env2000": (39.5, 0.66),
}
"""Case → the CPU-ms of Istio 1.31's injector, and those of the fixed answer in the same run: shown where no
``--go`` was measured; docs/performance.md says how they were measured."""


def _grid(rows: list[list[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], f"|{'---|' * len(rows[0])}", *lines[1:]])


_EXTRA: Final = {
    "beside": {
        "alone_p99_ms": ("p99 of small reviews at half of the maximum rate", "ms", "≤ 5"),
        "p99_ms": ("p99 of small reviews while 3 MiB pods come one after the other", "ms", "< 25"),
        "large_p50_ms": ("p50 of those 3 MiB pods", "ms", "< 60"),
        "large_p99_ms": ("p99 of those 3 MiB pods", "ms", ""),
    },
    "footprint": {
        "ready_seconds": ("`serve`, from exec to ready", "s", "< 0.8"),
        "ready_cpu_seconds": ("of that, CPU time", "s", ""),
        "idle_rss_mib": ("memory when ready, without a cluster", "MiB", "< 60"),
        "idle_rss_mib_with_cluster": ("memory when ready, with the cluster's client", "MiB", "< 75"),
        "inject_one_seconds": ("`inject` of one file, the whole process", "s", "< 0.35"),
        "inject_1000_seconds": ("`inject` of 1,000 documents", "s", "< 2"),
    },
}
"""Result → figure → its description, unit and target."""


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,.1f}" if isinstance(value, float) and value >= 100 else str(value)


def worse(now: dict[str, Any], before: dict[str, Any], threshold: float) -> list[str]:
    """Return a sentence for each case that got worse by more than ``threshold`` (0.15 is 15 %).

    The CPU time of a review is compared as a multiple of the floor of its own run, where both runs have one:
    another machine, or a busy one, changes both. Any failed review counts too.
    """
    found = []
    for name, case in now["cases"].items():
        if case["failed"]:
            found.append(f"{name}: {case['failed']} reviews failed")
        old = before["cases"].get(name)
        if old is None:
            continue
        new_value, old_value, unit = case["cpu_us"], float(old["cpu_us"]), "µs"
        if case.get("ratio") and (ratio := _ratio(old)):
            new_value, old_value, unit = case["ratio"], ratio, "times the floor"
        if new_value > old_value * (1 + threshold):
            found.append(f"{name}: {new_value} {unit}, was {round(old_value, 3)}")
    return found


def costlier(now: dict[str, Any], threshold: float) -> list[str]:
    """Return a sentence for each case that costs more by ``threshold`` than in the other checkout."""
    return [
        f"{name}: {case['other_ratio']} times what the other checkout takes"
        for name, case in now["cases"].items()
        if (case.get("other_ratio") or 0) > 1 + threshold
    ]


def cost(case: dict[str, Any]) -> str:
    """Return the cost of a review of the case: in floors, or in microseconds where no floor was measured."""
    ratio = _ratio(case)
    return f"{ratio:.1f} floors" if ratio else f"{case['cpu_us']:,.0f} µs"


def _ratio(case: dict[str, Any]) -> float | None:
    if case.get("ratio"):
        return float(case["ratio"])
    floor = case.get("floor_cpu_us")
    return case["cpu_us"] / floor if floor else None


_STYLE: Final = (
    "body{font:15px sans-serif;max-width:60em;margin:2em auto}pre{overflow:auto}text{font:12px sans-serif}"
    ".a{fill:#2563eb}.b{fill:#94a3b8}path{fill:none;stroke-width:2}"
)


def page(result: dict[str, Any], latencies: dict[str, list[float]]) -> str:
    """Return an HTML page: the table, CPU time beside the floor, and latency by share of reviews."""
    cases = result["cases"]
    parts = [
        "<!doctype html><meta charset=utf-8><title>sidecar-injector: benchmark</title>",
        f"<style>{_STYLE}</style>",
        f"<h1>Benchmark</h1><p>{html.escape(result['machine'])}</p><pre>{html.escape(table(cases))}</pre>",
        "<h2>CPU time of a review</h2><p>Blue: the service. Grey: the floor, a fixed answer over TLS.</p>",
        _bars(cases),
        "<h2>Latency</h2><p>Across: share of reviews, up to 99.9 %. Up: milliseconds, logarithmic.</p>",
        _curves(latencies),
    ]
    return "\n".join(parts)


def _bars(cases: dict[str, dict[str, Any]]) -> str:
    top = max((case["cpu_us"] for case in cases.values()), default=1) or 1
    lines = []
    for at, (name, case) in enumerate(cases.items()):
        y = at * ROW * 2
        lines.append(f'<text x="0" y="{y + 18}">{html.escape(name)}</text>')
        for step, (figure, style) in enumerate((("cpu_us", "a"), ("floor_cpu_us", "b"))):
            value = case.get(figure) or 0
            width = value / top * (WIDTH - 220)
            height = y + step * 20 + 4
            lines.append(f'<rect class="{style}" x="120" y="{height}" width="{width:.1f}" height="16"/>')
            lines.append(f'<text x="{125 + width:.1f}" y="{height + 13}">{value:g} µs</text>')
    return f'<svg width="{WIDTH}" height="{len(cases) * ROW * 2}">{"".join(lines)}</svg>'


_COLOURS: Final = ("#2563eb", "#dc2626", "#16a34a", "#9333ea", "#ea580c", "#0891b2", "#4b5563")


def _curves(latencies: dict[str, list[float]]) -> str:
    known = {name: ordered for name, ordered in latencies.items() if ordered}
    if not known:
        return ""
    lowest = min(ordered[0] for ordered in known.values())
    highest = max(ordered[int(0.999 * (len(ordered) - 1))] for ordered in known.values())
    span = max(log10(highest / lowest), 0.1)
    lines = []
    for at, (name, ordered) in enumerate(known.items()):
        colour = _COLOURS[at % len(_COLOURS)]
        points = []
        for step in range(1000):
            value = ordered[int(step / 1000 * (len(ordered) - 1))]
            y = 300 - 290 * log10(max(value, lowest) / lowest) / span
            points.append(f"{step / 1000 * (WIDTH - 160):.0f},{y:.0f}")
        lines.append(f'<path stroke="{colour}" d="M{"L".join(points)}"/>')
        lines.append(f'<text fill="{colour}" x="{WIDTH - 150}" y="{at * 18 + 14}">{html.escape(name)}</text>')
    scale = (
        f'<text x="0" y="12">{highest * 1000:.1f} ms</text><text x="0" y="316">{lowest * 1000:.2f} ms</text>'
    )
    return f'<svg width="{WIDTH}" height="320">{scale}{"".join(lines)}</svg>'
