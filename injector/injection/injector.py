"""The library: load an Injector from the texts of a configuration; it answers reviews and injects pods.

What the cluster would tell is passed in by the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from injector.budget import DEFAULT_LIMITS, Budget, ReviewLimits
from injector.errors import BadReview
from injector.injection.caches import CACHE_BYTES
from injector.injection.inject import Answer, answer_review, inject_one
from injector.injection.loading import Sources, Surroundings, load_snapshot
from injector.injection.policy import Decision
from injector.injection.snapshot import Advise, Snapshot, UntrustedValues
from injector.injection.workload import WorkloadOutcome, inject_workload
from injector.istio.mesh.effective import ProxyConfigs
from injector.json_types import JSON, JSONObject, Pod


@dataclass(frozen=True, slots=True)
class Injector:
    """Istio's sidecar injector of one release with one configuration. Frozen: use it from any thread."""

    snapshot: Snapshot

    @classmethod
    def load(  # noqa: PLR0913 - the fixed signature of the library
        cls,
        config: str,
        values: str = "{}",
        mesh: str = "",
        *,
        release: str | None = None,
        revision: str = "default",
        env: Mapping[str, str] | None = None,
        nodes: Mapping[str, str] | None = None,
        namespaces: Mapping[str, JSONObject] | None = None,
        proxy_configs: Iterable[JSONObject] = (),
        untrusted_values: UntrustedValues = "scalar",
        cache_bytes: int = CACHE_BYTES,
        default_values: str = "",
        files: tuple[str, str, str] = ("config", "values", "mesh"),
        limits: ReviewLimits = DEFAULT_LIMITS,
    ) -> Injector:
        """Load the texts of the keys config, values and mesh of Istio's ConfigMaps.

        ``release`` is Istio's, "1.0" to "1.32"; without it the release is inferred from the configuration,
        and ``release_reason`` says how. ``env`` is istiod's environment: it switches features, and the
        template function ``env`` reads it. ``nodes`` maps a node's name to its kubelet's version (None:
        nothing is known of the cluster), ``namespaces`` a namespace's name to its object. ``cache_bytes``
        limits all caches together; caches change no answer. ``limits`` is what one review may use. ``values``
        are laid over ``default_values``, map by map. ``files`` are the texts' names in errors. Raises
        ConfigError.
        """
        sources = Sources(
            config=config,
            values=values,
            mesh=mesh,
            default_values=default_values,
            config_file=files[0],
            values_file=files[1],
            mesh_file=files[2],
        )
        around = Surroundings(
            release=release,
            revision=revision,
            env=env or {},
            nodes=nodes,
            namespaces=namespaces or {},
            proxy_configs=proxy_configs,
            untrusted_values=untrusted_values,
            limits=limits,
            cache_bytes=cache_bytes,
        )
        return cls(load_snapshot(sources, around))

    @property
    def release(self) -> str:
        """The Istio release whose behaviour this injector has, "1.31"."""
        return self.snapshot.behaviour.release

    @property
    def release_reason(self) -> str:
        """How the release was inferred, "told from values.global.tag 1.29.1"; "" where it was chosen."""
        return self.snapshot.release_reason

    @property
    def warnings(self) -> tuple[str, ...]:
        """What of the configuration is not used, one sentence each."""
        ignored = (f"mesh: {path} is not a field in this release" for path in self.snapshot.mesh.ignored)
        return (*self.snapshot.config.warnings, *ignored)

    def with_cluster(
        self,
        *,
        nodes: Mapping[str, str] | None,
        namespaces: Mapping[str, JSONObject],
        proxy_configs: Iterable[JSONObject] = (),
    ) -> Injector:
        """Return the same injector for another state of the cluster; nothing is compiled again."""
        configs = ProxyConfigs(self.snapshot.mesh, proxy_configs, self.snapshot.proxy_configs.memo)
        return Injector(replace(self.snapshot, nodes=nodes, namespaces=namespaces, proxy_configs=configs))

    def advising(self, advise: Advise) -> Injector:
        """Return the same injector with ``advise``, whose lines about a pod are its answer's ``warnings``."""
        return Injector(replace(self.snapshot, advise=advise))

    def review(self, body: bytes, path: str = "/inject") -> bytes:
        """Return the AdmissionReview that answers a POST of ``body`` with HTTP 200.

        ``path`` is the decoded path of the URL. Raises BadReview, which has an HTTP status, where the call
        itself is wrong.
        """
        return self.answer(body, path).body

    def answer(self, body: bytes, path: str = "/inject", *, late: Callable[[], bool] | None = None) -> Answer:
        """Return the answer, with what logs and metrics show of it.

        ``late`` is called on the way; once it returns True, the caller has stopped waiting and DeadlineError
        is raised. Raises BadReview where the call itself is wrong.
        """
        try:
            return answer_review(body, path, self.snapshot, Budget(self.snapshot.limits, late))
        except RecursionError as error:
            raise BadReview(400, "the review is nested too deeply") from error

    def inject_pod(self, pod: Pod, namespace: str = "") -> tuple[Pod, Decision]:
        """Return the pod as the webhook would leave it, and the decision.

        A pod that is not to be injected is returned unchanged. The result shares parts with ``pod`` and with
        other results: copy it before changing it. Raises InjectionError.
        """
        return inject_one(pod, namespace, self.snapshot)

    def inject_workload(
        self, document: JSON, *, namespace: str = "", pod_template_path: str = ""
    ) -> WorkloadOutcome:
        """Inject one document of a manifest as kube-inject of the release does. Raises InjectionError.

        ``namespace`` applies where the document names none; ``pod_template_path`` is the dotted path of the
        pod template in unknown kinds.
        """
        return inject_workload(
            document, self.snapshot, namespace=namespace, pod_template_path=pod_template_path
        )
