"""Fixtures: a service in this process, services as processes, the API server's own client."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme
import uvloop

from injector.service.companions import Parts
from injector.service.generation import Load
from injector.service.logs import Log
from injector.service.options import Limits, ServiceOptions
from injector.service.process import Service
from tests.conftest import shared_folder
from tests.figures import figures  # noqa: F401 - a fixture
from tests.service.kit import NAME, QUICK, GatedReviewer, Mount, Running, Start, a_pair, load_fake
from tests.service.processes import Launch, Process, end


def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run on the loop that the product uses, and where sockets are handled roughly on both."""
    factories: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"uvloop": uvloop.new_event_loop}
    if item.path.name == "test_slow_clients.py":
        factories["asyncio"] = asyncio.new_event_loop
    return factories


@pytest.fixture(scope="session")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def gated() -> GatedReviewer:
    return GatedReviewer()


@pytest.fixture
async def start(tmp_path: Path, ca: trustme.CA) -> AsyncGenerator[Start, None]:
    """Start services; each stops when the test ends."""
    running: list[Running] = []

    async def begin(
        *,
        limits: Limits | None = None,
        parts: Parts | None = None,
        load: Load = load_fake,
        first: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Running:
        folder = tmp_path / str(len(running))
        pair, config = Mount(folder / "certs"), Mount(folder / "config")
        pair.swap(a_pair(ca))
        config.swap(first or {"config": "first", "values": "{}"})
        ca.cert_pem.write_to_path(str(folder / "ca.crt"))
        settings = ServiceOptions(
            inject_config=config.folder / "config",
            inject_values=config.folder / "values",
            tls_certificate=pair.folder / "tls.crt",
            tls_key=pair.folder / "tls.key",
            service_names=(NAME,),
            address="127.0.0.1",
            port=0,
            monitoring_address="127.0.0.1",
            monitoring_port=0,
            drain=QUICK,
            recheck_seconds=1.0,
            limits=limits or Limits(),
        )
        log_file = folder / "log"
        descriptor = os.open(log_file, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        log = Log(level="debug", descriptor=descriptor)
        service = Service(replace(settings, **options), parts or Parts(), log, load)
        service.start()
        service.bind()
        task = asyncio.create_task(service.serve())
        this = Running(service, task, ca, pair, config, log_file)
        running.append(this)
        await this.until(lambda: not service.readiness.missing() or task.done())
        task.add_done_callback(lambda _: (log.close(), os.close(descriptor)))
        return this

    yield begin
    for this in running:
        for client in this.clients:
            await client.close()
        this.service._leaving.end()
        await asyncio.wait([this.task])
        for popen in this.begun:
            end(popen)
        if not this.task.cancelled():
            this.task.result()


@pytest.fixture
def launch(tmp_path: Path, ca: trustme.CA) -> Iterator[Launch]:
    begun: list[Process] = []

    def begin(*, wait: bool = True, **options: Any) -> Process:
        process = Process(tmp_path / str(len(begun)), ca, options)
        begun.append(process)
        process.launch()
        if wait:
            process.wait_until_serving()
        return process

    yield begin
    for process in begun:
        for popen in (*process.begun, process.popen):
            end(popen)


@pytest.fixture(scope="session")
def apiserver_client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    shared = shared_folder()
    if shared is None or shutil.which("go") is None:
        pytest.skip("NO GO or no ../shared: tests with the API server's own transport are skipped")
    binary = tmp_path_factory.mktemp("go") / "apiserver-client"
    subprocess.run(["go", "build", "-o", binary, "."], cwd=shared / "apiserver-client", check=True)
    return binary
