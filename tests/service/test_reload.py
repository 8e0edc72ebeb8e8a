"""Changes of mounted files, as a running service takes them."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest
import trustme

from injector.errors import ConfigError
from injector.injection.inject import Answer
from injector.service.companions import Parts
from injector.service.files import FileSet
from injector.service.generation import Texts
from injector.service.logs import Log
from injector.service.metrics import Metrics
from injector.service.options import ServiceOptions
from injector.service.reload import Live, ReloadUnit
from tests.service.kit import NAME, FakeReviewer, RecordedEvents, Running, Start, a_pair, a_review


async def config_of(service: Running) -> str:
    return str((await service.post(a_review())).patched["config"])


async def serves(service: Running, text: str) -> None:
    """Wait until a configuration serves."""
    await service.until(lambda: service.service.mounted.generation.value.reviewer.config == text)


def rejections(service: Running, unit: str) -> list[str]:
    lines = [line for line in service.lines() if line["message"].startswith("new files are rejected")]
    return [line["reason"] for line in lines if line["unit"] == unit]


async def test_an_edited_configuration_serves_the_next_pod(start: Start) -> None:
    service = await start()
    service.config.swap({"config": "second", "values": "{}"})
    await serves(service, "second")
    assert await config_of(service) == "second"
    state = service.service.metrics.reload("configuration")
    assert (state.succeeded, state.failed, state.healthy) == (2, 0, True)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("broken", "it is broken"),
        ("denies", "/config: the sample pod with one container is denied: denied as asked"),
        ("misplaces", "/config: the patch for the sample pod with one container does not apply"),
        ("crashes", "internal error: RuntimeError"),
    ],
)
async def test_a_bad_configuration_leaves_the_last_good_one(start: Start, text: str, reason: str) -> None:
    events = RecordedEvents()
    service = await start(parts=Parts(warn=events.warn))
    service.config.swap({"config": text, "values": "{}"})
    state = service.service.metrics.reload("configuration")
    await service.until(lambda: state.failed == 1)
    assert await config_of(service) == "first"
    assert not state.healthy
    ready = await service.get("/healthz/ready?verbose")
    assert ready.status == 200
    assert f"[~]{events.rejected[0]}" in ready.body.decode()
    assert reason in events.rejected[0]

    service.config.swap({"config": "third", "values": "{}"})
    await serves(service, "third")
    assert state.healthy
    assert "[~]" not in (await service.get("/healthz/ready?verbose")).body.decode()


async def test_one_bad_content_is_said_and_counted_once(start: Start) -> None:
    service = await start(recheck_seconds=0.05)
    service.config.swap({"config": "broken", "values": "{}"})
    state = service.service.metrics.reload("configuration")
    await service.until(lambda: state.failed == 1)
    service.config.swap({"config": "broken", "values": "{}"})
    service.pair.swap(a_pair(service.ca))
    await service.until(lambda: service.service.metrics.reload("certificate").succeeded == 2)
    service.config.swap({"config": "broken otherwise", "values": "{}"})
    await service.until(lambda: state.failed == 2)
    await service.until(lambda: len(rejections(service, "configuration")) == 2)


async def test_going_back_to_what_serves_heals(start: Start) -> None:
    service = await start()
    service.config.swap({"config": "broken", "values": "{}"})
    state = service.service.metrics.reload("configuration")
    await service.until(lambda: not state.healthy)
    service.config.swap({"config": "first", "values": "{}"})
    await service.until(lambda: state.healthy)
    assert (state.succeeded, state.failed) == (1, 1)


class Removes(FakeReviewer):
    """Knows no template ``custom`` from the second configuration on, and says who asked for it."""

    def answer(self, body: bytes, path: str, *more: Any) -> Answer:
        if b"custom" not in body or self.config == "first":
            return super().answer(body, path, *more)
        denied = FakeReviewer("denies").answer(body, path)
        quoted = f"a template of {orjson.loads(body)['request']['object']['metadata']['annotations']}"
        return msgspec.structs.replace(denied, reason="injection", message=quoted)


def load_removing(texts: Texts, _options: ServiceOptions) -> Removes:
    return Removes(texts.config, texts.values)


async def test_a_pod_of_one_tenant_warns_and_does_not_keep_a_configuration_out(start: Start) -> None:
    events = RecordedEvents()
    service = await start(load=load_removing, parts=Parts(warn=events.warn))
    await service.post(a_review(custom="of a tenant"))
    service.config.swap({"config": "second", "values": "{}"})
    await serves(service, "second")
    sentence = "pods like 1 seen lately are denied from now on (injection), in shop"
    assert (events.rejected, events.warned) == ([], [f"ConfigurationDeniesPods: {sentence}"])
    await service.until(lambda: any(line.get("pods") == 1 for line in service.lines()))
    (line,) = [line for line in service.lines() if "pods" in line]
    assert (line["level"], line["namespaces"], line["rules"]) == ("warning", ["shop"], "injection")
    assert "of a tenant" in line["detail"]
    assert b"sidecar_injector_reload_losses_total 1.0" in (await service.get("/metrics")).body
    assert (await service.get("/healthz/ready?verbose")).status == 200


async def test_pods_of_several_tenants_keep_a_configuration_out_until_they_are_gone(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("injector.service.mounted.RETRY_SECONDS", 0.05)
    events = RecordedEvents()
    service = await start(load=load_removing, parts=Parts(warn=events.warn), recheck_seconds=0.05)
    for namespace in ("shop", "bank"):
        await service.post(a_review(namespace=namespace, custom="of a tenant"))
    service.config.swap({"config": "second", "values": "{}"})
    state = service.service.metrics.reload("configuration")
    await service.until(lambda: state.failed == 1)
    await service.until(lambda: bool(rejections(service, "configuration")))
    (line,) = [line for line in service.lines() if line["message"].startswith("new files are rejected")]
    assert "of a tenant" in line["detail"]
    for page in (await service.get("/healthz/ready?verbose"), await over_tls(service)):
        assert "/config: all 2 pods seen lately, of 2 namespaces" in page.body.decode()
        assert b"of a tenant" not in page.body
    assert "of a tenant" not in "".join(events.rejected)
    # A pod that the new configuration injects, and its next try of itself takes it.
    await service.post(a_review(namespace="mint"))
    await serves(service, "second")
    assert (state.failed, state.healthy, len(events.rejected)) == (1, True, 1)


async def over_tls(service: Running) -> Any:
    client = await service.connect()
    return await client.request("GET", "/healthz/ready?verbose")


# --- files that are no files, and mounts that hang


async def test_a_fifo_in_the_place_of_a_file_is_refused_and_nobody_waits(start: Start) -> None:
    service = await start()
    mounted = (service.config.folder / "..data").resolve() / "config"
    mounted.unlink()
    os.mkfifo(mounted)
    await service.until(lambda: "configuration" in service.service.mounted.faults())
    fault = service.service.mounted.faults()["configuration"]
    assert fault == f"{service.config.folder}/config: is a FIFO; only regular files are read"
    assert await config_of(service) == "first"
    service.config.swap({"config": "second", "values": "{}"})
    await serves(service, "second")


async def test_a_fifo_in_the_place_of_a_file_does_not_start(start: Start, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "config")
    with pytest.raises(ConfigError) as caught:
        await start(inject_config=tmp_path / "config")
    assert str(caught.value) == f"{tmp_path}/config: is a FIFO; only regular files are read"


class Hang:
    """Makes whatever is opened in a folder hang, as a mount does whose server is gone."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.over = threading.Event()
        opening = os.open

        def hang(path: Any, *more: Any, **options: Any) -> int:
            if str(path).startswith(str(folder)):
                self.over.wait()
            return opening(path, *more, **options)

        monkeypatch.setattr(os, "open", hang)
        monkeypatch.setattr("injector.service.files.PATIENCE_SECONDS", 0.3)


async def test_a_mount_that_hangs_holds_up_neither_reviews_nor_probes_nor_the_other_mounts(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = await start(recheck_seconds=0.05)
    hang = Hang(service.config.folder, monkeypatch)
    mounted = service.service.mounted
    await service.until(lambda: "configuration" in mounted.faults())
    folder = service.config.folder
    assert mounted.faults()["configuration"] == (
        f"{folder}: not read within 0.3 s: the file system does not answer"
    )
    assert await config_of(service) == "first"
    assert (await service.get("/healthz/live")).status == 200
    assert (await service.get("/healthz/ready")).status == 200
    for number in range(2, 5):
        service.pair.swap(a_pair(service.ca))
        await service.until(lambda: service.service.metrics.reload("certificate").succeeded == number)  # noqa: B023
    assert sum(thread.name == "disk" for thread in threading.enumerate()) <= 2
    assert service.service.metrics.reload("configuration").failed == 1
    hang.over.set()
    await service.until(lambda: not mounted.faults())
    service.config.swap({"config": "second", "values": "{}"})
    await serves(service, "second")


async def test_a_mount_that_hangs_does_not_start(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hangs").mkdir()
    (tmp_path / "hangs" / "config").write_text("x")
    hang = Hang(tmp_path / "hangs", monkeypatch)
    with pytest.raises(
        ConfigError, match=r"hangs, .*: not read within 0\.3 s: the file system does not answer"
    ):
        await start(inject_config=tmp_path / "hangs" / "config")
    hang.over.set()


async def test_a_health_file_that_hangs_holds_up_nothing(start: Start, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "healthy")
    service = await start(health_check_file=tmp_path / "healthy", health_check_interval=0.05)
    assert await config_of(service) == "first"
    with (tmp_path / "healthy").open() as reader:
        assert await asyncio.to_thread(reader.read, 2) == "ok"


# --- one unit


class Unit:
    """A unit on a clock of its own; ``fault`` is what making its value meets."""

    def __init__(self, folder: Path, *, retry_seconds: float = 0.0) -> None:
        self.path = folder / "file"
        self.path.write_text("first")
        self.now = 0.0
        self.fault: Exception | None = None
        self.made: list[str] = []
        self.reasons: list[str] = []
        self.log_file = folder / "log"
        self.log = Log(descriptor=os.open(self.log_file, os.O_CREAT | os.O_WRONLY))
        self.metrics = Metrics()
        self.unit: ReloadUnit[str] = ReloadUnit(
            name="unit",
            paths=(self.path,),
            make=self._make,
            retry_seconds=retry_seconds,
            live=Live(""),
            metrics=self.metrics,
            log=self.log,
            rejected=lambda _, reason: self.reasons.append(reason),
            clock=lambda: self.now,
        )
        self.unit.start()

    def _make(self, files: FileSet) -> str:
        self.made.append(files.text(self.path) or "")
        if self.fault is not None:
            raise self.fault
        return self.made[-1]

    async def tries_in(self, seconds: int) -> list[int]:
        """Refresh each second and return at which seconds a value was tried to be made."""
        tried = []
        for second in range(1, seconds + 1):
            before = len(self.made)
            self.now += 1
            await self.unit.take(await self.unit.read())
            if len(self.made) > before:
                tried.append(second)
        return tried

    def logged(self) -> list[str]:
        self.log.close()
        return [orjson.loads(line)["message"] for line in self.log_file.read_bytes().splitlines()]


@pytest.mark.slow
async def test_a_refused_content_is_tried_again_ever_more_seldom(tmp_path: Path) -> None:
    unit = Unit(tmp_path, retry_seconds=60)
    unit.path.write_text("second")
    unit.fault = ConfigError("bad")
    assert await unit.tries_in(2200) == [1, 61, 181, 421, 901, 1501, 2101]
    state = unit.metrics.reload("unit")
    assert (state.failed, state.healthy, unit.reasons) == (1, False, ["bad"])
    unit.path.write_text("third")
    assert await unit.tries_in(61) == [1, 61]
    unit.fault = None
    assert await unit.tries_in(600) == [120]
    assert (state.failed, state.succeeded, state.healthy, unit.unit.fault) == (2, 2, True, None)
    assert unit.logged() == ["new files are rejected, the last good ones serve"] * 2 + ["new files serve"]


async def test_a_content_refused_for_another_reason_is_said_and_not_counted_again(tmp_path: Path) -> None:
    unit = Unit(tmp_path, retry_seconds=1)
    unit.path.write_text("second")
    unit.fault = RuntimeError("a bug")
    assert await unit.tries_in(4) == [1, 2, 4]
    unit.fault = ConfigError("bad", detail="said by a pod")
    assert await unit.tries_in(4) == [4]
    assert unit.unit.fault == "bad"
    assert (unit.metrics.reload("unit").failed, unit.reasons) == (1, ["internal error: RuntimeError"])
    rejected = "new files are rejected, the last good ones serve"
    assert unit.logged() == ["new files crashed the loader", rejected, rejected]


async def test_a_vanished_mount_is_survived_and_taken_up_again(start: Start) -> None:
    service = await start(recheck_seconds=0.2)
    state = service.service.metrics.reload("configuration")
    shutil.rmtree(service.config.folder)
    await service.until(lambda: not state.healthy)
    assert await config_of(service) == "first"
    service.config.folder.mkdir()
    service.config.swap({"config": "again", "values": "{}"})
    await serves(service, "again")
    service.config.swap({"config": "and again", "values": "{}"})
    await serves(service, "and again")


async def test_plain_files_written_in_place_are_seen(start: Start) -> None:
    service = await start()
    (service.config.folder / "config").write_text("in place")
    await serves(service, "in place")


async def test_polling_sees_changes_where_events_do_not_come(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHFILES_FORCE_POLLING", "true")
    service = await start()
    service.config.swap({"config": "polled", "values": "{}"})
    await serves(service, "polled")


# --- the key pair


async def fingerprint(service: Running) -> bytes:
    client = await service.connect()
    certificate = client.writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    await client.close()
    return bytes(certificate)


async def test_a_new_leaf_serves_new_connections_and_old_ones_go_on(start: Start) -> None:
    service = await start()
    old = await service.connect()
    before = await fingerprint(service)
    for rsa in (True, False, True):
        pair = service.service.mounted.pair
        serving = pair.value
        service.pair.swap(a_pair(service.ca, rsa=rsa))
        await service.until(lambda: pair.value is not serving)  # noqa: B023
        after = await fingerprint(service)
        assert after != before
        before = after
    assert (await old.request(body=a_review("old"))).json["response"]["uid"] == "old"


def bad_pairs(ca: trustme.CA) -> dict[str, dict[str, bytes]]:
    """Return the six kinds of pair that must not serve, by the words that name the fault."""
    good, other = a_pair(ca), a_pair(ca)
    now = datetime.now(UTC)
    return {
        "the private key does not belong to the certificate": {**good, "tls.key": other["tls.key"]},
        "cut short": {**good, "tls.crt": good["tls.crt"][:300]},
        "the certificate is empty": {**good, "tls.crt": b""},
        "expired": a_pair(ca, not_before=now - timedelta(days=3), not_after=now - timedelta(days=1)),
        "not valid before": a_pair(ca, not_before=now + timedelta(days=1), not_after=now + timedelta(days=3)),
        f"the API server will ask for {NAME}": a_pair(ca, "elsewhere.default.svc"),
        "the private key is not PEM": {**good, "tls.key": good["tls.key"][:100]},
        "the private key is empty": {**good, "tls.key": b""},
    }


async def test_bad_pairs_are_named_and_the_old_one_serves(start: Start) -> None:
    service = await start()
    before = await fingerprint(service)
    state = service.service.metrics.reload("certificate")
    for count, (words, files) in enumerate(bad_pairs(service.ca).items(), 1):
        service.pair.swap(files)
        await service.until(lambda: state.failed == count)  # noqa: B023
        assert words in service.service.mounted.faults()["certificate"]
        assert await fingerprint(service) == before
        assert (await service.post(a_review())).status == 200
    service.pair.swap(a_pair(service.ca))
    await service.until(lambda: state.healthy)
    assert await fingerprint(service) != before


async def test_a_missing_key_is_survived(start: Start) -> None:
    service = await start(recheck_seconds=0.1)
    files = a_pair(service.ca)
    del files["tls.key"]
    service.pair.swap(files)
    state = service.service.metrics.reload("certificate")
    await service.until(lambda: state.failed == 1)
    assert "tls.key: does not exist" in service.service.mounted.faults()["certificate"]
    assert (await service.post(a_review())).status == 200


async def test_a_certificate_that_becomes_valid_serves_without_a_change(start: Start) -> None:
    service = await start(recheck_seconds=0.1)
    soon = datetime.now(UTC) + timedelta(seconds=1.5)
    before = service.service.mounted.pair.value
    service.pair.swap(a_pair(service.ca, not_before=soon, not_after=soon + timedelta(days=1)))
    state = service.service.metrics.reload("certificate")
    await service.until(lambda: state.failed == 1)
    await service.until(lambda: service.service.mounted.pair.value is not before)
    assert state.failed == 1


async def test_a_bad_configuration_does_not_keep_a_new_certificate_out(start: Start) -> None:
    service = await start()
    service.config.swap({"config": "broken", "values": "{}"})
    await service.until(lambda: not service.service.metrics.reload("configuration").healthy)
    service.pair.swap(a_pair(service.ca))
    await service.until(lambda: service.service.metrics.reload("certificate").succeeded == 2)


async def test_a_bad_start_names_every_fault(start: Start, tmp_path: object) -> None:
    with pytest.raises(ConfigError) as caught:
        await start(
            inject_config=None, service_names=("other.default.svc",), ca_certificate=tmp_path / "ca.crt"
        )
    assert "other.default.svc" in str(caught.value)
    assert "ca.crt: does not exist" in str(caught.value)


async def test_a_slow_reader_skips_to_the_newest() -> None:
    live = Live(1)
    seen = []
    updates = live.updates()
    seen.append(await anext(updates))
    live.set(2)
    live.set(3)
    seen.append(await anext(updates))
    waiting = asyncio.ensure_future(anext(updates))
    await asyncio.sleep(0)
    live.set(4)
    seen.append(await waiting)
    await updates.aclose()
    assert seen == [1, 3, 4]
    assert live.value == 4
