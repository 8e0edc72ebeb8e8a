"""The container's limit, what is in flight under it, and what parsing a body costs."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import orjson
import pytest

from injector.service import memory
from injector.service.held import Bodies
from injector.service.memory import (
    MIB,
    InFlight,
    container_limit,
    cores,
    count_values,
    fitting_workers,
    in_flight_limit,
    parsed_bytes,
    resident,
    without_old_object,
)

V1 = "9223372036854771712\n"
"""What version 1 says where there is no limit."""

SYSTEMS: dict[str, tuple[dict[str, str], int | None]] = {
    "version 2 in a namespace of its own": (
        {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "268435456\n"},
        256 * MIB,
    ),
    "version 2 on the host": (
        {"proc/self/cgroup": "0::/kubepods/pod1/c1\n", "sys/fs/cgroup/kubepods/pod1/c1/memory.max": "1000\n"},
        1000,
    ),
    "version 2, a pod with less than its container": (
        {
            "proc/self/cgroup": "0::/pod1/c1\n",
            "sys/fs/cgroup/pod1/c1/memory.max": "max\n",
            "sys/fs/cgroup/pod1/memory.max": "5000\n",
            "sys/fs/cgroup/memory.max": "9000\n",
        },
        5000,
    ),
    "version 2, no limit": ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"}, None),
    "version 2, above the namespace": (
        {"proc/self/cgroup": "0::/../../c1\n", "sys/fs/cgroup/memory.max": "7000\n"},
        7000,
    ),
    "version 1": (
        {
            "proc/self/cgroup": "4:cpu,cpuacct:/a\n3:memory:/kubepods/c1\n0::/\n",
            "sys/fs/cgroup/memory/kubepods/c1/memory.limit_in_bytes": "4096000\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": V1,
        },
        4096000,
    ),
    "version 1, where the path is the host's": (
        {
            "proc/self/cgroup": "3:memory:/kubepods/c1\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "4096000\n",
        },
        4096000,
    ),
    "version 1, no limit": (
        {"proc/self/cgroup": "3:memory:/\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": V1},
        None,
    ),
    "nonsense": ({"proc/self/cgroup": "x\n0::/\n", "sys/fs/cgroup/memory.max": "-5\n"}, None),
    "no cgroups": ({}, None),
}


@pytest.mark.parametrize("system", SYSTEMS, ids=str)
def test_the_limit_of_the_container_is_found(tmp_path: Path, system: str) -> None:
    files, limit = SYSTEMS[system]
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert container_limit(tmp_path) == limit


def test_the_memory_of_the_process_is_told_or_assumed(tmp_path: Path) -> None:
    assert 5 * MIB < resident() < 5000 * MIB
    assert resident(tmp_path) == 96 * MIB


def test_what_may_be_in_flight_is_what_the_container_leaves() -> None:
    assert in_flight_limit(None, 70 * MIB, 32 * MIB) == 256 * MIB
    # 80 % of 256 MiB, less the process, 32 MiB of caches and 32 MiB to work with.
    assert in_flight_limit(256 * MIB, 70 * MIB, 32 * MIB) == int(0.8 * 256 * MIB) - 134 * MIB
    assert in_flight_limit(256 * MIB, 70 * MIB, 8 * MIB) == int(0.8 * 256 * MIB) - 110 * MIB
    assert in_flight_limit(64 * MIB, 70 * MIB, 32 * MIB) == 16 * MIB


def test_before_it_refuses_it_asks_for_relief_once() -> None:
    memory = InFlight(100)
    memory.held = 90
    asked = []

    def relieve() -> None:
        asked.append(memory.used)
        memory.held = 20

    memory.relieve = relieve
    assert memory.has_room(10)
    assert not asked
    assert memory.has_room(50)
    assert asked == [90]


def test_what_others_count_belongs_to_the_same_number() -> None:
    memory = InFlight(100)
    memory.beside.append(lambda: 95)
    assert memory.used == 95
    assert not memory.has_room(6)


PADDING = "x" * 20_000
BODIES: dict[str, bytes] = {
    "environment": orjson.dumps([{"name": f"NAME_{at}", "value": f"value {at}"} for at in range(20_000)]),
    "objects": b"[" + b",".join([b"{}"] * 50_000) + b"]",
    "lists": b"[" + b",".join([b"[]"] * 50_000) + b"]",
    "nested": b"[" + b",".join([b'{"a":{"a":1}}'] * 30_000) + b"]",
    "keys": b"[" + b",".join(b'{"%x":1}' % at for at in range(50_000)) + b"]",
    "one object": orjson.dumps({f"{at:x}": at for at in range(50_000)}),
    "numbers": b"[" + b",".join([b"300000000000"] * 50_000) + b"]",
    "fractions": b"[" + b",".join([b"1.5"] * 50_000) + b"]",
    "texts": b"[" + b",".join([b'"ab"'] * 50_000) + b"]",
    "a long text": orjson.dumps([PADDING * 50]),
    "a long text of Latin letters": orjson.dumps([PADDING * 50 + "é"]),
    "a long text with a euro": orjson.dumps([PADDING * 50 + "€"]),
    "a long text with an emoji": orjson.dumps([PADDING * 50 + "😀"]),
    "a long text with an escaped euro": b'["' + PADDING.encode() * 50 + b'\\u20ac"]',
    "a long text with an escaped emoji": b'["' + PADDING.encode() * 50 + b'\\ud83d\\ude00"]',
}


@pytest.mark.slow
@pytest.mark.parametrize("shape", BODIES, ids=str)
def test_parsing_costs_no_more_than_was_foretold(shape: str) -> None:
    body = BODIES[shape]
    foretold = parsed_bytes(body, count_values(body))
    cost = min(cost_of_parsing(body) for _ in range(3))  # other threads of the process allocate as well
    assert cost <= foretold, (cost, foretold)


def cost_of_parsing(body: bytes) -> int:
    """Return the bytes that are allocated while a body is parsed and still held."""
    orjson.loads(b"[]")
    tracemalloc.start()
    try:
        parsed = orjson.loads(body)
        cost, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert parsed
    return cost


def test_an_ordinary_pod_is_not_taken_for_three_times_what_it_is() -> None:
    body = BODIES["environment"]
    assert parsed_bytes(body, count_values(body)) < 3 * cost_of_parsing(body)


def test_values_are_counted_and_lines_where_it_may_be_yaml() -> None:
    assert count_values(b'{"a":[1,2],"b":{}}') == 7
    assert count_values(b"a:\n- 1\n- 2\n") == 4


def test_a_lone_surrogate_counts_twice_since_it_makes_the_tree_be_built_twice() -> None:
    plain, odd = b'["\\u20ac"]', b'["\\ud800"]'
    assert parsed_bytes(odd, 1000) > 1.9 * parsed_bytes(plain, 1000)


def review(**request: object) -> bytes:
    return orjson.dumps({"kind": "AdmissionReview", "request": request, "apiVersion": "v1"})


def test_the_old_object_of_an_update_is_left_out() -> None:
    body = review(uid="u", object={"a": [1, {"oldObject": {}}]}, oldObject={"a": "é\n"}, dryRun=False)
    lean = orjson.loads(without_old_object(body))
    assert lean == {**orjson.loads(body), "request": {**orjson.loads(body)["request"], "oldObject": None}}


@pytest.mark.parametrize(
    "body",
    [
        b'{"request":{"uid":"u","object":{},"oldObject":null}}',
        b'{"request":null,"x":{"oldObject":{}}}',
        b'{"x":{"oldObject":{}}}',
        b'["oldObject":{',
        b'"oldObject":{}',
        b'{"request":{"oldObject":{}',
        b'{"request":[{"oldObject":{}}]}',
        b'\xff{"request":{"oldObject":{}}}',
    ],
    ids=repr,
)
def test_what_has_no_old_object_or_no_form_comes_back_as_it_is(body: bytes) -> None:
    assert without_old_object(body) is body


def test_a_library_without_the_setting_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda _name: object())
    memory.return_freed_memory()


def test_what_others_held_is_returned_too() -> None:
    in_flight = InFlight()
    in_flight.held = 20 * MIB
    assert not in_flight.has_emptied()
    in_flight.held = 0
    assert not in_flight.has_emptied(), "it was held until a moment ago"
    assert in_flight.has_emptied()


def test_what_was_left_by_much_is_returned_once() -> None:
    in_flight = InFlight()
    with Bodies(in_flight).hold("") as held:
        held.take(20 * MIB)
    assert not in_flight.has_emptied()
    assert in_flight.has_emptied()
    assert not in_flight.has_emptied()
    with Bodies(in_flight).hold("") as held:
        held.take(15 * MIB)
    assert not in_flight.has_emptied()
    assert not in_flight.has_emptied()
    memory.return_freed_memory()


def test_what_is_taken_again_and_again_is_not_returned_between() -> None:
    in_flight = InFlight()
    for _ in range(5):
        with Bodies(in_flight).hold("") as held:
            held.take(40 * MIB)
        assert not in_flight.has_emptied()
    assert in_flight.has_emptied()


def test_the_cores_of_a_container_are_those_of_its_limit_rounded_up(tmp_path: Path) -> None:
    here = cores(tmp_path)
    assert here == len(os.sched_getaffinity(0))
    limit = tmp_path / "sys/fs/cgroup/cpu.max"
    limit.parent.mkdir(parents=True)
    for text, found in (("max 100000", here), ("50000 100000", 1), (f"{here * 100_000} 100000", here)):
        limit.write_text(f"{text}\n")
        assert cores(tmp_path) == found


def test_there_are_as_many_workers_as_there_are_cores_and_memory_for() -> None:
    assert fitting_workers(8, None) == 8
    assert fitting_workers(8, 256 * MIB) == 1
    assert fitting_workers(8, 1024 * MIB) == 5
    assert fitting_workers(2, 4096 * MIB) == 2
