"""The parts of one generation of configuration, and the protocol of what answers from it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from injector.injection.inject import Answer
from injector.injection.loading import unwrap
from injector.istio.releases import NEWEST_RELEASE
from injector.json_types import JSONObject
from injector.service.files import FileSet
from injector.service.options import ServiceOptions
from injector.service.trial import Trial
from injector.templates import built_in

Late = Callable[[], bool]
"""Returns whether the caller has stopped waiting."""


class Reviewer(Protocol):
    """Answers reviews from one snapshot of configuration."""

    def answer(self, body: bytes, path: str, late: Late | None = None) -> Answer:
        """Answer one AdmissionReview; never waits.

        Raises BadReview where the call itself is wrong, DeadlineError once ``late`` returns True.
        """

    def advise(self, body: bytes) -> bytes:
        """Answer the AdmissionReview of a workload: allowed, with `warnings` about what becomes of its pods.

        Raises BadReview where the call itself is wrong. It takes milliseconds, and any thread may call it.
        """

    def refresh(self) -> None:
        """Take over what the cluster has told meanwhile; called once a second."""

    def description(self) -> dict[str, str]:
        """Return what an operator reads once: the release, the templates."""

    def warnings(self) -> tuple[str, ...]:
        """Return what of the configuration is not used, one sentence each."""

    def counts(self) -> Mapping[str, int]:
        """Return the reviewer's own counters: name of a metric → count since it was made."""


class Registration(NamedTuple):
    """A MutatingWebhookConfiguration, and the names of our entries in it (``*.`` matches a family)."""

    webhook: str
    configuration: JSONObject


class ClusterView(Protocol):
    """The cluster's state for reviews, kept in memory; the mappings are read anew at each review."""

    @property
    def namespaces(self) -> Mapping[str, JSONObject]:
        """Return the Namespace objects by name."""

    @property
    def nodes(self) -> Mapping[str, str] | None:
        """Return the kubelet versions by a node's name; None until the cluster has told them."""

    @property
    def proxy_configs(self) -> Mapping[str, JSONObject]:
        """Return the ProxyConfig resources by ``namespace/name``."""

    @property
    def registration(self) -> Registration | None:
        """Return our registration as the API server has it; None where it is not known."""


HASH_SHOWN: Final = 12
"""Hexadecimal digits of a configuration's hash: 48 bits, as of a commit's in a log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """The sources of one generation: the three files, and the cluster's state."""

    config: str
    values: str
    mesh: str
    default_values: str = ""
    """What ``values`` are laid over: the built-in configuration's values, where that is used."""
    cluster: ClusterView | None = None
    files: tuple[str, str, str] = ("config", "values", "mesh")
    """The names of the three in errors."""
    release: str | None = None
    """The release of the texts where it is known without reading them: for the built-in ones, the newest."""

    @property
    def hash(self) -> str:
        """The name of the configuration: what ``cat config values mesh | sha256sum | cut -c1-12`` prints.

        Of a file that is the whole ConfigMap, the key's text counts, after as many line ends as there are in
        the file before it. The hash depends on the texts only, so that all replicas give the same
        configuration the same name.
        """
        texts = self.config + self.values + self.mesh
        return hashlib.sha256(texts.encode(errors="surrogatepass")).hexdigest()[:HASH_SHOWN]


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One whole configuration: every review is answered from exactly one.

    ``hash`` is `Texts.hash`, ``trial`` the result of trying it on pods. ``injecting`` is the last reviewer
    that injected sample pods, usually this one; the next configuration is compared with it. While it is an
    older one, this reviewer's caches are empty, so that the two take no more memory than one.
    """

    number: int
    hash: str
    reviewer: Reviewer
    trial: Trial
    injecting: Reviewer | None


Load = Callable[[Texts, ServiceOptions], Reviewer]
"""Compiles and checks texts into a reviewer; ConfigError when they cannot be used."""


def texts_of(files: FileSet, options: ServiceOptions, cluster: ClusterView | None) -> Texts:
    """Return the texts that the options name; without a configuration file those of the built-in template.

    ConfigError where that is too new for the release, or a ConfigMap lacks its key.
    """
    config, release, defaults = files.text(options.inject_config), None, ""
    values = files.text(options.inject_values)
    if config is None:
        template = built_in()
        template.check_release(options.release)
        config, defaults, release = template.config, template.values, NEWEST_RELEASE
        values = values or defaults
    names = (
        str(options.inject_config or "the built-in config"),
        str(options.inject_values or "the built-in values"),
        str(options.mesh_config or "the default mesh"),
    )
    texts = unwrap(config, values, files.text(options.mesh_config), names)
    return Texts(**texts._asdict(), default_values=defaults, release=release, cluster=cluster)
