"""The results of diagnosis: a gate's verdict, or a finding and its rule; where it is, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Severity = Literal["error", "warning", "info"]

SEVERITIES: Final[tuple[Severity, ...]] = ("error", "warning", "info")
"""The gravest first. An error: `serve` refuses the configuration, or a pod is denied."""


@dataclass(frozen=True, slots=True)
class Place:
    """A position: a file or an object, and where in it.

    ``source`` is a file's name as the user gave it, or ``kind namespace/name`` of an object in the cluster.
    ``line`` and ``column`` count from 1, 0 where unknown. ``path`` is a field's path as `kubectl explain`
    writes it.
    """

    source: str
    line: int = 0
    column: int = 0
    path: str = ""

    def __str__(self) -> str:
        """Return it in the form of compilers: ``file:line:column: path``."""
        position = ":".join(str(part) for part in (self.line, self.column) if part)
        return ": ".join(part for part in (f"{self.source}:{position}".rstrip(":"), self.path) if part)


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault or surprise; ``rule`` is its id, which docs and `ignore` use."""

    rule: str
    severity: Severity
    message: str
    place: Place
    advice: str = ""


Name = Literal[
    "registration", "policy", "templates", "values", "render", "merge", "post-processing", "accepted"
]
Status = Literal["passed", "warned", "stopped"]

Verdict = Literal["injected", "unknown", "skipped", "denied"]
"""``unknown``: the injector injects it if it is called, and whether it is called is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The result of one gate: ``rule`` is what decided there, ``place`` where that rule is."""

    name: Name
    status: Status
    rule: str
    message: str
    place: Place
    advice: str = ""


# ---- the rules of lint


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: what it finds, what to do about it, and its usual severity."""

    title: str
    what: str
    advice: str
    severity: Severity = "warning"


RULES: Final[Mapping[str, Rule]] = {
    "SI001": Rule(
        "the configuration cannot be loaded",
        "A text is not YAML, has a value of a wrong type, or a template cannot be parsed: `serve` does "
        "not start.",
        "correct what the line names",
        severity="error",
    ),
    "SI002": Rule(
        "a sample pod is denied",
        "`serve` tries a configuration with built-in sample pods. If it denies samples and injects none, "
        "`serve` does not start, and this is an error; if it injects other samples, this is a warning.",
        "correct the template or the values that the sentence names",
        severity="error",
    ),
    "SI003": Rule(
        "a pod of -f would be denied",
        "The webhook would refuse this pod, with this sentence.",
        "correct the annotation or the template that the sentence names",
        severity="error",
    ),
    "SI004": Rule(
        "no workload is known",
        "An object given with -f has a kind whose pod template cannot be found, or is not an object.",
        "say where with --pod-template-path",
    ),
    "SI005": Rule(
        "a document of -f cannot be read",
        "It is not YAML, and kubectl would refuse it; or something follows its end and would be lost. The "
        "other documents are checked.",
        "correct what the line names",
        severity="error",
    ),
    "SI101": Rule(
        "unknown policy",
        "`policy` is neither `enabled` nor `disabled`. Istio then injects nothing anywhere and says so "
        "only in its log; `serve` and `lint` refuse it.",
        "write `policy: enabled` or `policy: disabled`",
        severity="error",
    ),
    "SI102": Rule(
        "unknown default template",
        "`defaultTemplates` (or an alias in it) names a template that does not exist: every pod that names "
        "no template is denied.",
        "name one of the templates",
        severity="error",
    ),
    "SI103": Rule(
        "an alias names an unknown template",
        "Pods that ask for the alias are denied.",
        "name one of the templates, or remove the alias",
    ),
    "SI104": Rule(
        "part of the configuration is not used",
        "A selector that cannot be read, a template without a text, a field of the mesh or of the template's "
        "data that the release does not have.",
        "remove it, or choose the release that has it with --release",
    ),
    "SI105": Rule(
        "a path of the values does not exist",
        "A template prints a value that is neither in the values nor declared by Istio's chart: a misspelt "
        "path reads as empty.",
        "correct the path, or give it a value",
    ),
    "SI106": Rule(
        "unknown field of the configuration",
        "The key `config` holds a field that no release reads: it is ignored.",
        "correct its spelling, or remove it",
    ),
    "SI107": Rule(
        "pods that ask for nothing are not injected",
        "A `neverInjectSelector` matches the labels that all pods of a Deployment have: only pods with a "
        "switch of their own get sidecars. `serve` starts with it and says so, and refuses it as a change"
        " unless it has `--allow-empty-injection`.",
        "narrow the selector, or write `policy: disabled` where that is meant",
    ),
    "SI201": Rule(
        "an action fails whenever it runs",
        "The action cannot be evaluated with these values; pods for which its branch is taken are denied.",
        "correct the field's name",
    ),
    "SI202": Rule(
        "`<no value>` reaches a pod",
        "A missing value is printed as the text `<no value>`.",
        'give the value, or a default: `{{ .Values.x | default "y" }}`',
    ),
    "SI203": Rule(
        "unknown field of a pod",
        "The template writes a field that Kubernetes does not have: Istio drops it silently.",
        "correct its spelling or its indentation",
    ),
    "SI204": Rule(
        "a template does not make YAML",
        "What the template renders cannot be read; from 1.14 on Istio's own sentence does not say why.",
        "correct the line's indentation or quotes",
    ),
    "SI205": Rule(
        "a value of a wrong type",
        "The template writes a value that the pod's field cannot hold.",
        "write the value as the field's type has it",
    ),
    "SI206": Rule(
        "a pod's value stands unquoted",
        "A label, annotation or name of the pod is printed outside quotes and outside of a function that "
        "serialises it. With --untrusted-values=text (as in Istio) it may add fields to the pod; with "
        "scalar it may change its type.",
        "put it through `| quote`, or `toJSON`",
    ),
    "SI207": Rule(
        "a dead branch",
        "A condition is a constant, or repeats one before it: the branch is never taken, or always.",
        "remove it, or correct the condition",
    ),
    "SI208": Rule(
        "a defined template is not used",
        "`{{ define }}` without a `{{ template }}` that calls it.",
        "remove it, or call it",
    ),
    "SI301": Rule(
        "injection is not idempotent",
        "Injecting the injected pod changes it again: a webhook that is called twice (reinvocationPolicy)"
        " does so.",
        "give lists that the template adds to a merge key, or make the addition conditional",
    ),
    "SI302": Rule(
        "an API server refuses the pod",
        "The injected pod breaks a rule of Kubernetes' own validation. For a built-in sample it is a "
        "warning, as `serve` starts all the same; for a pod of -f an error.",
        "correct the template, or what of the pod it is merged with",
        severity="error",
    ),
    "SI303": Rule(
        "Pod Security refuses what is injected",
        "In a namespace that enforces `baseline` or `restricted` pods are refused because of an injected "
        "container.",
        "use Istio's CNI plugin, or another level for these namespaces",
        severity="info",
    ),
    "SI304": Rule(
        "a sidecar without CPU request",
        "A HorizontalPodAutoscaler by CPU utilisation does not scale pods if one of their containers has no "
        "CPU request.",
        "set resources.requests.cpu",
    ),
    "SI305": Rule(
        "Istio's metadata from a template that is not Istio's",
        "The result has no istio-proxy and gets annotations that lead to one: Prometheus is sent to a "
        "port where nothing listens. Istio does the same.",
        "set `enablePrometheusMerge: false` in the mesh configuration",
    ),
    "SI306": Rule(
        "a rewritten probe loses a field",
        "The agent probes instead of the kubelet, and the release does not pass this field to it.",
        'set the annotation sidecar.istio.io/rewriteAppHTTPProbers: "false", or probe by other means',
    ),
    "SI401": Rule(
        "unknown name",
        "An annotation or label in Istio's domain that no release reads; its name is close to one that a "
        "release reads.",
        "correct its spelling",
    ),
    "SI402": Rule(
        "a name at the wrong object",
        "An annotation or label that is read on pods is set on the workload, a Service or a Namespace.",
        "move it to spec.template.metadata",
    ),
    "SI403": Rule(
        "a value that is ignored",
        "The release does not understand the value, and acts as if it were missing or different.",
        "write the value in the form that docs/annotations.md names",
    ),
    "SI404": Rule(
        "a key that is dropped",
        "JSON in an annotation has a key that Kubernetes' type does not have: it is dropped silently.",
        "correct its spelling",
    ),
    "SI405": Rule(
        "not in this release",
        "The annotation or label is read by other releases than the chosen one.",
        "choose a release that reads it, or remove it",
    ),
}
"""By id; docs/findings.md is made from this table. SI0 is about what `serve` does with a configuration, SI1
about the configuration, SI2 its templates, SI3 the pods that they make, SI4 annotations and labels."""


def found(
    rule: str, message: str, place: Place, *, severity: Severity | None = None, advice: str = ""
) -> Finding:
    """Return a finding of a rule, with the rule's severity and advice where none are given."""
    known = RULES[rule]
    return Finding(rule, severity or known.severity, message, place, advice or known.advice)
