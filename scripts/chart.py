"""Write what of the Helm chart is made of something else: its values' schema and README, copies of files.

    .venv/bin/python scripts/chart.py [--check]

A value's comment in k8s/chart/values.yaml is its text in both; a comment line ``@ {…}`` is JSON for the
schema.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
K8S = ROOT / "k8s"
CHART = K8S / "chart"
COPIES = {
    "config": K8S / "base" / "config" / "config",
    "values": K8S / "base" / "config" / "values",
    "mesh": K8S / "base" / "config" / "mesh",
    "rules.yaml": K8S / "components" / "monitoring" / "rules.yaml",
    "dashboard.json": K8S / "components" / "monitoring" / "dashboard.json",
}
"""Files copied into the chart, since a chart cannot refer to files outside its folder."""

TYPES = {bool: "boolean", int: "integer", str: "string", list: "array", dict: "object"}

README = """\
# The chart

The same objects as `kubectl apply -k` of the overlays beside it, which a test compares one by one.

    helm install sidecar-injector k8s/chart --namespace sidecar-injector --create-namespace
    kubectl label namespace shop istio-injection=enabled

| as the overlay | values |
|---|---|
| `self-signed` | none |
| `production` | `autoscaling.enabled`, `monitoring.enabled`, `networkPolicy.enabled` |
| `cert-manager` | `certificates.mode: certManager` |
| `istio-revision` | `istio.enabled`, `config.existing` and `config.existingMesh` with Istio's ConfigMaps |
| `istio` | the same and `istio.default` |
| `older-kubernetes` | none: what the cluster does not know is left out |

Before `helm uninstall`, take the registration away, so that no pod waits for a webhook that has gone:

    kubectl delete mutatingwebhookconfiguration sidecar-injector
    helm uninstall sidecar-injector --namespace sidecar-injector

The Secret of the CA that the injector made for itself stays, and is used again when you come back.

An upgrade by server-side apply (Helm 4's default) cannot take away an entry in which the injector owns
`caBundle`, as `istio.default: false` after `true` would: say `--server-side=false` there.

## Values

| value | default | what it is |
|---|---|---|
"""


@dataclass
class Value:
    """One key of values.yaml: its path, default and description."""

    path: tuple[str, ...]
    default: Any
    text: str
    extra: dict[str, Any]
    inner: list[Value] = field(default_factory=list)


def values() -> list[Value]:
    """Return the keys of values.yaml with their comments."""
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    return [*_values(yaml.compose(text), yaml.safe_load(text), text.splitlines(), ())]


def _values(node: Any, data: Any, lines: list[str], path: tuple[str, ...]) -> Iterator[Value]:
    for key, inner in node.value:
        comments = _comments(lines, key.start_mark.line)
        extra: dict[str, Any] = {}
        for each in comments:
            if each.startswith("@ "):
                extra |= json.loads(each[2:])
        words = " ".join(each for each in comments if not each.startswith("@ "))
        found = Value((*path, key.value), data[key.value], words, extra)
        # The content of a user's own map is its default, not keys of the chart.
        if isinstance(found.default, dict) and found.default and "additionalProperties" not in extra:
            found.inner = [*_values(inner, found.default, lines, found.path)]
        yield found


def _comments(lines: list[str], line: int) -> list[str]:
    found: list[str] = []
    while line and lines[line - 1].lstrip().startswith("#"):
        line -= 1
        found.insert(0, lines[line].lstrip().removeprefix("#").strip())
    return found


def schema(found: list[Value]) -> dict[str, Any]:
    """Return the JSON schema: unknown keys are refused."""
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {each.path[-1]: _property(each) for each in found},
    }


def _property(value: Value) -> dict[str, Any]:
    made = schema(value.inner) if value.inner else {"type": TYPES[type(value.default)]}
    return {**made, **({"description": value.text} if value.text else {}), **value.extra}


def rows(found: list[Value]) -> Iterator[str]:
    """Yield the table's rows; a map's own row is before those in it."""
    for value in found:
        if not value.inner or value.text:
            shown = "" if value.inner else f"`{json.dumps(value.default)}`"
            yield f"| `{'.'.join(value.path)}` | {shown} | {value.text.replace('|', '&#124;')} |"
        yield from rows(value.inner)


def texts() -> dict[Path, str]:
    """Return the content of each file."""
    found = values()
    # Helm passes `global` to subcharts of an umbrella chart.
    top = schema(found)
    top["properties"]["global"] = {"type": "object"}
    top = {"$schema": "https://json-schema.org/draft-07/schema#", **top}
    return {
        CHART / "values.schema.json": json.dumps(top, indent=1, ensure_ascii=False) + "\n",
        CHART / "README.md": README + "\n".join((*rows(found), "")),
        **{CHART / "files" / name: source.read_text(encoding="utf-8") for name, source in COPIES.items()},
    }


def main() -> None:
    """Write the files, or with --check exit with 1 where one differs."""
    for path, text in texts().items():
        if "--check" not in sys.argv[1:]:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            sys.exit(f"{path.relative_to(ROOT)} is not what scripts/chart.py writes")


if __name__ == "__main__":
    main()
