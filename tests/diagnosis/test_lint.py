"""Rules of lint: what each finds, on which line, and what silences it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest

from injector.diagnosis.findings import RULES, Finding
from injector.diagnosis.lint import Given, Report, lint
from injector.injection.loading import Sources, Surroundings
from injector.kubeyaml import load
from injector.templates import BUILT_IN, built_in

HEAD: Final = "policy: enabled\ndefaultTemplates: [sidecar]\ntemplates:\n  sidecar: |\n"
GOOD: Final = """\
spec:
  containers:
  - name: istio-proxy
    image: {{ .Values.image | quote }}
    resources: {requests: {cpu: 10m}}
"""
VALUES: Final = "image: registry.example/proxy:1\nproxy: {image: x}\n"


def linted(
    template: str = GOOD,
    *,
    head: str = HEAD,
    values: str = VALUES,
    mesh: str = "",
    release: str = "1.31",
    given: tuple[Given, ...] = (),
    **around: Any,
) -> Report:
    """Return what lint says of a configuration with one template, which begins on line 5."""
    body = "".join(f"    {line}\n" for line in template.splitlines())
    sources = Sources(config=head + body, values=values, mesh=mesh)
    return lint(sources, Surroundings(release=release, **around), given)


def short(report: Report) -> list[tuple[str, str, int]]:
    """Return rule, severity and line of each finding that is not mere information."""
    return [
        (finding.rule, finding.severity, finding.place.line)
        for finding in report.findings
        if finding.severity != "info"
    ]


def only(report: Report, rule: str) -> Finding:
    """Return the one finding of a rule."""
    (found,) = [finding for finding in report.findings if finding.rule == rule]
    return found


def test_a_configuration_without_faults_has_no_findings() -> None:
    report = linted()
    assert (short(report), report.failed) == ([], False)


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_built_in_configuration_has_no_warning(name: str) -> None:
    template = built_in(name)
    report = lint(Sources(config=template.config, values=template.values), Surroundings(release="1.31"))
    assert short(report) == []


def container(*lines: str) -> str:
    """Return the good template with lines in its container, from line 10 on."""
    return GOOD + "".join(f"    {line}\n" for line in lines)


RULE_CASES: Final = [
    ("SI001", "error", 4, {"head": "policy: enabled\ntemplates:\n  sidecar: |\n x: [\n", "template": ""}),
    ("SI001", "error", 2, {"values": "image: x\nglobal: 3\n"}),
    ("SI001", "error", 0, {"mesh": "defaultConfig: 3\n"}),
    ("SI001", "error", 6, {"template": "spec:\n  a: {{ nothing }}\n"}),
    ("SI002", "error", 6, {"template": "spec:\n  image: {{ .ProxyImagee }}\n"}),
    ("SI002", "error", 6, {"template": "spec:\n  containers: 3\n"}),
    ("SI101", "error", 1, {"head": HEAD.replace("enabled", "enable")}),
    ("SI102", "error", 2, {"head": HEAD.replace("[sidecar]", "[sidecra]")}),
    (
        "SI103",
        "warning",
        4,
        {"head": HEAD.replace("templates:\n", "aliases:\n  both: [sidecar, mroe]\ntemplates:\n")},
    ),
    ("SI104", "warning", 1, {"mesh": "noSuchField: 1\n"}),
    ("SI105", "warning", 10, {"template": container("workingDir: /{{ .Values.proxy.imagge }}")}),
    ("SI106", "warning", 3, {"head": HEAD.replace("templates:\n", "alias: {}\ntemplates:\n")}),
    (
        "SI107",
        "warning",
        3,
        {
            "head": HEAD.replace(
                "templates:\n",
                "neverInjectSelector: [{matchExpressions: [{key: app, operator: Exists}]}]\ntemplates:\n",
            )
        },
    ),
    (
        "SI201",
        "warning",
        11,
        {"template": container("{{ if .ObjectMeta.Labels.never }}", "args: [{{ .Nothing }}]", "{{ end }}")},
    ),
    ("SI202", "warning", 10, {"template": container("workingDir: /{{ .Values.proxy.imagge }}")}),
    ("SI203", "warning", 10, {"template": container("volumMounts: []")}),
    ("SI204", "warning", 11, {"template": container("image: x", "    env: []")}),
    ("SI205", "warning", 10, {"template": container('command: "[\\"/bin/sh\\"]"')}),
    (
        "SI206",
        "warning",
        10,
        {"template": container("workingDir: /{{ .ObjectMeta.Labels.app }}"), "untrusted_values": "text"},
    ),
    ("SI207", "warning", 10, {"template": container('{{ if "x" }}', "tty: true", "{{ end }}")}),
    (
        "SI207",
        "warning",
        12,
        {
            "template": container(
                "{{ if .Values.a }}", "tty: true", "{{ else if .Values.a }}", "tty: false", "{{ end }}"
            )
        },
    ),
    ("SI208", "warning", 10, {"template": container('{{ define "unused" }}x{{ end }}')}),
    (
        "SI301",
        "warning",
        5,
        {"template": 'metadata: {annotations: {n: "{{ len .ObjectMeta.Annotations }}"}}\n' + GOOD},
    ),
    (
        "SI302",
        "warning",
        10,
        {"template": container("lifecycle: {preStop: {exec: {command: [a]}, tcpSocket: {port: 1}}}")},
    ),
    ("SI304", "warning", 9, {"template": GOOD.replace("{requests: {cpu: 10m}}", "{}")}),
]


@pytest.mark.parametrize(("rule", "severity", "line", "how"), RULE_CASES)
def test_a_rule_finds_its_fault_on_its_line(rule: str, severity: str, line: int, how: dict[str, Any]) -> None:
    report = linted(**how)
    places = [found for found in short(report) if found[0] == rule]
    assert (rule, severity, line) in places, [str(each) for each in report.findings]


def test_every_rule_is_tried_somewhere() -> None:
    tried = {rule for rule, *_ in RULE_CASES} | {"SI003", "SI004", "SI005", "SI303", "SI305", "SI306"}
    of_metadata = {rule for rule in RULES if rule.startswith("SI4")}
    assert tried | of_metadata == set(RULES)


def test_all_faults_of_all_files_are_told_in_one_run() -> None:
    report = linted("a: {{ nothing }}\n", values="global: 3\n", mesh="defaultConfig: 3\n")
    assert {finding.place.source for finding in report.findings} == {"config", "values", "mesh"}


def test_an_unreadable_configuration_has_no_other_fault() -> None:
    report = linted("", head="policy: enabled\ntemplates:\n  sidecar: |\n x: [\n")
    assert [rule for rule, *_ in short(report)] == ["SI001"]


def test_all_that_cannot_be_read_is_told_in_one_run_and_what_else_is_wrong() -> None:
    config = """\
policy: enable
alwaysInjectSelector: [
defaultTemplates: [sidecar]
templates:
  sidecar: |
    spec: {{ .Foo
  broken: "bar
  other: |
    spec: {{ unknown }}
aliases:
  a: {b
"""
    values = 'global:\n  proxy: [\n  hub: "x\nsidecarInjectorWebhook: 7\n'
    sources = Sources(config=config, values=values, mesh="a: 1\nb: ]\n")
    given = (Given(value=None, source="app.yaml", line=7, unreadable="yaml: line 7: what it is"),)
    report = lint(sources, Surroundings(release="1.31"), given)
    found = [(each.place.source, each.place.line, each.message.split("{")[0]) for each in report.findings]
    assert found == [
        ("app.yaml", 7, "yaml: line 7: what it is"),
        ("config", 4, "yaml: line 3: did not find expected ',' or ']'"),
        ("config", 7, "yaml: line 7: found unexpected end of stream"),
        ("config", 7, "template: inject:2: unclosed action started at inject:1"),
        ("config", 9, 'template: inject:1: function "unknown" not defined'),
        ("config", 11, "yaml: line 11: did not find expected ',' or '}'"),
        ("mesh", 2, "yaml: line 1: did not find expected node content"),
        ("values", 2, "yaml: line 2: did not find expected node content"),
        (
            "values",
            4,
            "could not parse configuration values: json: cannot unmarshal number into Go value of type map[string]json.RawMessage",
        ),
        ("values", 5, "yaml: line 5: found unexpected end of stream"),
    ]


def test_names_of_the_configuration_are_checked_beside_values_that_do_not_load() -> None:
    report = linted(
        head=HEAD.replace("enabled", "enable").replace("[sidecar]", "[sidcar]"), values="global: 3\n"
    )
    assert [rule for rule, *_ in short(report)] == ["SI101", "SI102", "SI001"]


def test_an_error_of_the_strategic_merge_has_its_line() -> None:
    report = linted("spec:\n  containers:\n  - image: x\n")
    assert short(report) == [("SI002", "error", 7), ("SI205", "warning", 7)]
    assert "does not contain declared merge key: name" in only(report, "SI002").message


def test_a_denial_that_no_rule_explains_names_the_template() -> None:
    report = linted("spec:\n  containers:\n  - {name: a, $patch: nonsense}\n")
    assert [found for found in short(report) if found[0] == "SI002"] == [("SI002", "error", 5)]


def test_what_else_is_wrong_is_told_beside_an_unknown_policy() -> None:
    report = linted(container("volumMounts: []"), head=HEAD.replace("enabled", "enable"))
    assert [rule for rule, *_ in short(report)] == ["SI101", "SI203"]


def test_a_misspelt_field_is_told_with_the_one_that_was_meant() -> None:
    report = linted("spec:\n  contaners: []\n")
    assert only(report, "SI203").message == "spec has no field 'contaners': did you mean 'containers'?"


def test_a_field_of_the_release_before_1_9_is_checked_against_its_spec() -> None:
    head = "policy: enabled\ntemplate: |\n"
    template = (
        "contaners: []\ncontainers:\n- {name: istio-proxy, image: x, resources: {requests: {cpu: 1m}}}\n"
    )
    report = linted(template, head=head, release="1.4")
    assert ("SI203", "warning", 3) in short(report)


def test_what_pod_security_refuses_is_information() -> None:
    report = linted(container("securityContext: {privileged: true}"))
    assert [found.severity for found in report.findings if found.rule == "SI303"] == ["info", "info"]


# ---- silence


def test_a_comment_silences_a_warning_of_its_line() -> None:
    assert short(linted(container("volumMounts: [] # lint: ignore=SI203"))) == []


def test_a_comment_alone_silences_the_next_line_and_no_other() -> None:
    report = linted(container("# lint: ignore=SI203, SI205", "volumMounts: []", "volumeMount: []"))
    assert short(report) == [("SI203", "warning", 12)]


def test_an_error_cannot_be_silenced() -> None:
    report = linted("spec:\n  image: {{ .ProxyImagee }} # lint: ignore=SI002,SI201\n")
    assert report.failed


# ---- objects of -f


def given(text: str) -> Iterator[Given]:
    """Yield the one object of a text."""
    yield Given(value=load(text), source="app.yaml", line=1, text=text)


POD: Final = """\
apiVersion: v1
kind: Pod
metadata:
  name: web
  annotations: {{{annotations}}}
spec:
  containers:
  - name: web
    image: web
{more}"""


def pod(annotations: str = "", more: str = "") -> tuple[Given, ...]:
    """Return a pod with annotations in a flow mapping and lines of its container."""
    return tuple(given(POD.format(annotations=annotations, more=more)))


def test_a_pod_that_would_be_denied_is_an_error_with_its_place() -> None:
    report = linted(given=pod("traffic.sidecar.istio.io/includeInboundPorts: many"))
    found = only(report, "SI003")
    assert (report.failed, found.place.source) == (True, "app.yaml")
    assert "Pod web is denied" in found.message


def test_a_workload_of_which_kubernetes_can_read_nothing_is_an_error() -> None:
    cron = {"apiVersion": "batch/v1", "kind": "CronJob", "spec": {"jobTemplate": [1]}}
    finding = only(linted(given=(Given(value=cron, source="app.yaml"),)), "SI003")
    assert finding.message == (
        "CronJob ? is denied: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array "
        "into Go struct field CronJobSpec.spec.jobTemplate of type v1.JobTemplateSpec"
    )


def test_the_pods_of_a_cronjob_are_tried_as_an_api_server_makes_them() -> None:
    pods = {
        "metadata": {"annotations": {"traffic.sidecar.istio.io/includeInboundPorts": "many"}},
        "spec": {"containers": [{"name": "web", "image": "web"}]},
    }
    jobs = {"metadata": {"labels": {"sidecar.istio.io/inject": "false"}}, "spec": {"template": pods}}
    cron = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "report"},
        "spec": {"jobTemplate": jobs},
    }
    finding = only(linted(given=(Given(value=cron, source="app.yaml"),)), "SI003")
    assert "includeInboundPorts" in finding.message


def test_a_pod_that_an_api_server_refuses_is_an_error() -> None:
    template = GOOD + "  volumes:\n  - {name: data, emptyDir: {}}\n"
    text = POD.format(annotations="", more="") + "  os: {name: windows}\n"
    template = container("securityContext: {runAsUser: 1}")
    report = linted(template, given=tuple(given(text)))
    assert ("SI302", "error") in {(found.rule, found.severity) for found in report.findings}


def test_a_fault_that_a_pod_had_before_is_not_told_of_injection() -> None:
    report = linted(given=pod(more="    ports: [{containerPort: 70000}]\n"))
    assert not [found for found in report.findings if found.rule == "SI302"]


def test_a_probe_whose_field_the_agent_is_not_told_is_a_warning() -> None:
    probe = "    readinessProbe: {httpGet: {port: 80, protocol: HTTP2}}\n"
    values = f"{VALUES}sidecarInjectorWebhook: {{rewriteAppHTTPProbe: true}}\n"
    assert only(linted(given=pod(more=probe), values=values), "SI306").place.line == 10


def test_a_pod_without_proxy_that_is_led_to_one_is_a_warning() -> None:
    head = HEAD.replace(
        "  sidecar: |\n", "  other: 'spec: {containers: [{name: x, image: x}]}'\n  sidecar: |\n"
    )
    report = linted(head=head, given=pod("inject.istio.io/templates: other"))
    assert "port 15020" in only(report, "SI305").message


def test_the_objects_of_a_list_are_looked_at() -> None:
    item = POD.format(annotations="sidecar.istio.io/proxyCpu: 1m", more="").replace("\n", "\n  ")
    text = f"apiVersion: v1\nkind: List\nitems:\n- {item}\n"
    assert "proxyCPU" in only(linted(given=tuple(given(text))), "SI401").message


def test_what_is_found_in_a_list_has_the_line_of_the_item() -> None:
    good = POD.format(annotations="a: b", more="").replace("\n", "\n  ")
    bad = POD.format(annotations="sidecar.istio.io/proxyCpu: 1m", more="").replace("\n", "\n  ")
    text = f"apiVersion: v1\nkind: List\nitems:\n- {good}\n- {bad}\n- {{a: b}}\n"
    report = linted(given=tuple(given(text)))
    misspelt, no_object = only(report, "SI401").place, only(report, "SI004").place
    assert text.splitlines()[misspelt.line - 1].endswith("{sidecar.istio.io/proxyCpu: 1m}")
    assert misspelt.path == "items[1].metadata.annotations[sidecar.istio.io/proxyCpu]"
    assert (text.splitlines()[no_object.line - 1], no_object.path) == ("- {a: b}", "items[2]")


def test_a_kind_whose_pods_are_not_known_is_told_with_where_they_may_be() -> None:
    text = "apiVersion: a.example/v1\nkind: GameServerFleet\nspec:\n  pod:\n    spec:\n      containers: [{name: a}]\n"
    found = only(linted(given=tuple(given(text))), "SI004")
    assert found.message == "no workload is known: GameServerFleet has containers at spec.pod.spec"
    assert (found.advice, found.place.line) == ("give --pod-template-path spec.pod", 5)


def test_containers_that_no_path_leads_to_are_told_as_such() -> None:
    text = "apiVersion: a.example/v1\nkind: Pool\nspec:\n  pod:\n    containers: [{name: a}]\n"
    found = only(linted(given=tuple(given(text))), "SI004")
    assert found.message == (
        "no workload is known: Pool has containers at spec.pod, "
        "which is not a pod template (metadata and spec), so its pods are unknown"
    )
    assert found.advice == "lint the pods that it makes"


def test_a_list_without_a_list_is_told() -> None:
    value = {"apiVersion": "v1", "kind": "List", "items": 3}
    given = Given(value=value, source="app.yaml", text="apiVersion: v1\nkind: List\nitems: 3\n")
    finding = only(linted(given=(given,)), "SI004")
    assert (str(finding.place), finding.message) == (
        "app.yaml:3: items",
        "the items of this List are not a list",
    )


def test_a_kind_without_pods_is_left_alone() -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: b}\n"
    assert short(linted(given=tuple(given(text)))) == []


@pytest.mark.parametrize("value", [None, 3, "x", [], [3], {"a": 1}, {"apiVersion": [], "kind": {}}])
def test_what_is_no_object_is_told_and_is_no_trace(value: Any) -> None:
    report = linted(given=(Given(value=value, source="app.yaml"),))
    assert [rule for rule, *_ in short(report)] == ["SI004"]


WRONG: Final = (None, False, True, 3, "x", "", [], {}, [None], [3], {"a": None}, {"a": [1]}, 1.5)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the paths of everything in a value."""
    if path:
        yield path
    for key, item in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        yield from places(item, (*path, key))


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """Return the value with something else at a path."""
    if not path:
        return new
    changed = {**value} if isinstance(value, dict) else [*value]
    changed[path[0]] = put(value[path[0]], path[1:], new)
    return changed


@pytest.mark.slow
def test_no_object_makes_a_trace_whatever_stands_where() -> None:
    container = (
        "    ports: [{containerPort: 80, name: http}]\n"
        "    env: [{name: A, valueFrom: {fieldRef: {fieldPath: a}}}]\n"
        "    resources: {requests: {cpu: 1}, limits: {cpu: 2}}\n"
        "    readinessProbe: {httpGet: {port: 80}}\n"
        "    lifecycle: {preStop: {exec: {command: [a]}}}\n"
        "    volumeMounts: [{name: data, mountPath: /a}]\n"
        "  volumes: [{name: data, emptyDir: {}}]\n"
    )
    text = POD.format(annotations='sidecar.istio.io/userVolume: "[{}]"', more=container)
    objects = [put(load(text), path, wrong) for path in places(load(text)) for wrong in WRONG]
    assert len(objects) > 500
    linted(given=tuple(Given(value=value, source="app.yaml") for value in objects))
