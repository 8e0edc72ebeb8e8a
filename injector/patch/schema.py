"""What encoding/json and strategic merge need of Kubernetes' Go types, by name and version.

A type is read from the generated data when it is first used and then kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Final, Literal, TypeAlias

from injector.golang.jsontext import fold_name
from injector.patch.kinds_data import NAMED, STRUCTS, VERSIONS

Kind: TypeAlias = Literal[
    "string", "bool", "int32", "int64", "quantity", "intOrString", "time", "raw", "map", "list", "struct",
    "pointer",
]  # fmt: skip

NEWEST: Final = max(VERSIONS)
"""The newest minor version of Kubernetes whose types are known."""

# Types that read and write themselves as one JSON value.
_LEAVES: dict[str, Kind] = {
    "api/resource.Quantity": "quantity",
    "util/intstr.IntOrString": "intOrString",
    "meta/v1.Time": "time",
    "meta/v1.FieldsV1": "raw",
    "pkg/runtime.RawExtension": "raw",
}
# reflect's names of kinds, where they differ.
_REFLECT_KINDS: dict[Kind, str] = {
    "quantity": "struct", "intOrString": "struct", "time": "struct", "raw": "struct", "list": "slice",
    "pointer": "ptr",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class GoType:
    """One Go type of a minor version of Kubernetes.

    ``expression`` is its name in the generated data, with its package's path. Only `go_type` makes types,
    each only once: a type is equal to itself only.
    """

    kind: Kind
    expression: str
    version: int
    element_expression: str = ""
    """The type that a list, a map or a pointer holds."""

    @cached_property
    def element(self) -> GoType:
        """The type that a list, a map or a pointer holds."""
        return go_type(self.element_expression, self.version)

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """A struct's fields in declaration order; those of an embedded struct are in its place."""
        fields = (_field(line, self.version) for line in STRUCTS[self.expression].splitlines())
        return tuple(field for field in fields if field is not None)

    @cached_property
    def by_name(self) -> dict[str, Field]:
        """A struct's fields by their JSON name."""
        return {field.name: field for field in self.fields}

    @cached_property
    def by_folded_name(self) -> dict[str, Field]:
        """A struct's fields by their JSON name in lower case; the first declared of equal ones."""
        return {fold_name(field.name): field for field in reversed(self.fields)}

    def field(self, key: str) -> Field | None:
        """Return the struct's field that encoding/json finds for ``key``: the exact name, else any case."""
        return self.by_name.get(key) or self.by_folded_name.get(fold_name(key))

    @cached_property
    def target(self) -> GoType:
        """The type itself, or the type that a pointer points to."""
        return self.element if self.kind == "pointer" else self

    @property
    def reflect_kind(self) -> str:
        """reflect.Kind's name of the type."""
        return _REFLECT_KINDS.get(self.kind, self.kind)

    @property
    def name(self) -> str:
        """The name without its package: ``Container``."""
        return self.expression.rpartition(".")[2]

    def __str__(self) -> str:
        """Return the type as Go prints it: ``[]v1.Container``."""
        return _printed(self.expression)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a struct."""

    name: str
    """The name in JSON."""
    path: str
    """The name behind the names of the embedded structs: ``VolumeSource.emptyDir``."""
    type: GoType
    omit_empty: bool
    omit_zero: bool
    merges: bool
    """Whether strategic merge merges two lists of this field instead of taking the second."""
    merge_key: str
    """The key that identifies the elements of a merged list, else empty."""

    @property
    def is_left_out(self) -> bool:
        """Return whether a zero value is left out: for structs never, for a time since k8s.io/api 0.34."""
        return self.omit_zero or (self.omit_empty and self.type.reflect_kind != "struct")

    @property
    def promoted(self) -> bool:
        """Return whether the field belongs to an embedded struct."""
        return "." in self.path


def go_type(expression: str, version: int = NEWEST) -> GoType:
    """Return a type by the generated data's name for it: ``core/v1.Pod``, ``[]string``, ``*meta/v1.Time``.

    A name without a package is one of core/v1: ``Pod``. ``version`` is a minor version of Kubernetes, one of
    ``VERSIONS``.
    """
    return _go_type(expression, version)


@cache
def _go_type(expression: str, version: int) -> GoType:
    if f"core/v1.{expression}" in STRUCTS:
        return _go_type(f"core/v1.{expression}", version)
    if expression in STRUCTS:
        return GoType(kind="struct", expression=expression, version=version)
    if expression in _LEAVES:
        return GoType(kind=_LEAVES[expression], expression=expression, version=version)
    kind, element = _made_of(NAMED.get(expression, expression))
    return GoType(kind=kind, expression=expression, version=version, element_expression=element)


def _made_of(expression: str) -> tuple[Kind, str]:
    if expression.startswith("*"):
        return "pointer", expression[1:]
    if expression.startswith("[]"):
        return "list", expression[2:]
    if expression.startswith("map["):
        return "map", expression.partition("]")[2]
    return _SCALARS[expression], ""


_SCALARS: dict[str, Kind] = {"string": "string", "bool": "bool", "int32": "int32", "int64": "int64"}


def _field(line: str, version: int) -> Field | None:
    """Return the field in a line of the generated data, None where the version lacks this form of it."""
    path, expression, options, *patch = line.split(" ")
    options, _, span = options.partition("@")
    since, _, until = span.partition("-")
    if not int(since or version) <= version <= int(until or version):
        return None
    strategies, merge_key = [*patch, "", ""][:2]
    return Field(
        name=path.rpartition(".")[2],
        path=path,
        type=_go_type(expression, version),
        omit_empty="o" in options,
        omit_zero="z" in options,
        merges="merge" in strategies.split(","),
        merge_key=merge_key,
    )


def _printed(expression: str) -> str:
    """Return ``expression`` with Go's short package names: ``[]core/v1.Pod`` becomes ``[]v1.Pod``."""
    if expression.startswith("map["):
        key, _, element = expression[4:].partition("]")
        return f"map[{_printed(key)}]{_printed(element)}"
    for prefix in ("*", "[]"):
        if expression.startswith(prefix):
            return prefix + _printed(expression.removeprefix(prefix))
    return expression.rpartition("/")[2]


POD = go_type("core/v1.Pod")

KINDS: Final[dict[str, str]] = {
    kind: f"{package}.{kind}"
    for package, kinds in (
        ("core/v1", "Pod PodTemplate ReplicationController List"),
        ("apps/v1", "Deployment StatefulSet DaemonSet ReplicaSet"),
        ("batch/v1", "Job CronJob"),
        ("openshift/apps/v1", "DeploymentConfig"),
    )
    for kind in kinds.split()
}
"""The name of the Go type that an object is read into, by kind."""
