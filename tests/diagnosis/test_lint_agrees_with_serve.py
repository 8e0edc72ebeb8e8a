"""`lint` exits 0 exactly where `serve` starts and its trial injects: a corpus of broken configurations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Final, NamedTuple

import pytest

from injector.diagnosis.lint import Report, lint
from injector.diagnosis.trial import SAMPLES
from injector.errors import ConfigError
from injector.injection.loading import Sources, Surroundings
from injector.istio.releases import NEWEST_RELEASE
from injector.service.generation import Texts
from injector.service.injecting import load_injector
from injector.service.options import ServiceOptions
from injector.service.trial import try_out
from injector.templates import built_in
from tests.diagnosis.mutations import mutated

pytestmark = pytest.mark.slow

SMALL: Final = """\
policy: enabled
alwaysInjectSelector: []
neverInjectSelector:
- matchLabels: {leave: alone}
defaultTemplates: [sidecar]
aliases:
  both: [sidecar, more]
templates:
  sidecar: |
    metadata:
      labels:
        mesh: {{ .Values.mesh | quote }}
    spec:
      initContainers:
      - name: prepare
        image: {{ .Values.image }}
        args: ["--port", "{{ .Values.port }}"]
      containers:
      {{- if .Values.enabled }}
      - name: sidecar
        image: {{ .Values.image }}
        env:
        - name: POD
          value: {{ .ObjectMeta.Name | quote }}
        {{- range $name, $value := .Values.env }}
        - name: {{ $name }}
          value: {{ $value | quote }}
        {{- end }}
        resources:
          {{- toYaml .Values.resources | nindent 10 }}
        lifecycle:
          preStop:
            exec:
              command: ["/bin/sh", "-c", "sleep 1"]
        ports:
        - containerPort: 9000
          name: metrics
      {{- end }}
      volumes:
      - name: data
        emptyDir: {}
  more: |
    spec:
      hostAliases:
      - ip: 127.0.0.1
        hostnames: [local]
"""
SMALL_VALUES: Final = """\
mesh: one
image: registry.example/sidecar:1
port: 9000
enabled: true
env: {A: x, B: y}
resources:
  requests: {cpu: 10m}
"""
LEGACY: Final = """\
policy: enabled
template: |
  initContainers:
  - name: prepare
    image: {{ .Values.image }}
  containers:
  - name: istio-proxy
    image: {{ .Values.image }}
    args:
    - proxy
    - --serviceCluster={{ .ObjectMeta.Name }}
    {{- if .Values.enabled }}
    env:
    - name: LEVEL
      value: {{ annotation .ObjectMeta `sidecar.example/level` "info" | quote }}
    {{- end }}
    ports:
    - containerPort: 15090
      name: metrics
  volumes:
  - name: data
    emptyDir:
      medium: Memory
"""
MESH: Final = """\
accessLogFile: /dev/stdout
enablePrometheusMerge: true
defaultConfig:
  concurrency: 2
  discoveryAddress: istiod.istio-system.svc:15012
  drainDuration: 45s
  proxyMetadata:
    A: b
"""


class Broken(NamedTuple):
    """One configuration of the corpus."""

    name: str
    config: str
    values: str
    mesh: str
    release: str


def _corpus() -> Iterator[Broken]:
    istio = built_in("istio")
    shipper = built_in("log-shipper")
    sources = (
        ("small", SMALL, SMALL_VALUES, MESH, NEWEST_RELEASE, 110, 25, 15),
        ("old", SMALL, SMALL_VALUES, "", "1.12", 40, 10, 0),
        ("legacy", LEGACY, "image: x\nenabled: true\n", MESH, "1.7", 60, 10, 10),
        ("istio", istio.config, istio.values, "", NEWEST_RELEASE, 25, 10, 0),
        ("log-shipper", shipper.config, shipper.values, "", NEWEST_RELEASE, 40, 15, 0),
    )
    for name, config, values, mesh, release, configs, more, meshes in sources:
        yield Broken(name, config, values, mesh, release)
        for what, text in mutated(config, configs, f"{name}-config"):
            yield Broken(what, text, values, mesh, release)
        for what, text in mutated(values, more, f"{name}-values"):
            yield Broken(what, config, text, mesh, release)
        for what, text in mutated(mesh, meshes, f"{name}-mesh"):
            yield Broken(what, config, values, text, release)


CORPUS: Final = tuple(_corpus())


def serves(broken: Broken) -> bool:
    """Return whether `serve` starts with a configuration and its trial injects, by `serve`'s own functions."""
    texts = Texts(config=broken.config, values=broken.values, mesh=broken.mesh)
    try:
        reviewer = load_injector(texts, ServiceOptions(release=broken.release))
        try_out(reviewer, None)
    except ConfigError:
        return False
    return any(reviewer.answer(sample.body, sample.path).outcome == "injected" for _, sample in SAMPLES)


@cache
def linted(broken: Broken) -> Report:
    """Return what `lint` says of a configuration."""
    sources = Sources(config=broken.config, values=broken.values, mesh=broken.mesh)
    return lint(sources, Surroundings(release=broken.release))


def test_lint_and_serve_agree_on_every_broken_configuration() -> None:
    assert len(CORPUS) >= 300
    verdicts = {broken.name: (not linted(broken).failed, serves(broken)) for broken in CORPUS}
    assert {name: both for name, both in verdicts.items() if both[0] != both[1]} == {}
    # Neither of the two answers is rare, so that agreement says something.
    counts = Counter(verdict for verdict, _ in verdicts.values())
    assert min(counts[True], counts[False]) > len(CORPUS) // 5, counts


def test_every_error_of_the_corpus_names_a_file() -> None:
    for broken in CORPUS:
        for finding in linted(broken).findings:
            assert finding.place.source in ("config", "values", "mesh"), (broken.name, finding)
