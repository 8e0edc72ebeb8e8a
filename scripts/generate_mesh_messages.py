"""Generate injector/istio/mesh/messages_data.py from Istio's .proto files of every minor.

Run it after a release of Istio that adds or drops fields, with the path of a clone of github.com/istio/api.
It needs the Go toolchain as well, whose proxy serves most versions of the module. A field that exists in
every minor has no range; a message whose field changed its type has a row for each type. The rows are in the
order of declaration, because that is the order of printing.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from generate_schema import folder

# The snapshot of istio.io/api for each minor: one that declares what the snapshot of its last patch does. A
# bare commit is read from a clone of github.com/istio/api: the module proxy does not serve it.
SNAPSHOTS = {
    0: "6bf9d6613f65",
    1: "v0.0.0-20190321180614-db16d82d3672",
    2: "v0.0.0-20190522135727-e29f1a9ce041",
    3: "v0.0.0-20190820204432-483f2547d882",
    4: "v0.0.0-20191115173247-e1a1952e5b81",
    5: "v0.0.0-20200221025927-228308df3f1b",
    6: "v0.0.0-20201113182140-d4b7e3fc2b44",
    7: "v0.0.0-20210128181506-0c4b8e54850f",
    8: "4acdfb7450da",
    9: "v0.0.0-20210913072118-82994a85619d",
    10: "v0.0.0-20211015181651-ddbde26ea264",
    11: "v0.0.0-20220304045306-249321c725a9",
    12: "v0.0.0-20220304035241-8c47cbbea144",
    13: "v0.0.0-20220817194812-9ed7a41198c8",
    14: "v0.0.0-20220602172134-34645c49f9d9",
    15: "v0.0.0-20230322185023-b176b1f66068",
    16: "v0.0.0-20221102013421-7906f6f2bcb5",
    17: "v0.0.0-20230217221049-9d422bf48675",
    18: "v0.0.0-20230713061407-06047cce866f",
    19: "v1.19.4",
    20: "v1.20.8",
    21: "v1.21.6",
    22: "v1.22.0",
    23: "v1.23.0",
    24: "v1.24.2",
    25: "v1.25.5",
    26: "v1.26.4",
    27: "v1.27.1",
    28: "v1.28.1",
    29: "v1.29.6",
    30: "v1.30.3",
    31: "v1.31.4",
    32: "v1.32.0",
}
PACKAGE = "istio.mesh.v1alpha1."
ROOTS = ("istio.mesh.v1alpha1.MeshConfig", "istio.networking.v1beta1.ProxyConfig")
OUTPUT = Path(__file__).parent.parent / "injector/istio/mesh/messages_data.py"

# Kubernetes' own message: its .proto is not part of the module.
KUBERNETES = """
package k8s.io.apimachinery.pkg.apis.meta.v1;
message LabelSelector {
  map<string, string> matchLabels = 1;
  repeated LabelSelectorRequirement matchExpressions = 2;
}
message LabelSelectorRequirement {
  string key = 1;
  string operator = 2;
  repeated string values = 3;
}
"""

LABELLED = re.compile(r"^(repeated |map<)?(.+?)>?$")
TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:[^"\\]|\\.)*"|[\w.]+|\S|\s+', re.DOTALL)
SCALARS = frozenset(("double", "float", "int32", "int64", "uint32", "uint64", "bool", "string", "bytes"))

# (name, type, oneof): the parts of a field that are kept
Row = tuple[str, str, str]


@dataclass
class Declarations:
    """What one snapshot declares, by full name."""

    messages: dict[str, list[Row]] = field(default_factory=dict)
    enums: dict[str, list[tuple[str, int]]] = field(default_factory=dict)

    def resolve(self, name: str, scope: str) -> str:
        """Return the full name of a type as protobuf's scoping finds it, innermost first."""
        if name in SCALARS or name.startswith("google.protobuf."):
            return name
        parts = scope.split(".")
        for depth in range(len(parts), -1, -1):
            full = ".".join([*parts[:depth], name.removeprefix(".")])
            if full in self.messages or full in self.enums:
                return full
        raise SystemExit(f"{scope}: type {name} is not declared")


class Parser:
    """A parser of .proto files for the syntax that Istio uses."""

    def __init__(self, text: str, declarations: Declarations) -> None:
        """Split the text into words."""
        words: list[str] = TOKEN.findall(text)
        self.tokens = [word for word in words if not word.isspace() and not word.startswith(("//", "/*"))]
        self.position = 0
        self.declarations = declarations

    def take(self, count: int = 1) -> str:
        """Return the next token, or the last of ``count``."""
        self.position += count
        return self.tokens[self.position - 1]

    def statement(self) -> list[str]:
        """Consume and return the tokens up to the next ``;`` outside brackets and braces."""
        out: list[str] = []
        depth = 0
        while (token := self.take()) != ";" or depth:
            depth += (token in ("{", "[")) - (token in ("}", "]"))
            out.append(token)
        return out

    def read_file(self) -> None:
        """Record every message and enum of the file."""
        package = ""
        while self.position < len(self.tokens):
            match self.take():
                case "package":
                    package = self.take()
                    self.take()
                case "message":
                    self.read_message(package)
                case "enum":
                    self.read_enum(package)
                case "syntax" | "import" | "option":
                    self.statement()

    def read_enum(self, scope: str) -> None:
        """Record an enum."""
        values = self.declarations.enums.setdefault(f"{scope}.{self.take()}", [])
        self.take()
        while self.tokens[self.position] != "}":
            words = self.statement()
            if words and words[0] not in ("option", "reserved"):
                sign = -1 if words[2] == "-" else 1
                values.append((words[0], sign * int(words[3 if sign < 0 else 2], 0)))
        self.take()

    def read_message(self, scope: str) -> None:
        """Record a message and what is declared in it."""
        name = f"{scope}.{self.take()}"
        rows = self.declarations.messages.setdefault(name, [])
        self.take()
        self.read_body(name, rows, "")

    def read_body(self, name: str, rows: list[Row], oneof: str) -> None:
        """Read fields up to the closing brace."""
        while self.tokens[self.position] != "}":
            match self.tokens[self.position]:
                case "message":
                    self.take()
                    self.read_message(name)
                case "enum":
                    self.take()
                    self.read_enum(name)
                case "oneof":
                    self.take()
                    inner = self.take()
                    self.take()
                    self.read_body(name, rows, inner)
                case _:
                    rows.extend(read_field(self.statement(), oneof))
        self.take()


def read_field(words: list[str], oneof: str) -> Iterator[Row]:
    """Yield the row of a field; nothing for an option or a reservation."""
    if not words or words[0] in ("option", "reserved", "extensions"):
        return
    assert "json_name" not in words  # noqa: S101 - then the data would need another column
    if words[0] == "map":
        yield words[6], f"map<{words[4]}>", oneof
    elif words[0] == "repeated":
        yield words[2], f"repeated {words[1]}", oneof
    else:
        assert words[0] != "optional"  # noqa: S101 - as above: presence of scalars
        yield words[1], words[0], oneof


GROUPS = ("mesh/v1alpha1", "networking/v1alpha3", "networking/v1beta1", "type/v1beta1", "analysis")


def declarations_of(version: str, clone: str) -> Declarations:
    """Return everything that a snapshot of istio.io/api declares."""
    found = Declarations()
    for text in texts_of_module(version) if version.startswith("v") else texts_of_commit(version, clone):
        Parser(text, found).read_file()
    Parser(KUBERNETES, found).read_file()
    return resolved(found)


def texts_of_commit(commit: str, clone: str) -> Iterator[str]:
    """Yield the .proto files of a commit in a clone of github.com/istio/api."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", clone, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    for group in GROUPS:
        for path in git("ls-tree", "--name-only", commit, f"{group}/").split():
            if path.endswith(".proto"):
                yield git("show", f"{commit}:{path}")


def texts_of_module(version: str) -> Iterator[str]:
    """Yield the .proto files of a version of the module istio.io/api."""
    module = Path(folder("istio.io/api", version))
    for group in GROUPS:
        for path in sorted(module.glob(f"{group}/*.proto")):
            yield path.read_text()


def resolved(found: Declarations) -> Declarations:
    """Return the messages that the roots reach, every type with its full name."""
    out = Declarations()
    waiting = [root for root in ROOTS if root in found.messages]
    while waiting:
        name = waiting.pop()
        if name in out.messages or name in out.enums or name in SCALARS or name.startswith("google."):
            continue
        if name in found.enums:
            out.enums[name] = found.enums[name]
            continue
        rows = out.messages[name] = []
        for field_name, declared, oneof in found.messages[name]:
            label, element = LABELLED.findall(declared)[0]
            full = found.resolve(element, name)
            waiting.append(full)
            rows.append((field_name, f"{label or ''}{full}{'>' if label == 'map<' else ''}", oneof))
    return out


def merge_order(orders: list[list[Row]]) -> list[Row]:
    """Return one order of all rows that keeps the order within every release.

    ``orders`` are merged newest first; a row that the newer one lacks is put before the row that follows it
    in the older one.
    """
    merged = list(orders[-1])
    for order in reversed(orders[:-1]):
        place = len(merged)
        for row in reversed(order):
            if row in merged:
                place = merged.index(row)
            else:
                merged.insert(place, row)
    return merged


def spans(present: list[int]) -> list[tuple[int, int]]:
    """Return ranges of consecutive minors as (since, until)."""
    runs: list[tuple[int, int]] = []
    for minor in present:
        if runs and runs[-1][1] == minor - 1:
            runs[-1] = (runs[-1][0], minor)
        else:
            runs.append((minor, minor))
    return runs


def ranged(text: str, minors: list[int], every: Iterable[int]) -> Iterator[str]:
    """Yield a row for each range of its ``minors``, with ``since-until`` unless that is ``every`` minor."""
    whole = min(every), max(every)
    for since, until in spans(minors):
        if (since, until) == whole:
            yield text
        else:
            yield f"{text} {since}-{until if until < whole[1] else ''}"


def message_rows(name: str, snapshots: dict[int, Declarations]) -> Iterator[str]:
    """Yield the rows of one message."""
    orders = {minor: found.messages[name] for minor, found in snapshots.items() if name in found.messages}
    merged = merge_order(list(orders.values()))
    for minor, order in orders.items():
        if [row for row in merged if row in order] != order:
            print(f"1.{minor}: {name}: fields moved", file=sys.stderr)
    for row in merged:
        field_name, declared, oneof = row
        short = declared.replace(" ", ":").replace(PACKAGE, ".")
        text = f"{field_name} {short}" + (f" of:{oneof}" if oneof else "")
        yield from ranged(text, [minor for minor, order in orders.items() if row in order], snapshots)


def enum_rows(name: str, snapshots: dict[int, Declarations]) -> Iterator[str]:
    """Yield the rows of one enum."""
    seen: dict[tuple[str, int], list[int]] = {}
    for minor, found in snapshots.items():
        for value in found.enums.get(name, ()):
            seen.setdefault(value, []).append(minor)
    for (value_name, number), minors in sorted(seen.items(), key=lambda item: (item[0][1], item[1])):
        yield from ranged(f"{value_name} {number}", minors, snapshots)


def table(name: str, blocks: dict[str, list[str]]) -> Iterator[str]:
    """Yield the lines of one dict of row tuples."""
    yield f"{name}: Final[Mapping[str, tuple[str, ...]]] = {{"
    for block, rows in sorted(blocks.items()):
        yield f'    "{block}": (' + ("" if rows else "),")
        yield from (f'        "{row}",' for row in rows)
        if rows:
            yield "    ),"
    yield "}"


def write(
    output: Path,
    introduction: list[str],
    snapshots: dict[int, Declarations],
    rows: Callable[[str, dict[int, Declarations]], Iterator[str]],
) -> None:
    """Write a data module; ``rows`` yields those of a message."""
    messages = sorted({name for found in snapshots.values() for name in found.messages})
    enums = sorted({name for found in snapshots.values() for name in found.enums})
    lines = [
        *introduction,
        "",
        "# ruff: noqa: E501 - a row is as long as its names",
        "",
        "from __future__ import annotations",
        "",
        "from collections.abc import Mapping",
        "from typing import Final",
        "",
        *table("MESSAGES", {name: list(rows(name, snapshots)) for name in messages}),
        "",
        *table("ENUMS", {name: list(enum_rows(name, snapshots)) for name in enums}),
    ]
    output.write_text("\n".join(lines) + "\n")
    subprocess.run(["ruff", "format", output], check=True)


def main() -> None:
    """Write the data module; the argument is the path of a clone of github.com/istio/api."""
    if len(sys.argv) != 2:
        sys.exit("usage: generate_mesh_messages.py CLONE-OF-ISTIO-API")
    snapshots = {minor: declarations_of(version, sys.argv[1]) for minor, version in SNAPSHOTS.items()}
    introduction = [
        '"""The protobuf messages that MeshConfig and ProxyConfig consist of, per minor.',
        "",
        "Generated by scripts/generate_mesh_messages.py from istio.io/api; do not edit. A message's row is",
        '"NAME TYPE [of:ONEOF] [SINCE-UNTIL]", in the order of declaration; an enum\'s is',
        '"NAME NUMBER [SINCE-UNTIL]". A type that starts with a point is of istio.mesh.v1alpha1.',
        '"""',
    ]
    write(OUTPUT, introduction, snapshots, message_rows)


if __name__ == "__main__":
    main()
