"""inject: what goes to stdout, what to stderr, and what the exit code says."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import Run
from tests.cli.manifests import DEPLOYMENT, SERVICE, first

BROKEN_ANNOTATION = DEPLOYMENT.replace(
    "      labels: {app: web}\n",
    "      labels: {app: web}\n      annotations: {traffic.sidecar.istio.io/includeInboundPorts: many}\n",
).replace("name: web\nspec:", "name: bad\nspec:")


def containers(document: dict) -> list[str]:
    spec = document["spec"]["template"]["spec"]
    return [each["name"] for each in spec.get("initContainers", []) + spec["containers"]]


def test_a_deployment_gets_its_sidecars_and_a_service_stays_byte_for_byte(run: Run, tmp_path: Path) -> None:
    (tmp_path / "app.yaml").write_text(f"{SERVICE}---\n{DEPLOYMENT}")
    result = run("inject", "-f", "app.yaml")
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(f"{SERVICE}---\n")
    assert result.stdout.endswith("---\n")
    deployment = list(yaml.safe_load_all(result.stdout))[1]
    assert {"istio-init", "istio-proxy", "web"} <= set(containers(deployment))
    assert "app.yaml:8: Deployment web: injected" in result.stderr


def test_stdin_is_a_dash(run: Run) -> None:
    result = run("inject", "-f", "-", stdin=DEPLOYMENT)
    assert result.returncode == 0
    assert "<stdin>:1: Deployment web: injected" in result.stderr


POD = '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"%s"},"spec":{"containers":[{"name":"x","image":"x"}]}}'


@pytest.mark.parametrize("flags", [(), ("--keep-layout",), ("-o", "json")], ids=["", "layout", "json"])
def test_every_object_of_a_json_stream_is_injected(run: Run, tmp_path: Path, flags: tuple[str, ...]) -> None:
    (tmp_path / "pods.json").write_text(f"{POD % 'a'}\n{POD % 'b'}\n\n{POD % 'c'}\n")
    result = run("inject", "pods.json", *flags)
    found = [each for each in yaml.safe_load_all(result.stdout) if each]
    pods = found[0]["items"] if found[0]["kind"] == "List" else found
    assert [each["metadata"]["name"] for each in pods] == ["a", "b", "c"]
    assert all("istio-proxy" in str(each) for each in pods)
    assert [line.partition(": ")[0] for line in result.stderr.splitlines() if "injected" in line] == [
        "pods.json:1",
        "pods.json:2",
        "pods.json:4",
    ]


@pytest.mark.parametrize("command", ["inject", "lint", "explain"])
@pytest.mark.parametrize("more", ["...\nkind: Pod\n", "}}}garbage [[[\n", "foo: [\n"], ids=["dots", "}", "["])
def test_what_follows_a_document_is_not_lost_without_a_word(
    run: Run, tmp_path: Path, command: str, more: str
) -> None:
    (tmp_path / "app.json").write_text(f"{POD % 'a'}\n{more}")
    result = run(command, "-f", "app.json")
    line = 3 if more.startswith("...") else 2
    assert result.returncode == 1
    assert f"app.json:{line}: " in result.stderr + result.stdout
    assert "the document ends above, and what follows would be lost" in result.stderr + result.stdout


def test_a_workload_with_a_namespace_is_not_in_the_one_of_the_option(run: Run) -> None:
    given = DEPLOYMENT.replace("  name: web\n", "  name: web\n  namespace: shop\n", 1)
    result = run("inject", "-f", "-", "-n", "kube-system", stdin=given)
    assert result.returncode == 0, result.stderr
    assert "Deployment shop/web: injected" in result.stderr
    result = run("inject", "-f", "-", "-n", "kube-system", stdin=DEPLOYMENT)
    assert "skipped: namespace kube-system is never injected" in result.stderr


def test_what_has_no_effect_by_hand_is_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("policy: disabled\ntemplates: {sidecar: '{}'}\n")
    (tmp_path / "empty.yaml").write_text("apiVersion: v1\nkind: List\nitems: []\n")
    flags = ("--proxy-config-file", "empty.yaml", "--namespace-file", "empty.yaml")
    result = run("inject", "-f", "-", "--inject-config-file", "config.yaml", *flags, stdin=DEPLOYMENT)
    assert result.returncode == 0, result.stderr
    warnings = [line for line in result.stderr.splitlines() if line.startswith("warning: ")]
    assert warnings == [
        "warning: --namespace-file has no effect by hand, only in the webhook: `explain` reads it",
        "warning: --proxy-config-file has no effect by hand, only in the webhook: `explain` reads it",
        "warning: policy 'disabled' has no effect by hand, only in the webhook: `explain` says what that does",
    ]


@pytest.mark.parametrize("flags", [(), ("--keep-layout",)], ids=["", "layout"])
def test_what_yaml_cannot_hold_is_named_with_its_workload(
    run: Run, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    pod = (POD % "a").replace('"name":"a"', '"name":"a","annotations":{"n":"a\\u007fb"}')
    (tmp_path / "app.json").write_text(f"{POD % 'b'}\n{pod}\n")
    result = run("inject", "app.json", *flags)
    sentence = "error: app.json:2: Pod a: yaml: control characters are not allowed; -o json can write it\n"
    assert (result.returncode, result.stdout, result.stderr) == (1, "", sentence)
    assert run("inject", "app.json", "-o", "json").returncode == 0


@pytest.mark.parametrize("text", ["", "# only this\n", "---\n---\n"])
def test_a_file_without_an_object_is_said(run: Run, tmp_path: Path, text: str) -> None:
    (tmp_path / "empty.yaml").write_text(text)
    result = run("inject", "empty.yaml")
    assert (result.returncode, result.stdout, result.stderr) == (
        1,
        "",
        "error: there is nothing in empty.yaml\n",
    )


def test_a_list_of_workloads_that_is_no_object_is_said(run: Run) -> None:
    result = run("inject", "-", stdin=f"[{POD % 'a'}]\n")
    sentence = "warning: <stdin>:1: not injected: this is a list, which kubectl does not take"
    assert (result.returncode, sentence in result.stderr) == (0, True)


def test_a_folder_is_read_in_the_order_of_its_names(run: Run, tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(SERVICE)
    (tmp_path / "a.yml").write_text(DEPLOYMENT)
    (tmp_path / "notes.txt").write_text("not YAML: [")
    result = run("inject", "-f", ".")
    assert [each["kind"] for each in yaml.safe_load_all(result.stdout) if each] == ["Deployment", "Service"]


def test_a_folder_with_nothing_in_it_is_an_error(run: Run) -> None:
    result = run("inject", "-f", ".")
    assert result.returncode == 1
    assert "holds no .yaml, .yml, .json file" in result.stderr


def test_folders_below_are_read_when_asked_for(run: Run, tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "app.yaml").write_text(DEPLOYMENT)
    assert run("inject", "-f", "deep").returncode == 1
    assert run("inject", "-R", "-f", "deep").returncode == 0


def test_one_workload_that_cannot_be_injected_keeps_everything_back(run: Run, tmp_path: Path) -> None:
    (tmp_path / "app.yaml").write_text(f"{DEPLOYMENT}---\n{BROKEN_ANNOTATION}---\n{BROKEN_ANNOTATION}")
    result = run("inject", "-f", "app.yaml")
    assert result.returncode == 1
    assert not result.stdout
    assert result.stderr.count("Deployment bad") == 2, "all faults are told in one run"
    assert "includeInboundPorts" in result.stderr


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: [1\n", "app.yaml:2: yaml: line 1: did not find expected"),
        ("a: b\n---\nkind: X\n  bad: indent\n", "app.yaml:4: yaml: line 2"),
        ("\t- tab\n", "app.yaml:1: yaml: found character that cannot start any token"),
    ],
)
def test_broken_yaml_is_named_with_its_line(run: Run, tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "app.yaml").write_text(text)
    result = run("inject", "-f", "app.yaml")
    assert result.returncode == 1
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr
    assert not result.stdout


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "apiVersion: v1\nkind: Pod\nmetadata: 3\n",
            "Pod ?: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal number into Go struct field Pod.metadata",
        ),
        ("apiVersion: v1\nkind: List\nitems: 3\n", "List ?: the items of a List are a list"),
    ],
)
def test_a_value_in_the_place_of_an_object_is_told(
    run: Run, tmp_path: Path, text: str, sentence: str
) -> None:
    (tmp_path / "app.yaml").write_text(text)
    result = run("inject", "-f", "app.yaml")
    assert (result.returncode, result.stdout) == (1, "")
    assert f"app.yaml:1: {sentence}" in result.stderr
    assert "Traceback" not in result.stderr


def test_bytes_that_are_not_utf8_are_named_with_their_place(run: Run, tmp_path: Path) -> None:
    (tmp_path / "app.yaml").write_bytes(b"a: \xff\n")
    result = run("inject", "-f", "app.yaml")
    assert result.returncode == 1
    assert "app.yaml: cannot read it: it is not UTF-8 (byte 3 is 0xff)" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("inject",), 2, "give -f FILE"),
        (("inject", "-f", "missing.yaml"), 1, "missing.yaml: cannot read it: No such file"),
        (("inject", "--bogus"), 2, "No such option"),
        (("inject", "-f", "-", "--release", "2.0"), 2, "not a release"),
        (("inject", "-f", "-", "--injectConfigFile", "missing"), 1, "missing: cannot read it"),
        (("inject", "-f", "-", "--env", "=x"), 2, "has no name"),
        (("inject", "-f", "-", "--env", "SURELY_NOT_SET"), 2, "SURELY_NOT_SET is not set here"),
        (("nonsense",), 2, "No such command"),
    ],
)
def test_a_wrong_call_is_2_and_a_failure_is_1(
    run: Run, arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    result = run(*arguments, stdin="")
    assert (result.returncode, result.stdout) == (code, "")
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("spelling", ["--injectConfigFile", "--inject-config-file"])
def test_both_spellings_of_an_option_work(run: Run, tmp_path: Path, spelling: str) -> None:
    (tmp_path / "config.yaml").write_text(
        "policy: enabled\ntemplates:\n  sidecar: |\n    metadata: {labels: {a: b}}\n"
    )
    result = run("inject", "-f", "-", spelling, "config.yaml", stdin=DEPLOYMENT)
    assert result.returncode == 0, result.stderr
    assert first(result.stdout)["spec"]["template"]["metadata"]["labels"]["a"] == "b"


def with_template(folder: Path, run: Run, template: str) -> subprocess.CompletedProcess[str]:
    (folder / "config.yaml").write_text(f"policy: enabled\ntemplates:\n  sidecar: |\n    {template}\n")
    deployment = DEPLOYMENT.rstrip() + "\n        resources: {limits: {cpu: 1500m}}\n"
    return run("inject", "-f", "-", "--injectConfigFile", "config.yaml", stdin=deployment)


def test_a_template_calls_the_methods_of_gos_types(run: Run, tmp_path: Path) -> None:
    look = "{{ .ObjectMeta.GetLabels.app }}-{{ (index .Spec.Containers 0).Resources.Limits.Cpu.MilliValue }}"
    result = with_template(tmp_path, run, f"metadata: {{labels: {{a: '{look}'}}}}")
    assert result.returncode == 0, result.stderr
    assert first(result.stdout)["spec"]["template"]["metadata"]["labels"]["a"] == "web-1500"


def test_an_assignment_in_a_condition_is_made_once(run: Run, tmp_path: Path) -> None:
    look = "{{ $x := .Spec.ServiceAccountName | default `web` }}{{ range .Spec.Containers }}{{ with $x = printf `%s-a` $x }}{{ . }}{{ end }}"
    result = with_template(tmp_path, run, f"metadata: {{labels: {{a: '{look}{{{{ end }}}}{{{{ $x }}}}'}}}}")
    assert result.returncode == 0, result.stderr
    assert first(result.stdout)["spec"]["template"]["metadata"]["labels"]["a"] == "web-aweb-a"


def test_a_text_of_gos_that_is_not_made_is_an_error_and_no_other_text(run: Run, tmp_path: Path) -> None:
    result = with_template(tmp_path, run, "metadata: {labels: {a: '{{ .ObjectMeta }}'}}")
    assert (result.returncode, result.stdout) == (1, "")
    assert "the text of a v1.ObjectMeta is not made here: print its fields, or its JSON" in result.stderr


@pytest.mark.parametrize("own", ["", "      annotations: {proxy.istio.io/config: 'statusPort: 1'}\n"])
def test_what_the_mesh_says_is_text_of_the_template_whatever_a_pod_says(
    run: Run, tmp_path: Path, own: str
) -> None:
    (tmp_path / "config.yaml").write_text(
        "policy: enabled\ntemplates:\n  sidecar: |\n    metadata: {labels: {a: {{ .ProxyConfig.ProxyMetadata.A }}}}\n"
    )
    (tmp_path / "mesh.yaml").write_text("defaultConfig: {proxyMetadata: {A: \"'b'\"}}\n")
    result = run(
        *("inject", "-f", "-", "--injectConfigFile", "config.yaml", "--meshConfigFile", "mesh.yaml"),
        stdin=DEPLOYMENT.replace("      labels: {app: web}\n", "      labels: {app: web}\n" + own),
    )
    assert result.returncode == 0, result.stderr
    assert first(result.stdout)["spec"]["template"]["metadata"]["labels"]["a"] == "b"


def test_every_fault_of_the_configuration_is_told_at_once(run: Run, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(
        "policy: enabled\ntemplates:\n  one: |\n    {{ nope . }}\n  two: |\n    {{ if }}\n"
    )
    (tmp_path / "mesh.yaml").write_text("defaultConfig: {concurrency: many}\n")
    result = run(
        *("inject", "-f", "-", "--injectConfigFile", "config.yaml", "--meshConfigFile", "mesh.yaml"),
        stdin=DEPLOYMENT,
    )
    assert result.returncode == 1
    assert "config.yaml:4: templates.one" in result.stderr
    assert 'function "nope" not defined' in result.stderr
    assert "config.yaml:6: templates.two" in result.stderr
    assert "mesh.yaml" in result.stderr


def test_json_output_is_a_list_that_kubectl_takes(run: Run, tmp_path: Path) -> None:
    (tmp_path / "app.yaml").write_text(f"{SERVICE}---\n{DEPLOYMENT}")
    result = run("inject", "-f", "app.yaml", "-o", "json")
    document = json.loads(result.stdout)
    assert document["kind"] == "List"
    assert [each["kind"] for each in document["items"]] == ["Service", "Deployment"]
    assert run("inject", "-f", "-", "-o", "json", stdin=result.stdout).stdout == result.stdout


@pytest.mark.parametrize(
    ("output", "meant"), [("yml", "yaml"), ("YAML", "yaml"), ("Json", "json"), ("JSON", "json")]
)
def test_a_format_in_another_spelling_is_not_the_name_of_a_file(
    run: Run, tmp_path: Path, output: str, meant: str
) -> None:
    result = run("inject", "-", "-o", output, stdin=DEPLOYMENT)
    assert result.returncode == 2
    assert f"-o {output}: is it {meant}? A file of that name is written by -o ./{output}" in result.stderr
    assert [*tmp_path.iterdir()] == []


def test_a_file_is_replaced_whole_and_keeps_what_it_had_on_failure(run: Run, tmp_path: Path) -> None:
    (tmp_path / "out.yaml").write_text("before")
    (tmp_path / "out.yaml").chmod(0o640)
    failed = run("inject", "-f", "-", "-o", "out.yaml", stdin=BROKEN_ANNOTATION)
    assert failed.returncode == 1
    assert (tmp_path / "out.yaml").read_text() == "before"
    assert run("inject", "-f", "-", "-o", "out.yaml", stdin=DEPLOYMENT).returncode == 0
    assert "istio-proxy" in (tmp_path / "out.yaml").read_text()
    assert stat.S_IMODE((tmp_path / "out.yaml").stat().st_mode) == 0o640
    assert [each.name for each in tmp_path.iterdir()] == ["out.yaml"], "no temporary file is left"


def test_an_output_that_cannot_be_written_is_said(run: Run) -> None:
    result = run("inject", "-f", "-", "-o", "no/such/folder.yaml", stdin=DEPLOYMENT)
    assert result.returncode == 1
    assert "no/such/folder.yaml: cannot write it" in result.stderr


def test_quiet_says_nothing_of_what_went_well(run: Run) -> None:
    assert run("inject", "-q", "-f", "-", stdin=DEPLOYMENT).stderr == ""


def test_a_custom_resource_is_injected_by_its_path(run: Run) -> None:
    text = DEPLOYMENT.replace(
        "apiVersion: apps/v1\nkind: Deployment", "apiVersion: x.io/v1\nkind: Farm"
    ).replace("  template:", "  worker:")
    untouched = run("inject", "-f", "-", stdin=text)
    assert untouched.stdout == f"{text}---\n"
    injected = run("inject", "-f", "-", "--pod-template-path", "spec.worker", stdin=text)
    names = [each["name"] for each in first(injected.stdout)["spec"]["worker"]["spec"]["containers"]]
    assert "web" in names
    assert "istio-proxy" in injected.stdout


def test_colours_are_for_terminals_only(run: Run) -> None:
    assert "\x1b[" not in run("inject", "-f", "-", stdin=DEPLOYMENT).stderr


@pytest.mark.socket
def test_a_reader_that_leaves_early_is_no_error_with_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "app.yaml").write_text("---\n".join([DEPLOYMENT] * 50))
    command = f"{sys.executable} -m injector inject -q -f app.yaml | head -n 1"
    result = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.stdout.strip()
    assert "Traceback" not in result.stderr


@pytest.mark.socket
def test_what_inject_does_not_need_is_not_imported() -> None:
    code = (
        "import sys, injector.cli.inject;"
        "print([m for m in ('kubernetes_asyncio','aiohttp','cryptography','asyncio') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_istioctl_1_4_would_have_written_the_same_bytes(run: Run, shared: Path) -> None:
    folder = shared / "conformance" / "1.4" / "istioctl"
    for name in ("hello", "list", "mixed"):
        result = run(
            *(
                "inject",
                "--release",
                "1.4",
                "--untrusted-values",
                "text",
                "-f",
                str(folder / f"in-{name}.yaml"),
            ),
            *("--injectConfigFile", str(folder / "inject-config.yaml")),
            *("--valuesFile", str(folder / "values.json"), "--meshConfigFile", str(folder / "mesh.yaml")),
        )
        assert result.returncode == 0, result.stderr
        assert result.stdout == (folder / f"out-{name}.stdout").read_text(), name


def test_a_release_that_is_older_than_the_built_in_configuration_is_told_at_once(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "app.yaml").write_text(DEPLOYMENT)
    result = run("inject", "-f", "app.yaml", "--release", "1.24")
    assert result.returncode == 1
    assert "built-in config: is for Istio 1.31 and newer: give that of 1.24" in result.stderr
    assert run("inject", "-f", "app.yaml", "--release", "1.24", "--template", "log-shipper").returncode == 0


def test_a_workload_beyond_a_limit_is_named_with_its_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "app.yaml").write_text(f"{SERVICE}---\n{DEPLOYMENT}")
    result = run("inject", "-f", "app.yaml", "--reviewLimit", "entries=2", "--review-limit", "templates=9")
    assert (result.returncode, result.stdout) == (1, "")
    sentence = "the pod has 3 entries in its lists and maps, 1 of them in metadata.labels; at most 2"
    assert f"app.yaml:8: Deployment web: {sentence}" in result.stderr
    assert run("inject", "-f", "app.yaml", "--reviewLimit", "entries=3").returncode == 0


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("entrys=2", "'entrys' is none of values, "),
        ("entries", "'entries': write entries=NUMBER"),
        ("entries=-2", "'entries=-2': write entries=NUMBER"),
        ("entries=two", "'entries=two': write entries=NUMBER"),
        ("entries=0", "limit entries must be at least 1"),
    ],
)
@pytest.mark.parametrize("command", ["inject", "serve"])
def test_a_limit_that_makes_no_sense_is_refused(run: Run, command: str, setting: str, complaint: str) -> None:
    result = run(command, "--reviewLimit", setting)
    assert result.returncode == 2
    assert complaint in " ".join(result.stderr.split())
