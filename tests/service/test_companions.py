"""What runs beside the reviews, and what it may do to them: nothing."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trustme

from injector.errors import ConfigError
from injector.service import companions
from injector.service.companions import CompanionSurroundings, Parts
from injector.service.tls import load_pair
from tests.service.kit import NAME, Start, a_pair, a_review


class Told:
    """A companion that does what it is told."""

    name = "told"

    def __init__(self, work: Callable[[CompanionSurroundings], Awaitable[None]]) -> None:
        self.work = work
        self.runs = 0
        self.surroundings: CompanionSurroundings | None = None

    async def run(self, surroundings: CompanionSurroundings) -> None:
        self.runs += 1
        self.surroundings = surroundings
        await self.work(surroundings)


async def test_a_companion_that_crashes_is_started_again(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(companions, "COMPANION_SECONDS", 0.01)

    async def crash(_: CompanionSurroundings) -> None:
        raise RuntimeError("a secret")

    companion = Told(crash)
    service = await start(parts=Parts(companions=[companion]))
    await service.until(lambda: companion.runs > 3)
    assert (await service.post(a_review())).status == 200
    await service.until(lambda: any("companion crashed" in line["message"] for line in service.lines()))
    assert "a secret" not in service.log.read_text()


async def test_a_companion_that_is_done_is_left_alone(start: Start) -> None:
    async def nothing(_: CompanionSurroundings) -> None:
        """Be done."""

    companion = Told(nothing)
    service = await start(parts=Parts(companions=[companion]))
    await service.post(a_review())
    assert companion.runs == 1


async def test_a_condition_of_a_companion_is_asked_for_readiness(start: Start) -> None:
    fault = ["the live caBundle does not verify our certificate"]
    asked = asyncio.Event()

    def condition() -> str | None:
        asked.set()
        return fault[0] if fault else None

    async def require(surroundings: CompanionSurroundings) -> None:
        surroundings.readiness.require("ca-bundle", condition)
        await asyncio.Event().wait()

    starting = asyncio.create_task(start(parts=Parts(companions=[Told(require)])))
    await asked.wait()
    assert not starting.done()
    fault.clear()
    service = await starting
    answer = await service.get("/healthz/ready?verbose")
    assert answer.status == 200
    assert "[+]ca-bundle ok\n" in answer.body.decode()


async def test_a_companion_may_bring_the_key_pair(start: Start, ca: trustme.CA) -> None:
    async def bring(surroundings: CompanionSurroundings) -> None:
        files = a_pair(ca)
        surroundings.pair.set(load_pair(files["tls.crt"], files["tls.key"], names=(NAME,)))
        await asyncio.Event().wait()

    parts = Parts(companions=[Told(bring)], brings_pair=True)
    service = await start(parts=parts, tls_certificate=None, tls_key=None)
    assert (await service.post(a_review())).status == 200


async def test_without_a_certificate_and_without_one_who_brings_it_nothing_starts(start: Start) -> None:
    with pytest.raises(ConfigError, match=r"are needed \(--tls-cert-file, --tls-key-file"):
        await start(tls_certificate=None, tls_key=None)


async def test_the_ca_file_is_kept_live(start: Start, ca: trustme.CA, tmp_path: Path) -> None:
    seen: list[bytes | None] = []

    async def follow(surroundings: CompanionSurroundings) -> None:
        async for pem in surroundings.ca.updates():
            seen.append(pem)  # noqa: PERF401 - one by one, as they come

    path = tmp_path / "ca.crt"
    path.write_bytes(ca.cert_pem.bytes())
    service = await start(parts=Parts(companions=[Told(follow)]), ca_certificate=path, recheck_seconds=0.1)
    path.write_bytes(b"nothing")
    await service.until(lambda: "ca" in service.service.mounted.faults())
    other = trustme.CA().cert_pem.bytes()
    path.write_bytes(other)
    await service.until(lambda: seen[-1] == other)
    assert seen == [ca.cert_pem.bytes(), other]


async def test_a_ca_file_that_cannot_be_registered_is_refused_at_start(
    start: Start, ca: trustme.CA, tmp_path: Path
) -> None:
    path = tmp_path / "ca.crt"
    der = ssl.PEM_cert_to_DER_cert(ca.cert_pem.bytes().decode())
    path.write_text(ssl.DER_cert_to_PEM_cert(der.replace(b"trustme", b"\xff" * 7)))
    with pytest.raises(ConfigError, match=r"ca\.crt: the CA bundle holds no certificate, or one that cannot"):
        await start(ca_certificate=path)
