"""The adapter between service and injector: load a reviewer from the mounted texts.

The only module of the service that knows how an injector is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from operator import is_
from typing import Any

from injector.diagnosis.advice import advise_pod, answer_advice
from injector.diagnosis.gates import PodSurroundings
from injector.diagnosis.items import Item
from injector.diagnosis.registration import Ours
from injector.diagnosis.rules_config import unknown_policy
from injector.errors import ConfigError
from injector.injection.inject import Answer
from injector.injection.injector import Injector
from injector.json_types import JSONObject
from injector.memo import PROCESS_WIDE, Memo
from injector.service.generation import ClusterView, Late, Texts
from injector.service.options import ServiceOptions


class InjectorReviewer:
    """One loaded injector, kept up to date with the cluster."""

    __slots__ = ("_cluster", "_injector", "_known", "_warns")

    def __init__(self, injector: Injector, cluster: ClusterView | None, *, warns: bool = True) -> None:
        self._injector = injector.advising(advise_pod) if warns else injector
        self._cluster = cluster
        self._warns = warns
        self._known: list[JSONObject] = []
        self.refresh()

    def answer(self, body: bytes, path: str, late: Late | None = None) -> Answer:
        """Answer one AdmissionReview; raises BadReview, and DeadlineError once ``late`` returns True."""
        return self._injector.answer(body, path, late=late)

    def advise(self, body: bytes) -> bytes:
        """Answer the AdmissionReview of a workload; raises BadReview."""
        return answer_advice(body, self._surroundings(), warns=self._warns)

    def _surroundings(self) -> PodSurroundings:
        snapshot, cluster = self._injector.snapshot, self._cluster
        if cluster is None or (registration := cluster.registration) is None:
            return PodSurroundings(snapshot=snapshot)
        return PodSurroundings(
            snapshot=snapshot,
            registration=[Item(value=registration.configuration, source="MutatingWebhookConfiguration")],
            namespaces=_Namespaces(cluster.namespaces),
            ours=Ours(name=registration.webhook),
        )

    def refresh(self) -> None:
        """Take over changed ProxyConfig resources, and the nodes once they are known.

        Namespaces and nodes themselves are read at each review. A watch replaces a changed object by another
        one, so comparing identities is enough.
        """
        cluster = self._cluster
        if cluster is None:
            return
        now = [*cluster.proxy_configs.values()]
        are_the_same = len(now) == len(self._known) and all(map(is_, now, self._known))
        if are_the_same and (cluster.nodes is None) is (self._injector.snapshot.nodes is None):
            return
        self._known = now
        self._injector = self._around(cluster, _readable(now, partial(self._around, cluster)))

    def _around(self, cluster: ClusterView, proxy_configs: Iterable[JSONObject]) -> Injector:
        """Return the injector with these resources; ConfigError where one is unreadable."""
        return self._injector.with_cluster(
            nodes=cluster.nodes, namespaces=cluster.namespaces, proxy_configs=proxy_configs
        )

    def description(self) -> dict[str, str]:
        """Return the release whose behaviour serves, and how it was inferred if no option set it."""
        reason = self._injector.release_reason
        told = {"release_reason": f"{reason}; --release wins"} if reason else {}
        return {"release": self._injector.release, **told}

    def warnings(self) -> tuple[str, ...]:
        """Return what of the configuration is not used."""
        return self._injector.warnings

    def counts(self) -> Mapping[str, int]:
        """Return the counters of the caches, and the size of each."""
        snapshot = self._injector.snapshot
        skeletons, replicas = snapshot.skeletons, snapshot.replicas
        counts = {
            "replica_hits": replicas.hits,
            "replica_misses": replicas.misses,
            "skeleton_hits": skeletons.hits,
            "skeleton_misses": skeletons.misses,
            "skeleton_unsafe": skeletons.unsafe,
        }
        for name, memos in self._memos().items():
            counts[f"{name}_cache_bytes"] = sum(memo.size for memo in memos)
            counts[f"{name}_cache_entries"] = sum(map(len, memos))
            counts[f"{name}_cache_evictions"] = sum(memo.evictions for memo in memos)
        return counts

    def _memos(self) -> dict[str, Collection[Memo[Any, Any]]]:
        """Return the caches, by the names of `metrics.CACHES`."""
        snapshot = self._injector.snapshot
        return {
            "skeletons": (snapshot.skeletons.skeletons,),
            "replicas": (snapshot.replicas.answers,),
            "proxy_configs": (snapshot.proxy_configs.memo,) if snapshot.proxy_configs else (),
            "texts": PROCESS_WIDE.values(),
        }


class _Namespaces(Mapping[str, Item]):
    """The cluster's Namespaces in the form that the gates want, made on demand: there may be thousands."""

    def __init__(self, namespaces: Mapping[str, JSONObject]) -> None:
        self._namespaces = namespaces

    def __getitem__(self, name: str) -> Item:
        return Item(value=self._namespaces[name], source=f"Namespace {name}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._namespaces)

    def __len__(self) -> int:
        return len(self._namespaces)


def _readable(
    resources: Iterable[JSONObject], read: Callable[[Iterable[JSONObject]], object]
) -> Iterator[JSONObject]:
    """Yield the readable resources: one tenant's unreadable resource must not keep the others out."""
    for resource in resources:
        try:
            read([resource])
        except ConfigError:
            continue
        yield resource


def load_injector(texts: Texts, options: ServiceOptions) -> InjectorReviewer:
    """Compile the texts; ConfigError names file, line, path and reason.

    A policy that is neither of Istio's two words is refused here: Istio accepts it, and injects nothing.
    """
    cluster = texts.cluster
    injector = Injector.load(
        texts.config,
        texts.values,
        texts.mesh,
        release=options.release or texts.release,
        revision=options.revision,
        env=options.environment,
        nodes=cluster.nodes if cluster else None,
        namespaces=cluster.namespaces if cluster else None,
        untrusted_values=options.untrusted_values,
        limits=options.review_limits,
        cache_bytes=options.cache_bytes,
        default_values=texts.default_values,
        files=texts.files,
    )
    if fault := unknown_policy(injector.snapshot.config, texts.config, texts.files[0]):
        raise fault
    return InjectorReviewer(injector, cluster, warns=options.warnings)
