"""When a pair that files bring takes the place of the one that serves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from injector.registration.bundle import TrustedSince
from injector.service.companions import Parts
from injector.service.handover import Handover, wait
from tests.service.kit import Running, Start, a_pair


class Bundle:
    """What API servers trust, who is told of it, and what time it is there."""

    def __init__(self, *cas: trustme.CA) -> None:
        self.ahead = timedelta()
        self.handover = Handover(live=lambda: self.pem, settle=0.3, now=self.now)
        self.pem = b""
        self.trust(*cas)

    def trust(self, *cas: trustme.CA) -> None:
        self.pem = b"".join(ca.cert_pem.bytes() for ca in cas)
        self.handover.wake()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def parts(self) -> Parts:
        return Parts(companions=(self.handover,), holds_pair=True, now=self.now)


def chain_of(ca: trustme.CA) -> bytes:
    return a_pair(ca)["tls.crt"]


def serving(service: Running) -> bytes:
    return service.service.mounted.pair.value.chain_pem


async def offered(service: Running, files: dict[str, bytes]) -> None:
    service.pair.swap(files)
    await service.until(lambda: service.service.mounted.offered.value.chain_pem == files["tls.crt"])


async def test_a_leaf_of_a_ca_that_is_trusted_already_serves_at_once(start: Start, ca: trustme.CA) -> None:
    service = await start(parts=Bundle(ca).parts())
    files = a_pair(ca)
    await offered(service, files)
    await service.until(lambda: serving(service) == files["tls.crt"])


async def test_a_leaf_of_a_new_ca_waits_until_the_ca_has_been_live_for_a_while(
    start: Start, ca: trustme.CA
) -> None:
    bundle, new = Bundle(ca), trustme.CA()
    service = await start(parts=bundle.parts())
    old = serving(service)
    files = a_pair(new)
    await offered(service, files)
    await service.until(lambda: service.service.metrics.gauges["certificate_waits"]() == 1)
    page = await service.get("/healthz/ready?verbose")
    assert page.status == 200
    assert b"a new certificate waits until caBundle trusts it" in page.body
    bundle.trust(new, ca)
    assert serving(service) == old
    await service.until(lambda: serving(service) == files["tls.crt"])
    assert service.service.metrics.gauges["certificate_waits"]() == 0
    said = ["the new certificate waits until caBundle trusts it", "the new certificate serves"]
    await service.until(
        lambda: [each["message"] for each in service.lines() if each["message"].startswith("the new")] == said
    )


async def test_an_old_leaf_that_nobody_trusts_is_not_held_on_to(start: Start, ca: trustme.CA) -> None:
    bundle, new = Bundle(), trustme.CA()
    service = await start(parts=bundle.parts())
    files = a_pair(new)
    await offered(service, files)
    await service.until(lambda: serving(service) == files["tls.crt"])


async def test_an_old_leaf_that_is_about_to_expire_goes_whatever_the_bundle_says(
    start: Start, ca: trustme.CA
) -> None:
    service = await start(parts=Bundle(ca).parts())
    expiring = a_pair(ca, not_after=datetime.now(UTC) + timedelta(seconds=50))
    await offered(service, expiring)
    await service.until(lambda: serving(service) == expiring["tls.crt"])
    files = a_pair(trustme.CA())
    await offered(service, files)
    await service.until(lambda: serving(service) == files["tls.crt"])


async def test_a_pair_is_judged_by_the_time_at_the_api_server(start: Start, ca: trustme.CA) -> None:
    """Its clock is forty years before ours: what is valid there serves, and what is not yet there does not."""
    bundle = Bundle(ca)
    service = await start(parts=bundle.parts())
    first = serving(service)
    bundle.ahead = timedelta(days=-40 * 365)
    assert "is not valid before" in str(service.service.readiness.missing()["certificate"])
    then = bundle.now()
    old = a_pair(ca, not_before=then - timedelta(days=1), not_after=then + timedelta(days=1))
    await offered(service, old)
    await service.until(lambda: serving(service) == old["tls.crt"])
    assert "certificate" not in service.service.readiness.missing()
    assert first != old["tls.crt"]


async def test_a_reload_under_a_wrong_clock_is_refused_and_tried_again(start: Start, ca: trustme.CA) -> None:
    bundle = Bundle(ca)
    service = await start(parts=bundle.parts(), recheck_seconds=0.1)
    old = serving(service)
    bundle.ahead = timedelta(days=730)
    files = a_pair(ca, not_after=datetime.now(UTC) + timedelta(days=365))
    service.pair.swap(files)
    await service.until(lambda: "expired" in service.service.mounted.faults().get("certificate", ""))
    assert serving(service) == old
    bundle.ahead = timedelta()
    await service.until(lambda: serving(service) == files["tls.crt"])
    assert not service.service.mounted.faults()


@dataclass(frozen=True)
class Dates:
    """A chain of which only the dates matter: no CA of a bundle signed it."""

    not_before: datetime
    not_after: datetime
    chain_pem: bytes = b""


@pytest.mark.parametrize(
    ("offered", "serving", "left"),
    [
        pytest.param((-1, 30), None, 0, id="nothing serves"),
        pytest.param((1, 30), None, 0, id="nothing better than one from the future"),
        pytest.param((-1, 30), (-30, -1), 0, id="the old one expired"),
        pytest.param((-1, 30), (1, 30), 0, id="the old one is from the future"),
        pytest.param((1, 30), (-1, 30), None, id="the new one is from the future"),
        pytest.param((-30, -1), (-1, 30), None, id="the new one expired"),
        pytest.param((-1, 30), (-1, 30), 0, id="nobody trusts either"),
    ],
)
def test_what_api_servers_refuse_for_its_dates_is_not_waited_behind(
    offered: tuple[int, int], serving: tuple[int, int] | None, left: float | None
) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)

    def dates(days: tuple[int, int]) -> Dates:
        return Dates(*(now + timedelta(days=each) for each in days))

    old = dates(serving) if serving else None
    assert wait(dates(offered), old, TrustedSince(), settle=10, now=now, monotonic=0) == left


async def test_files_that_go_back_end_the_waiting(start: Start, ca: trustme.CA) -> None:
    service = await start(parts=Bundle(ca).parts())
    await offered(service, a_pair(trustme.CA()))
    back = a_pair(ca)
    await offered(service, back)
    await service.until(lambda: serving(service) == back["tls.crt"])


@pytest.mark.parametrize(("later", "wait"), [(0, 10), (4, 6), (10, 0), (99, 0)])
def test_the_wait_counts_from_when_the_ca_was_first_seen(later: float, wait: float, ca: trustme.CA) -> None:
    new = trustme.CA()
    trusted = TrustedSince()
    trusted.see(ca.cert_pem.bytes(), now=0)
    for now in (100, 100 + later):
        trusted.see(ca.cert_pem.bytes() + new.cert_pem.bytes(), now=now)
    assert trusted.wait(chain_of(new), chain_of(ca), settle=10, now=100 + later) == wait


def test_a_ca_that_left_the_bundle_begins_anew(ca: trustme.CA) -> None:
    new = trustme.CA()
    both = ca.cert_pem.bytes() + new.cert_pem.bytes()
    trusted = TrustedSince()
    trusted.see(both, now=0)
    trusted.see(ca.cert_pem.bytes(), now=5)
    assert trusted.wait(chain_of(new), chain_of(ca), settle=10, now=5) is None
    trusted.see(both, now=6)
    assert trusted.wait(chain_of(new), chain_of(ca), settle=10, now=11) == 5
