"""Lines of JSON, whole, bounded and without pods."""

from __future__ import annotations

import json
import logging
import os
import threading
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any, Self

import pytest

from injector.service import logs
from injector.service.logs import LineWriter, Log, json_line, text_line, trace
from tests.conftest import PATIENCE


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().split("\n")[:-1]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log"


def int_of_a_secret() -> None:
    int("a secret")


def opened(path: Path, level: str = "info") -> Log:
    return Log(level=level, descriptor=os.open(path, os.O_CREAT | os.O_WRONLY))


def test_a_line_has_time_level_message_and_fields(path: Path) -> None:
    log = opened(path)
    log.info("something happened", file="x", count=3)
    log.close()
    (line,) = lines(path)
    assert line.pop("time").endswith("Z")
    assert line == {"level": "info", "message": "something happened", "file": "x", "count": 3}


def test_levels_below_the_asked_one_are_left_out(path: Path) -> None:
    log = opened(path, "warning")
    for say in (log.info, log.warning, log.error):
        say("x")
    log.close()
    assert [line["level"] for line in lines(path)] == ["warning", "error"]


def test_a_crash_shows_places_and_not_the_text(path: Path) -> None:
    log = opened(path)
    with pytest.raises(ValueError, match="a secret") as caught:
        int_of_a_secret()
    log.crash("it broke", caught.value, unit="x")
    log.close()
    (line,) = lines(path)
    assert line["trace"][0] == "ValueError"
    assert "int_of_a_secret" in line["trace"][1]
    assert "a secret" not in path.read_text()


def test_a_deep_trace_is_cut() -> None:
    def sink(depth: int) -> None:
        if depth == 0:
            raise RuntimeError
        sink(depth - 1)

    with pytest.raises(RuntimeError) as caught:
        sink(100)
    assert len(trace(caught.value)) == 21


def test_warnings_of_libraries_become_lines(path: Path) -> None:
    log = opened(path)
    logging.getLogger("asyncio").warning("slow %s", "x" * 3000)
    logging.getLogger("asyncio").error("bad")
    try:
        int_of_a_secret()
    except ValueError:
        logging.getLogger("aiohttp.server").exception("Error handling request")
    log.close()
    first, second, third = lines(path)
    assert (first["level"], first["logger"]) == ("warning", "asyncio")
    assert len(first["message"]) < 1100
    assert (second["level"], second["message"]) == ("error", "bad")
    assert third["trace"][0] == "ValueError"
    assert "a secret" not in path.read_text()


def test_whatever_is_passed_the_line_is_json(path: Path) -> None:
    log = opened(path)
    log.info("odd", value=object(), key={1: "x"}, text='"\n\u2028')
    log.close()
    (line,) = lines(path)
    assert line["text"] == '"\n\u2028'


def test_what_is_written_is_no_longer_counted(path: Path) -> None:
    log = opened(path)
    log.info("x")
    log.close()
    assert log.pending == 0


def test_the_text_of_a_field_is_cut(path: Path) -> None:
    log = opened(path)
    log.info("x", reason="r" * 5000, count=5)
    log.close()
    (line,) = lines(path)
    assert (line["reason"], line["count"]) == ("r" * 1024 + "…", 5)


def test_what_rooms_of_ours_say_has_its_fields_and_follows_the_level(path: Path) -> None:
    log = opened(path)
    said = logging.getLogger("injector.registration.reconciler")
    said.debug("not asked for")
    said.info("caBundle written", extra={"fields": {"configuration": "sidecars"}})
    logging.getLogger("kubernetes").info("not ours")
    logging.getLogger("injector2").info("not ours either")
    log.close()
    (line,) = lines(path)
    del line["time"]
    assert line == {
        "level": "info",
        "message": "caBundle written",
        "logger": "injector.registration.reconciler",
        "configuration": "sidecars",
    }
    said.info("nobody listens any more")


@pytest.mark.parametrize("level", ["debug", "warning"])
def test_what_rooms_of_ours_say_is_left_out_below_the_level(path: Path, level: str) -> None:
    log = opened(path, level)
    said = logging.getLogger("injector.registration.reconciler")
    for say in (said.debug, said.info, said.warning, said.critical):
        say("x")
    log.close()
    shown = ["debug", "info", "warning", "error"] if level == "debug" else ["warning", "error"]
    assert [line["level"] for line in lines(path)] == shown


def test_lines_of_many_threads_come_whole(path: Path) -> None:
    log = opened(path)
    threads = [threading.Thread(target=lambda: [log.info("x", n=n) for n in range(500)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    assert len(lines(path)) == 2000


def test_lines_that_come_while_the_last_batch_is_written_are_not_lost(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = opened(path)
    writer = log._writer
    write_all, late = writer._write_all, iter([b"late\n"])

    def closing_meanwhile(data: bytes) -> bool:
        for line in late:
            writer.write(line)
            writer._closing.set()
        return write_all(data)

    monkeypatch.setattr(writer, "_write_all", closing_meanwhile)
    writer.write(b"first\n")
    writer._thread.join(timeout=PATIENCE)
    assert path.read_text() == "first\nlate\n"


def test_a_reader_that_stopped_costs_lines_and_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "PENDING_BYTES", 200_000)
    reading, writing = os.pipe()
    writer = LineWriter(writing)
    for _ in range(400):
        writer.write(b"x" * 2000 + b"\n")
        assert writer.size <= 200_000
    assert writer.dropped
    os.close(reading)  # the write that waits ends, and so does the thread
    writer.close()
    assert not writer._thread.is_alive()
    os.close(writing)


def test_a_line_of_text_has_its_fields_behind_the_message() -> None:
    fields = {"time": "T", "level": "info", "message": "pod injected", "namespace": "shop", "seconds": 0.5}
    assert text_line(fields) == b"T INFO    pod injected namespace=shop seconds=0.5\n"


def test_a_line_of_a_review_needs_no_message() -> None:
    assert text_line({"time": "T", "level": "warning", "uid": "u"}) == b"T WARNING uid=u\n"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("two words", '"two words"'),
        ("", '""'),
        ('a"b', '"a\\"b"'),
        ("a=b", '"a=b"'),
        ("\x1b[2Jgone\n", '"\\u001b[2Jgone\\n"'),
        ("\u202eevil", '"\\u202eevil"'),
        ("größe", "größe"),
        (None, "null"),
        (["a", 1], '["a", 1]'),
        ("\ud800", '"\\ud800"'),
    ],
)
def test_what_a_pod_says_cannot_steer_the_terminal(value: object, shown: str) -> None:
    line = text_line({"time": "T", "level": "info", "message": "m", "x": value}).decode()
    assert line == f"T INFO    m x={shown}\n"


def test_the_message_cannot_steer_it_either() -> None:
    assert text_line({"time": "T", "level": "info", "message": "a\x1bb\nc"}) == b'T INFO    "a\\u001bb\\nc"\n'


def test_the_command_line_chooses_text(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Log, "text", True)
    log = opened(path)
    log.info("started", port=1)
    log.close()
    assert path.read_text().endswith(" INFO    started port=1\n")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (os.fsdecode(b"/etc/z\xfcrich"), "/etc/z?rich"),
        ({"\ud800": ["Zürich \ud800"]}, {"?": ["Zürich ?"]}),
        (1 << 64, 1 << 64),
    ],
    ids=["path", "nested", "number"],
)
def test_no_value_keeps_a_line_from_being_written(value: Any, shown: Any) -> None:
    fields = {"time": "T", "level": "info", "message": "m", "x": value}
    assert json.loads(json_line(fields)) == {**fields, "x": shown}
    assert text_line(fields).startswith(b"T INFO    m x=")


def test_lines_of_two_threads_at_the_turn_of_a_second_both_have_their_time(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(datetime):
        """Has another line stamped while this one's text is being made."""

        @classmethod
        def fromtimestamp(cls, timestamp: float, tz: tzinfo | None = None) -> Self:
            if not others:
                others.append("")
                others[0] = log._stamp()
            return super().fromtimestamp(timestamp, tz)

    log, others = opened(path), list[str]()
    monkeypatch.setattr(logs, "datetime", Interrupted)
    stamps = [log._stamp(), *others]
    log.close()
    assert all(datetime.fromisoformat(stamp).tzinfo for stamp in stamps), stamps
