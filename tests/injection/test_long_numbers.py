"""Numbers of more digits than Python reads: each gets Go's answer, wherever it stands. Pinned from real Go."""

from __future__ import annotations

from typing import Any

import pytest

from injector.gotemplate import compile_template
from injector.injection.admission import encode_operations
from injector.injection.dot.functions import function_map
from injector.injection.injector import Injector
from injector.istio.releases import behaviour_of
from injector.json_types import Number
from tests.injection.builders import LEGACY, OVERLAYS, a_pod, a_review

NINES = "9" * 5000
HEAD = b'{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"u","object":%s}}'
INTO = "json: cannot unmarshal number {} into Go struct field {} of type {}"


@pytest.mark.parametrize(
    ("spec", "number", "sentence"),
    [
        ('"priority":{}', NINES, INTO.format(NINES, "PodSpec.spec.priority", "int32")),
        ('"priority":{}', f"-{NINES}", INTO.format(f"-{NINES}", "PodSpec.spec.priority", "int32")),
        ('"priority":{}', "1e400", INTO.format("1e400", "PodSpec.spec.priority", "int32")),
        ('"priority":{}', "12345678901234567890123", INTO.format("12345678901234567890123", "PodSpec.spec.priority", "int32")),
        ('"priority":{}', "80.0", INTO.format("80.0", "PodSpec.spec.priority", "int32")),
        ('"priority":{}', "1e3", INTO.format("1e3", "PodSpec.spec.priority", "int32")),
        ('"activeDeadlineSeconds":{}', "9223372036854775808", INTO.format("9223372036854775808", "PodSpec.spec.activeDeadlineSeconds", "int64")),
        ('"hostname":{}', NINES, "json: cannot unmarshal number into Go struct field PodSpec.spec.hostname of type string"),
    ],
)  # fmt: skip
def test_a_number_of_the_body_is_named_as_it_is_written(spec: str, number: str, sentence: str) -> None:
    pod = '{"spec":{"containers":[{"name":"a"}],SPEC}}'.replace("SPEC", spec.replace("{}", number))
    answer = Injector.load(OVERLAYS).answer(HEAD % pod.encode())
    assert (answer.outcome, answer.reason, answer.message) == ("denied", "object", sentence)


@pytest.mark.parametrize("number", [NINES, f"-{NINES}", "1e400", f"0.{NINES}", "12345678901234567890123"])
@pytest.mark.parametrize(("config", "release"), [(OVERLAYS, "1.31"), (OVERLAYS, "1.12"), (LEGACY, "1.8")])
def test_a_number_that_no_type_reads_stays(config: str, release: str, number: str) -> None:
    pod = '{"spec":{"weird":N,"containers":[{"name":"a","weird":[N]}]}}'.replace("N", number)
    assert Injector.load(config, release=release).answer(HEAD % pod.encode()).outcome == "injected"


def test_a_number_is_written_in_a_patch_as_it_was_read() -> None:
    value = {"weird": [Number("1e400"), Number(f"-{NINES}"), 1.5]}
    patch = encode_operations([{"op": "add", "path": "/spec", "value": value}])
    assert patch == f'[{{"op":"add","path":"/spec","value":{{"weird":[1e400,-{NINES},1.5]}}}}]'.encode()
    with pytest.raises(TypeError):
        encode_operations([{"op": "add", "path": "/spec", "value": object()}])


@pytest.mark.parametrize(
    "annotations",
    [
        {"status.sidecar.istio.io/port": NINES},
        {"traffic.sidecar.istio.io/excludeInboundPorts": f"80,{NINES}"},
        {"traffic.sidecar.istio.io/includeOutboundIPRanges": f"10.0.0.1/{NINES}"},
        {"traffic.sidecar.istio.io/includeOutboundIPRanges": f"::/{NINES}"},
        {"readiness.status.sidecar.istio.io/periodSeconds": NINES},
        {"prometheus.io/port": NINES},
        {"prometheus.istio.io/scrape-targets": f"{NINES}:/metrics"},
        {"sidecar.istio.io/proxyCPU": NINES},
        {"sidecar.istio.io/proxyMemoryLimit": f"{NINES}Gi"},
        {"sidecar.istio.io/proxyCPU": f"1e{NINES}"},
        {"sidecar.istio.io/proxyCPU": f"0.{NINES}"},
        {"proxy.istio.io/config": f"concurrency: {NINES}"},
        {"proxy.istio.io/config": f'concurrency: "{NINES}"'},
        {"proxy.istio.io/config": f"drainDuration: {NINES}s"},
        {"proxy.istio.io/config": f"drainDuration: 1.{NINES}s"},
        {"proxy.istio.io/config": f"discoveryAddress: a:{NINES}"},
        {"proxy.istio.io/config": f"tracing: {{sampling: {NINES}}}"},
        {"proxy.istio.io/config": f"interceptionMode: {NINES}"},
        {"proxy.istio.io/config": f"statusPort: -{NINES}"},
        {"proxy.istio.io/overrides": f'{{"containers":[{{"name":"istio-proxy","ports":[{{"containerPort":{NINES}}}]}}]}}'},
        {"sidecar.istio.io/status": f'{{"containers":[{NINES}]}}'},
        {"sidecar.istio.io/status": f'{{"weird":{NINES}}}'},
    ],
    ids=lambda annotations: next(iter(annotations)),
)  # fmt: skip
@pytest.mark.parametrize(
    ("config", "release"), [(OVERLAYS, "1.31"), (OVERLAYS, "1.12"), (LEGACY, "1.8"), (LEGACY, "1.2")]
)
def test_an_annotation_with_such_a_number_gets_an_answer(
    config: str, release: str, annotations: dict[str, str]
) -> None:
    injector = Injector.load(config, release=release)
    for metadata in (annotations, annotations | {"sidecar.istio.io/rewriteAppHTTPProbers": "true"}):
        pod: Any = a_pod(annotations=metadata)
        pod["spec"]["containers"][0]["livenessProbe"] = {"httpGet": {"port": 80}}
        assert injector.answer(a_review(pod)).outcome in ("injected", "denied")


TEMPLATES = [
    ("{{ int `%s` }}", "0"),
    ("{{ int64 `-%s` }}", "0"),
    ("{{ atoi `%s` }}", "9223372036854775807"),
    ("{{ atoi `-%s` }}", "-9223372036854775808"),
    ("{{ toDecimal `%s` }}", "0"),
    ("{{ add `%s` 1 }}", "1"),
    ("{{ duration `%s` }}", "-1s"),
    ("{{ durationRound `%ss` }}", "0s"),
    ("{{ durationRound `1.%ss` }}", "2s"),
    ("{{ float64 `%s` }}", "0"),
    ("{{ mul `0x%s` 2 }}", "0"),
    ("{{ max `%s` 1 }}", "1"),
    ("{{ ceil `%s` }}", "0"),
    ("{{ round `%s` 2 }}", "0"),
    ("{{ until (int `%s`) }}", "[]"),
    ("{{ trunc (int `%s`) `abc` }}", ""),
]


@pytest.mark.parametrize(("template", "printed"), TEMPLATES, ids=[template[:20] for template, _ in TEMPLATES])
def test_a_template_reads_such_a_number_as_go_does(template: str, printed: str) -> None:
    functions = function_map(behaviour_of("1.31"), env={}, mesh=None)
    text = template.replace("%s", NINES)
    assert compile_template("t", text, functions=functions).render({}).text == printed


def test_words_that_python_takes_for_numbers_are_no_json() -> None:
    for word, sentence in (
        ("NaN", "invalid character 'N' looking for beginning of value"),
        ("Infinity", "invalid character 'I' looking for beginning of value"),
        ("-Infinity", "invalid character 'I' in numeric literal"),
    ):
        answer = Injector.load(OVERLAYS).answer(HEAD % f'{{"weird":["\\ud800",{word}]}}'.encode())
        assert answer.message == f"couldn't get version/kind; json parse error: {sentence}"
