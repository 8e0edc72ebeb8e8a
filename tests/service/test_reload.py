"""Changes of mounted files, as a running service takes them."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from injector.errors import ConfigError
from injector.service.companions import Parts
from tests.service.kit import NAME, Running, Start, a_pair, a_review


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
        ("denies", "the sample pod with one container is denied: denied as asked"),
        ("misplaces", "the patch for the sample pod with one container does not apply"),
        ("crashes", "internal error: RuntimeError"),
    ],
)
async def test_a_bad_configuration_leaves_the_last_good_one(start: Start, text: str, reason: str) -> None:
    told: list[tuple[str, str]] = []

    class Told:
        def configuration_rejected(self, unit: str, reason: str) -> None:
            told.append((unit, reason))

    service = await start(parts=Parts(events=Told()))
    service.config.swap({"config": text, "values": "{}"})
    state = service.service.metrics.reload("configuration")
    await service.until(lambda: state.failed == 1)
    assert await config_of(service) == "first"
    assert not state.healthy
    ready = await service.get("/healthz/ready?verbose")
    assert ready.status == 200
    assert f"[~]configuration: {told[0][1]}" in ready.body.decode()
    assert reason in told[0][1]

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


async def test_a_pod_seen_lately_that_would_be_denied_keeps_the_old_configuration(start: Start) -> None:
    service = await start()
    await service.post(a_review(size=10))
    assert len(service.service.mounted.last_pods.reviews()) == 1


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


async def test_polling_sees_changes_where_events_do_not_come(start: Start) -> None:
    service = await start(force_polling=True)
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
