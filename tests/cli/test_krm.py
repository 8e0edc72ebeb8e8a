"""krm: a ResourceList in, the same with sidecars and results out."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from injector.cli.krm import EPILOG
from tests.cli.conftest import Result, Run

HEAD = "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\n"

SERVICE = "- apiVersion: v1\n  kind: Service   # as it was\n  metadata: {name: web}\n"

WORKLOAD = """\
- apiVersion: apps/v1
  kind: Deployment
  metadata:
    name: web
    namespace: shop
    annotations:
      internal.config.kubernetes.io/path: apps/web.yaml
      internal.config.kubernetes.io/index: '2'
  spec:
    template:
      metadata: {labels: {app: web}}
      spec:
        containers:
        - name: web   # mine
          image: web:1
"""

BAD = WORKLOAD.replace(
    "{labels: {app: web}}", "{annotations: {traffic.sidecar.istio.io/includeInboundPorts: many}}"
).replace("name: web\n    namespace", "name: bad\n    namespace")

CONFIG = """\
policy: enabled
templates:
  sidecar: |
    metadata:
      labels: {release: "{{ .Revision }}", mesh: "{{ .MeshConfig.TrustDomain }}", value: "{{ .Values.it }}"}
"""


def resource_list(*items: str, config: Any = None, **more: Any) -> str:
    head = HEAD + (yaml.safe_dump({"functionConfig": config}) if config is not None else "")
    return head + "items:\n" + "".join(items) + (yaml.safe_dump(more) if more else "")


def labels(result: Result) -> dict[str, str]:
    found: dict[str, str] = yaml.safe_load(result.stdout)["items"][0]["spec"]["template"]["metadata"][
        "labels"
    ]
    return found


def test_workloads_get_sidecars_and_all_else_stays_as_it_was(run: Run) -> None:
    given = resource_list(SERVICE, WORKLOAD)
    result = run("krm", stdin=given)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith(HEAD + "items:\n" + SERVICE)
    assert "        - name: web   # mine\n" in result.stdout
    found = yaml.safe_load(result.stdout)
    names = [each["name"] for each in found["items"][1]["spec"]["template"]["spec"]["containers"]]
    assert names == ["web", "istio-proxy"]
    assert found["results"] == [
        {
            "message": "injected: the policy is enabled",
            "severity": "info",
            "resourceRef": {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "name": "web",
                "namespace": "shop",
            },
            "file": {"path": "apps/web.yaml", "index": 2},
        }
    ]


@pytest.mark.parametrize("index", ["²", "9" * 5000, "second", ""])
def test_an_index_that_is_no_number_is_left_out_of_the_result(run: Run, index: str) -> None:
    result = run("krm", stdin=resource_list(WORKLOAD.replace("index: '2'", f"index: '{index}'")))
    assert (result.returncode, result.stderr) == (0, "")
    assert yaml.safe_load(result.stdout)["results"][0]["file"] == {"path": "apps/web.yaml"}


def test_what_was_injected_before_stays_as_it_is_and_so_do_earlier_results(run: Run) -> None:
    once = run("krm", stdin=resource_list(WORKLOAD))
    twice = run("krm", stdin=once.stdout)
    before, after = yaml.safe_load(once.stdout), yaml.safe_load(twice.stdout)
    assert after["items"] == before["items"]
    assert after["results"] == before["results"] * 2


def test_a_workload_that_cannot_be_injected_fails_with_every_reason_and_changes_nothing(run: Run) -> None:
    result = run("krm", stdin=resource_list(BAD, WORKLOAD, BAD))
    assert result.returncode == 1
    assert result.stderr.count("Deployment bad: ") == 2
    found = yaml.safe_load(result.stdout)
    assert found["items"] == yaml.safe_load(resource_list(BAD, WORKLOAD, BAD))["items"]
    assert [each["severity"] for each in found["results"]] == ["error", "info", "error"]
    assert "includeInboundPorts" in found["results"][0]["message"]


@pytest.mark.parametrize("place", ["spec", "data"])
def test_the_function_config_holds_options_and_texts(run: Run, place: str) -> None:
    values: Any = {"it": "x"} if place == "spec" else '{"it": "x"}'
    settings = {"config": CONFIG, "values": values, "mesh": "trustDomain: t\n", "revision": "canary"}
    kind = "ConfigMap" if place == "data" else "Sidecars"
    result = run("krm", stdin=resource_list(WORKLOAD, config={"kind": kind, place: settings}))
    assert result.returncode == 0, result.stderr
    assert {"release": "canary", "mesh": "t", "value": "x"}.items() <= labels(result).items()


def test_the_transformer_in_the_help_injects(run: Run) -> None:
    shown = EPILOG[EPILOG.index("  apiVersion: ") :]
    result = run("krm", stdin=resource_list(WORKLOAD, config=yaml.safe_load(shown)))
    assert result.returncode == 0, result.stderr
    template = yaml.safe_load(result.stdout)["items"][0]["spec"]["template"]["spec"]
    assert template["containers"][-1]["image"] == "registry.example.com/istio/proxyv2:1.31.0"


def test_the_function_config_wins_over_the_command_line(run: Run) -> None:
    config = {"kind": "Sidecars", "spec": {"revision": "theirs", "config": CONFIG, "values": {"it": 1}}}
    result = run("krm", "--revision", "ours", stdin=resource_list(WORKLOAD, config=config))
    assert labels(result)["release"] == "theirs"
    config["spec"].pop("revision")  # type: ignore[attr-defined]
    result = run("krm", "--revision", "ours", stdin=resource_list(WORKLOAD, config=config))
    assert labels(result)["release"] == "ours"


def test_what_has_no_effect_by_hand_is_a_warning_of_the_whole_list(run: Run) -> None:
    config = CONFIG.replace("policy: enabled", "policy: disabled")
    settings = {"config": config, "values": {"it": 1}}
    results = yaml.safe_load(run("krm", stdin=resource_list(WORKLOAD, config={"spec": settings})).stdout)[
        "results"
    ]
    assert [each["severity"] for each in results] == ["warning", "info"]
    assert results[0]["message"].startswith("policy 'disabled' has no effect by hand")


def test_lists_and_switches_of_the_function_config_are_options(run: Run) -> None:
    config = """
        policy: enabled
        templates: {sidecar: 'metadata: {labels: {both: "{{ env "A" "" }}{{ env "B" "" }}"}}'}
    """
    settings = {"config": config, "env": ["A=1", "B=2"], "nativeSidecars": True, "release": "1.31"}
    result = run("krm", stdin=resource_list(WORKLOAD, config={"kind": "X", "spec": settings}))
    assert result.returncode == 0, result.stderr
    assert labels(result)["both"] == "12"


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"spec": {"nonsense": 1}}, "No such option '--nonsense'"),
        ({"spec": {"release": "2.0"}}, "'2.0' is not a release"),
        ({"spec": ["release"]}, "functionConfig: spec is not a map of options"),
        ("text", "functionConfig: it is not an object"),
        ({"spec": {"config": "templates: {a: '{{ nope }}'}"}}, "functionConfig.config: templates.a"),
        ({"spec": {"valuesFile": "missing"}}, "missing: cannot read it"),
    ],
)
def test_a_wrong_function_config_is_a_result_and_a_line_on_stderr(
    run: Run, config: Any, sentence: str
) -> None:
    result = run("krm", stdin=resource_list(WORKLOAD, config=config))
    assert result.returncode == 1
    assert sentence in result.stderr
    found = yaml.safe_load(result.stdout)
    assert [(each["severity"], sentence in each["message"]) for each in found["results"]] == [("error", True)]
    assert found["items"] == yaml.safe_load(resource_list(WORKLOAD))["items"]


def test_the_function_config_names_the_place_of_pods(run: Run) -> None:
    custom = WORKLOAD.replace("apps/v1", "x.io/v1").replace("kind: Deployment", "kind: Farm")
    config = {
        "kind": "X",
        "spec": {"podTemplatePath": "spec.template", "config": CONFIG, "values": {"it": 1}},
    }
    result = run("krm", stdin=resource_list(custom, config=config))
    assert labels(result)["value"] == "1"


@pytest.mark.parametrize("text", ["kind: Deployment\n", "- a\n", f"{HEAD}---\n{HEAD}", f"{HEAD}items: 3\n"])
def test_what_is_not_a_resource_list_is_refused(run: Run, text: str) -> None:
    result = run("krm", stdin=text)
    assert (result.returncode, result.stdout) == (1, "")
    assert "<stdin>: this is not a ResourceList" in result.stderr


def test_an_empty_list_is_a_list(run: Run) -> None:
    result = run("krm", stdin=HEAD + "items: []\n")
    assert (result.returncode, yaml.safe_load(result.stdout)["items"]) == (0, [])


@pytest.mark.parametrize(
    "item",
    [
        "- {apiVersion: v1, kind: Pod, metadata: [a]}\n",
        "- {apiVersion: v1, kind: Pod, metadata: {annotations: 3}}\n",
    ],
)
def test_an_object_of_a_wrong_shape_is_an_error_and_no_traceback(run: Run, item: str) -> None:
    result = run("krm", stdin=resource_list(item))
    assert result.returncode == 1
    assert result.stderr.startswith("error: Pod ?: ")
    assert "Traceback" not in result.stderr
    assert yaml.safe_load(result.stdout)["results"][0]["severity"] == "error"


@pytest.mark.parametrize("item", ["- 3\n", "- [a]\n", "- {kind: ConfigMap}\n", "- null\n"])
def test_what_holds_no_pod_passes_through(run: Run, item: str) -> None:
    result = run("krm", stdin=resource_list(item))
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith(resource_list(item))
