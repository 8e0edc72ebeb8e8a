"""Generate injector/istio/values_data.py from Istio's Values message of every minor.

Run it after a release of Istio that adds or drops values: ``generate_values_messages.py CLONE``, where CLONE
is a clone of istio/istio with its tags. It needs the Go toolchain as well, whose proxy serves Kubernetes'
.proto files.

The rows are read from the generated Go code, not from the .proto file: up to 1.13 Istio rewrote that code
afterwards (marker messages became maps, ``istio_ingressgateway`` got another JSON name).
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from generate_mesh_messages import LABELLED, SCALARS, Declarations, Parser, Row, merge_order, ranged, write
from generate_schema import folder

# The tag for each minor: its last patch. Before 1.8 the injector's values had no type.
TAGS = {
    8: "1.8.6",
    9: "1.9.9",
    10: "1.10.6",
    11: "1.11.8",
    12: "1.12.9",
    13: "1.13.9",
    14: "1.14.6",
    15: "1.15.7",
    16: "1.16.7",
    17: "1.17.8",
    18: "1.18.7",
    19: "1.19.10",
    20: "1.20.8",
    21: "1.21.6",
    22: "1.22.8",
    23: "1.23.6",
    24: "1.24.6",
    25: "1.25.5",
    26: "1.26.8",
    27: "1.27.9",
    28: "1.28.10",
    29: "1.29.6",
    30: "1.30.3",
    31: "1.31.0-rc.0",
}
OUTPUT = Path(__file__).parent.parent / "injector/istio/values_data.py"
FOLDERS = ("operator/pkg/apis", "operator/pkg/apis/istio/v1alpha1")

STRUCT = re.compile(r"^type (\w+) struct \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
FIELD = re.compile(r'^\t\w+ +(\S+) +`protobuf:"([^"]*)"', re.MULTILINE)
ENUM = re.compile(r"\b(\w+)_name = map\[int32\]string\{(.*?)\}", re.DOTALL)
ENUM_VALUE = re.compile(r'(-?\d+): +"(\w+)"')
IMPORT = re.compile(r'^\t(\w+) "(k8s\.io/[^"]+)"', re.MULTILINE)
GO_SCALARS = {"float64": "double", "float32": "float"}
# What stands for map[string]interface{} in the .proto file: a message without fields.
ANY_MAP = ".TypeMapStringInterface"
WELL_KNOWN = {
    "map[string]interface{}": ANY_MAP,
    "interface{}": "google.protobuf.Value",
    "IntOrString": "IntOrString",
    "IntOrStringForPB": "IntOrString",
}
GOOGLE = ("BoolValue", "Int32Value", "StringValue", "Duration", "Struct", "Value")
KUBERNETES = {
    "k8s.io/api": ("core/v1",),
    "k8s.io/apimachinery": ("pkg/apis/meta/v1", "pkg/api/resource", "pkg/util/intstr", "pkg/runtime"),
}


def git_show(clone: str, tag: str, path: str) -> str:
    """Return a file at a tag; "" when there is none."""
    command = ["git", "-C", clone, "show", f"{tag}:{path}"]
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout


def declarations_of(clone: str, tag: str) -> Declarations:
    """Return the messages and enums of a tag's Values."""
    code = next(filter(None, (git_show(clone, tag, f"{folder}/values_types.pb.go") for folder in FOLDERS)))
    imports = {name: path.replace("/", ".") for name, path in IMPORT.findall(code)}
    found = Declarations()
    found.messages[ANY_MAP] = []
    for name, body in STRUCT.findall(code):
        found.messages[f".{name}"] = [row_of(go_type, tags, imports) for go_type, tags in FIELD.findall(body)]
    for name, body in ENUM.findall(code):
        full = declared_enum(code, name)
        found.enums[full] = [(text, int(number)) for number, text in ENUM_VALUE.findall(body)]
    if imports:
        read_kubernetes(git_show(clone, tag, "go.mod"), found)
    return reached(found)


def declared_enum(code: str, go_name: str) -> str:
    """Return an enum's full name as the .proto file has it: Istio's begin with a small letter but for one."""
    package = re.findall(rf"enum=([\w.]+)\.{go_name}\b", code)[:1] or ["v1alpha1"]
    name = go_name.replace("_", ".")
    is_small = name in ("Tracer", "IngressControllerMode")
    return f"{package[0]}.{name[0].lower() + name[1:] if is_small else name}"


def row_of(go_type: str, tags: str, imports: dict[str, str]) -> Row:
    """Return a field's row: its type and its name, with ``=`` and the JSON name where that is another."""
    options = dict(option.partition("=")[::2] for option in tags.split(","))
    name = options["name"]
    spelt = options.get("json", name)
    usual = re.sub(r"_(.?)", lambda match: match[1].upper(), name)
    label, element = "", go_type
    if go_type.startswith("[]"):
        label, element = "repeated ", go_type[2:]
    elif go_type.startswith("map[string]") and go_type not in WELL_KNOWN:
        label, element = "map<", go_type.removeprefix("map[string]")
    if "enum" in options:
        package, _, go_name = options["enum"].rpartition(".")
        element = declared_enum(f"enum={package}.{go_name}", go_name)
    declared = element if "enum" in options else type_of(element.removeprefix("*"), imports)
    shown = name if spelt == usual else f"{name}={spelt}"
    return shown, f"{label}{declared}{'>' if label == 'map<' else ''}", ""


def type_of(name: str, imports: dict[str, str]) -> str:
    """Return the type of a row for a type in Go code."""
    package, _, last = name.rpartition(".")
    if name in WELL_KNOWN:
        return WELL_KNOWN[name]
    if package in imports:
        return f"{imports[package]}.{last}"
    if package and last in GOOGLE:
        return f"google.protobuf.{last}"
    scalar = GO_SCALARS.get(name, name)
    return scalar if scalar in SCALARS else f".{name}"


def read_kubernetes(go_mod: str, found: Declarations) -> None:
    """Read the .proto files of the versions of Kubernetes' modules that a go.mod names."""
    for module, folders in KUBERNETES.items():
        version = re.findall(rf"^\t{re.escape(module)} (v\S+)", go_mod, re.MULTILINE)[0]
        sources = Path(folder(module, version))
        for inside in folders:
            path = sources / inside / "generated.proto"
            # Whether a field is optional does not affect whether JSON fits it.
            Parser(re.sub(r"^(\s*)optional ", r"\1", path.read_text(), flags=re.MULTILINE), found).read_file()


def reached(found: Declarations) -> Declarations:
    """Return the types that Values refers to, each by its full name."""
    out = Declarations()
    waiting = [".Values"]
    while waiting:
        name = waiting.pop()
        if name in out.messages or name in out.enums:
            continue
        if name in found.enums:
            out.enums[name] = found.enums[name]
        elif name in found.messages:
            out.messages[name] = [resolved(found, name, row) for row in found.messages[name]]
            waiting.extend(LABELLED.findall(row[1])[0][1] for row in out.messages[name])
    return out


def resolved(found: Declarations, message: str, row: Row) -> Row:
    """Return a row whose type is a full name; only Kubernetes' rows say less."""
    name, declared, oneof = row
    if not message.startswith("k8s.io."):
        return row
    label, element = LABELLED.findall(declared)[0]
    full = "string" if element == "bytes" else found.resolve(element, message)  # bytes are a string in JSON
    return name, f"{label or ''}{full}{'>' if label == 'map<' else ''}", oneof


def message_rows(name: str, snapshots: dict[int, Declarations]) -> Iterator[str]:
    """Yield the rows of one message."""
    orders = {minor: found.messages[name] for minor, found in snapshots.items() if name in found.messages}
    for row in merge_order(list(orders.values())):
        minors = [minor for minor, order in orders.items() if row in order]
        yield from ranged(f"{row[0]} {row[1].replace(' ', ':')}", minors, snapshots)


def main(clone: str) -> None:
    """Write the data module."""
    snapshots = {minor: declarations_of(clone, tag) for minor, tag in TAGS.items()}
    introduction = [
        '"""The protobuf messages that Istio reads the injector\'s values into, per minor since 1.8.',
        "",
        "Generated by scripts/generate_values_messages.py from Istio's Go code; do not edit. A message's row",
        'is "NAME[=JSON NAME] TYPE [SINCE-UNTIL]", in the order of declaration; an enum\'s is',
        '"NAME NUMBER [SINCE-UNTIL]". A type that starts with a point is of the package of Values.',
        '"""',
    ]
    write(OUTPUT, introduction, snapshots, message_rows)


if __name__ == "__main__":
    main(sys.argv[1])
