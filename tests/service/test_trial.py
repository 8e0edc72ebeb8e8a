"""A new configuration, tried out before it serves."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from injector.diagnosis.trial import SAMPLES, Seen
from injector.errors import ConfigError
from injector.injection.inject import Answer
from injector.injection.injector import Injector
from injector.istio.releases import RELEASES, behaviour_of
from injector.service.trial import NAMESPACES, PODS_OF_ONE, LastPods, Loss, Trial, try_out
from injector.templates import built_in
from tests.service.kit import FakeReviewer, a_review


class Picky(FakeReviewer):
    """Denies, quoting it, a pod that has a word in it; ``crash`` and ``misplace`` are what else it may do."""

    def __init__(self, word: bytes, does: str = "denies") -> None:
        super().__init__("picky")
        self.word = word
        self.does = does

    def answer(self, body: bytes, path: str, *_: object) -> Answer:
        if self.word not in body:
            return super().answer(body, path)
        if self.does == "crashes":
            raise RuntimeError(body)
        return FakeReviewer(self.does).answer(body, path)


def seen(namespace: str, **annotations: str) -> Seen:
    return Seen(a_review(namespace=namespace, **annotations), "/inject", namespace)


OLD = FakeReviewer("old")


def test_a_configuration_that_denies_every_sample_does_not_start() -> None:
    with pytest.raises(ConfigError, match="the sample pod with one container is denied: denied as asked"):
        try_out(FakeReviewer("denies"), None)


@pytest.mark.parametrize("name", [name for name, _ in SAMPLES])
def test_a_sample_that_is_injected_today_must_be_injected_tomorrow(name: str) -> None:
    review = dict(SAMPLES)[name]

    class DeniesOne(FakeReviewer):
        def answer(self, body: bytes, path: str, *_: object) -> Answer:
            return FakeReviewer("denies" if body == review.body else "new").answer(body, path)

    with pytest.raises(ConfigError, match=f"{name} is denied: denied as asked"):
        try_out(DeniesOne("new"), OLD)
    assert try_out(DeniesOne("new"), DeniesOne("old")) == Trial()
    assert try_out(DeniesOne("new"), None) == Trial()


class Skips(FakeReviewer):
    """Injects no pod that has ``word`` in it."""

    def __init__(self, word: bytes = b"") -> None:
        super().__init__("skips")
        self.word = word

    def answer(self, body: bytes, path: str, *_: object) -> Answer:
        answered = super().answer(body, path)
        skipped = msgspec.structs.replace(
            answered, outcome="skipped", reason="policy", message="the policy says so"
        )
        return skipped if self.word in body else answered


EMPTY = "none of the sample pods is injected: the policy says so"


def test_a_configuration_that_injects_nothing_starts_and_says_so() -> None:
    assert try_out(Skips(), None) == Trial(empty=EMPTY)


def test_a_change_after_which_nothing_is_injected_is_refused_unless_allowed() -> None:
    with pytest.raises(ConfigError) as caught:
        try_out(Skips(), OLD)
    assert str(caught.value) == f"{EMPTY}; with --allow-empty-injection it would serve"
    assert try_out(Skips(), OLD, allow_empty=True) == Trial(empty=EMPTY)


def test_a_change_that_denies_pods_is_refused_though_empty_ones_are_allowed() -> None:
    with pytest.raises(ConfigError, match="the sample pod with one container is denied"):
        try_out(FakeReviewer("denies"), OLD, allow_empty=True)


def test_pods_that_are_skipped_from_now_on_warn_however_many_their_namespaces() -> None:
    pods = [seen("shop", custom="x"), seen("bank", custom="x")]
    lost = [Loss(name, "policy", "the policy says so", denied=False) for name in ("shop", "bank")]
    assert try_out(Skips(b"custom"), OLD, pods) == Trial(losses=tuple(lost))


def outcomes(injector: Injector) -> dict[str, str]:
    return {name: injector.answer(review.body, review.path).outcome for name, review in SAMPLES}


ALL_BUT_ONE = {name: "injected" for name, _ in SAMPLES} | {"the sample pod in the host's network": "skipped"}


def test_the_built_in_template_injects_every_sample_but_that_in_the_network_of_its_host() -> None:
    template = built_in()
    assert outcomes(Injector.load(template.config, template.values)) == ALL_BUT_ONE


@pytest.mark.parametrize("release", RELEASES)
def test_every_release_reads_the_samples(release: str) -> None:
    legacy = "policy: enabled\ntemplate: |\n  containers:\n  - name: istio-proxy\n    image: proxy\n"
    overlay = """\
policy: enabled
templates:
  sidecar: |
    spec:
      containers:
      - name: istio-proxy
        image: proxy
"""
    config = legacy if behaviour_of(release).minor < 9 else overlay
    assert outcomes(Injector.load(config, release=release)) == ALL_BUT_ONE


@pytest.mark.parametrize("does", ["denies", "misplaces", "crashes"])
def test_the_pods_of_one_namespace_warn_and_do_not_refuse(does: str) -> None:
    pods = [seen("shop", custom="template"), seen("shop", custom="template, again")]
    losses = try_out(Picky(b"custom", does), OLD, pods).losses
    assert [loss.namespace for loss in losses] == ["shop", "shop"]
    assert {loss.rule for loss in losses} == {
        {"denies": "fake", "misplaces": "patch", "crashes": "crash"}[does]
    }


def test_all_pods_of_several_namespaces_refuse_without_a_word_of_theirs() -> None:
    pods = [seen("shop", custom="secret"), seen("bank", custom="secret")]
    with pytest.raises(ConfigError) as caught:
        try_out(Picky(b"custom"), OLD, pods)
    assert str(caught.value) == (
        "all 2 pods seen lately, of 2 namespaces, are injected today and would be denied (fake)"
    )
    assert caught.value.detail == "denied as asked"


def test_one_pod_that_is_injected_still_is_enough() -> None:
    pods = [seen("shop", custom="x"), seen("bank", custom="x"), seen("bank")]
    assert len(try_out(Picky(b"custom"), OLD, pods).losses) == 2


def test_pods_that_are_not_injected_today_do_not_count() -> None:
    pods = [seen("shop", custom="x"), seen("bank", deny="x"), seen("mint", crash="x"), seen("fair", skip="x")]
    assert [loss.namespace for loss in try_out(Picky(b"custom"), OLD, pods).losses] == ["shop"]
    assert try_out(Picky(b"custom"), Picky(b"custom", "crashes"), pods[:1]) == Trial()
    assert try_out(Picky(b"custom"), None, pods) == Trial()


def test_a_loss_quotes_no_more_than_a_line_of_the_log_holds() -> None:
    class Talkative(FakeReviewer):
        def answer(self, body: bytes, path: str, *_: object) -> Answer:
            denied = FakeReviewer("denies").answer(body, path)
            long = Answer(body=denied.body, outcome="denied", reason="injection", message="x" * 100_000)
            return long if b"custom" in body else OLD.answer(body, path)

    ((loss,), _) = try_out(Talkative("new"), OLD, [seen("shop", custom="x")])
    assert loss == Loss("shop", "injection", "x" * 1024 + "…")


# --- what is remembered


@pytest.fixture
def tick(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    clock = [100.0]
    monkeypatch.setattr("injector.service.trial.time.monotonic", lambda: clock[0])

    def tick() -> None:
        clock[0] += 2

    return tick


def test_few_pods_of_one_namespace_are_remembered_and_large_ones_not(tick: Callable[[], None]) -> None:
    last = LastPods()
    for number in range(100):
        last.see(b"%d" % number, "/inject", "shop")
        last.see(b"at once", "/inject", "shop")
        tick()
    last.see(b"x" * 100_000, "/inject", "shop")
    assert last.reviews() == tuple(Seen(b"%d" % n, "/inject", "shop") for n in range(100 - PODS_OF_ONE, 100))


def test_a_namespace_that_deploys_all_day_leaves_room_for_the_others(tick: Callable[[], None]) -> None:
    last = LastPods()
    for number in range(NAMESPACES - 1):
        last.see(b"other", "/inject", f"other-{number}")
    for _ in range(100):
        last.see(b"busy", "/inject", "busy")
        tick()
    assert {review.namespace for review in last.reviews()} == {
        "busy",
        *(f"other-{number}" for number in range(NAMESPACES - 1)),
    }


def test_the_namespace_seen_longest_ago_makes_room(tick: Callable[[], None]) -> None:
    last = LastPods()
    for number in range(NAMESPACES):
        last.see(b"pod", "/inject", str(number))
    tick()
    last.see(b"pod", "/inject", "0")
    last.see(b"pod", "/inject", "new")
    namespaces = list(dict.fromkeys(review.namespace for review in last.reviews()))
    assert namespaces == [*map(str, range(2, NAMESPACES)), "0", "new"]
