"""The injector behind what the service asks: mounted texts in, a reviewer out.

The only module of the service that knows how an injector is loaded.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from injector.injection.inject import Answer
from injector.injection.injector import Injector
from injector.memo import PROCESS_WIDE, Memo
from injector.service.generation import Texts
from injector.service.options import ServiceOptions


class InjectorReviewer:
    """One loaded injector, and what the cluster tells it meanwhile."""

    __slots__ = ("_injector", "_known", "_texts")

    def __init__(self, injector: Injector, texts: Texts) -> None:
        self._injector = injector
        self._texts = texts
        self._known = [*texts.proxy_configs.values()]

    def answer(self, body: bytes, path: str) -> Answer:
        """Answer one AdmissionReview; raises BadReview."""
        return self._injector.answer(body, path)

    def refresh(self) -> None:
        """Take over ProxyConfig resources that changed; namespaces and nodes are read at each review anyway.

        A watch replaces an object that changed, so that identity tells.
        """
        now = [*self._texts.proxy_configs.values()]
        if len(now) != len(self._known) or any(a is not b for a, b in zip(now, self._known, strict=True)):
            self._known = now
            self._injector = self._injector.with_cluster(
                nodes=self._texts.nodes, namespaces=self._texts.namespaces, proxy_configs=now
            )

    def description(self) -> dict[str, str]:
        """Return the release whose behaviour serves."""
        return {"release": self._injector.release}

    def warnings(self) -> tuple[str, ...]:
        """Return what of the configuration is not used."""
        return self._injector.warnings

    def counts(self) -> Mapping[str, int]:
        """Return the counters of the caches, and what each takes."""
        snapshot = self._injector.snapshot
        skeletons, replicas = snapshot.skeletons, snapshot.replicas
        return {
            "replica_hits": replicas.hits,
            "replica_misses": replicas.misses,
            "skeleton_hits": skeletons.hits,
            "skeleton_misses": skeletons.misses,
            "skeleton_unsafe": skeletons.unsafe,
            **dict(self._usage()),
        }

    def _usage(self) -> Iterator[tuple[str, int]]:
        for name, memos in self._memos().items():
            yield f"{name}_cache_bytes", sum(memo.size for memo in memos)
            yield f"{name}_cache_entries", sum(map(len, memos))
            yield f"{name}_cache_evictions", sum(memo.evictions for memo in memos)

    def _memos(self) -> dict[str, Collection[Memo[Any, Any]]]:
        """Return what is kept, by the names of `metrics.CACHES`."""
        snapshot = self._injector.snapshot
        return {
            "skeletons": (snapshot.skeletons.skeletons,),
            "fills": (snapshot.skeletons.fills,),
            "replicas": (snapshot.replicas.answers,),
            "proxy_configs": (snapshot.proxy_configs.memo,) if snapshot.proxy_configs else (),
            "texts": PROCESS_WIDE.values(),
        }


def load_injector(texts: Texts, options: ServiceOptions) -> InjectorReviewer:
    """Compile the texts; ConfigError names file, line, path and reason."""
    injector = Injector.load(
        texts.config,
        texts.values,
        texts.mesh,
        release=options.release,
        revision=options.revision,
        env=options.environment,
        nodes=texts.nodes,
        namespaces=texts.namespaces,
        proxy_configs=texts.proxy_configs.values(),
        untrusted_values=options.untrusted_values,
        cache_bytes=options.cache_bytes,
        files=texts.files,
    )
    return InjectorReviewer(injector, texts)
