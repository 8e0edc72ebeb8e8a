"""A service in this process on a real TLS socket, a fake reviewer, and mounts that swap as a kubelet's do."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import select
import shutil
import signal
import ssl
import subprocess
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import trustme
from prometheus_client.parser import text_string_to_metric_families

from injector.errors import BadReview, ConfigError, DeadlineError
from injector.injection.inject import Answer as Answered
from injector.service.generation import Late, Texts
from injector.service.options import Drain, ServiceOptions
from injector.service.process import Service
from tests.conftest import PATIENCE

NAME = "sidecar-injector.istio-system.svc"


class FakeReviewer:
    """Answers with one label, whose value is the configuration's text; annotations are commands to it."""

    def __init__(self, config: str, values: str = "{}") -> None:
        self.config = config
        self.values = values

    def answer(self, body: bytes, path: str, late: Late | None = None) -> Answered:
        try:
            review = orjson.loads(body)
            uid, pod = review["request"]["uid"], review["request"]["object"]
        except (ValueError, KeyError, TypeError) as error:
            raise BadReview(400, "not an AdmissionReview") from error
        annotations = pod.get("metadata", {}).get("annotations", {})
        if "crash" in annotations:
            raise RuntimeError(annotations["crash"])
        denied = self.config == "denies" or "deny" in annotations
        response: dict[str, Any] = {"uid": uid, "allowed": not denied}
        if denied:
            response["status"] = {"metadata": {}, "message": "denied as asked"}
        elif "skip" not in annotations:
            where = "/nowhere/config" if self.config == "misplaces" else "/metadata/labels"
            patch = [
                {
                    "op": "add",
                    "path": where,
                    "value": {"config": self.config, "values": self.values, "path": path},
                }
            ]
            response |= {
                "patch": base64.b64encode(orjson.dumps(patch)).decode(),
                "patchType": "JSONPatch",
            }
        answer = {"kind": "AdmissionReview", "apiVersion": review["apiVersion"], "response": response}
        outcome = "denied" if denied else "skipped" if "skip" in annotations else "injected"
        return Answered(
            body=orjson.dumps(answer),
            outcome=outcome,
            reason="fake",
            uid=uid,
            namespace=review["request"].get("namespace", ""),
            message="denied as asked" * denied,
        )

    def advise(self, body: bytes) -> bytes:
        request = orjson.loads(body)["request"]
        if "crash" in request["object"]["metadata"].get("annotations", {}):
            raise RuntimeError("as asked")
        response = {"uid": request["uid"], "allowed": True, "warnings": [f"{self.config} says so"]}
        return orjson.dumps({"apiVersion": "admission.k8s.io/v1", "response": response})

    def description(self) -> dict[str, str]:
        return {"release": "fake"}

    def refresh(self) -> None:
        """Nothing comes from the cluster."""

    def warnings(self) -> tuple[str, ...]:
        return ()

    def counts(self) -> Mapping[str, int]:
        return {}


def load_fake(texts: Texts, options: ServiceOptions) -> FakeReviewer:
    if texts.config.startswith("broken"):
        raise ConfigError("it is broken", file=str(options.inject_config), line=1)
    if texts.config.startswith("crashes"):
        raise RuntimeError("a bug in the loader")
    return FakeReviewer(texts.config, texts.values)


class SharedEvent:
    """An event shared by this process and its forks; one that is killed while it waits blocks no other."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        for end in (self._read, self._write):
            weakref.finalize(self, os.close, end)

    def set(self) -> None:
        os.write(self._write, b"x")  # and it is never taken out

    def wait(self, seconds: float) -> bool:
        return bool(select.select([self._read], [], [], seconds)[0])


class GatedReviewer(FakeReviewer):
    """Waits where a pod says so: ``slow`` until the gate is open, ``patient`` until the caller is gone.

    It answers in this process and in its forks, and all of them record what they answered.
    """

    def __init__(self, config: str = "gated") -> None:
        super().__init__(config)
        self.gate = SharedEvent()
        self.entered = SharedEvent()
        self._told = os.memfd_create("told")
        weakref.finalize(self, os.close, self._told)

    def answer(self, body: bytes, path: str, late: Late | None = None) -> Answered:
        pod = orjson.loads(body).get("request", {}).get("object", {"metadata": {"annotations": {}}})
        annotations = pod["metadata"]["annotations"]
        if "slow" in annotations:
            self.entered.set()
            assert self.gate.wait(60)
        if "patient" in annotations:
            assert late is not None
            while not late():
                self.gate.wait(0.01)
            raise DeadlineError
        if "expensive" in annotations:
            begin = time.thread_time()
            while time.thread_time() - begin < float(annotations["expensive"]):
                pass
        if "dies" in annotations:
            os.kill(os.getpid(), signal.SIGKILL)
        answered = super().answer(body, path)
        os.write(self._told, orjson.dumps([answered.uid, os.getpid(), len(body)]) + b"\n")
        return answered

    @property
    def answered(self) -> dict[str, tuple[int, int]]:
        """The process that answered and the bytes of the review, by uid, in order."""
        lines = os.pread(self._told, os.fstat(self._told).st_size, 0).splitlines()
        return {uid: (pid, length) for uid, pid, length in map(orjson.loads, lines)}

    def was_here(self, uid: str) -> bool:
        """Return whether a review was answered in this process."""
        return self.answered[uid][0] == os.getpid()


class Mount:
    """A folder that changes as the kubelet changes a ConfigMap's or Secret's: by one rename of ``..data``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._generation = 0
        folder.mkdir(parents=True, exist_ok=True)

    def swap(self, files: Mapping[str, bytes | str]) -> None:
        self._generation += 1
        name = f"..2026_11_25_{self._generation:06d}"
        generation = self.folder / name
        generation.mkdir()
        for file, content in files.items():
            (generation / file).write_bytes(content.encode() if isinstance(content, str) else content)
        link = self.folder / "..data_tmp"
        link.symlink_to(name)
        data = self.folder / "..data"
        old = data.resolve() if data.is_symlink() else None
        link.replace(data)
        for file in files:
            visible = self.folder / file
            if not visible.is_symlink():
                visible.symlink_to(f"..data/{file}")
        if old is not None:
            shutil.rmtree(old)


def a_pair(
    ca: trustme.CA,
    *names: str,
    rsa: bool = False,
    not_before: datetime | None = None,
    not_after: datetime | None = None,
) -> dict[str, bytes]:
    """Return the files of a TLS Secret."""
    leaf = ca.issue_cert(
        *(names or (NAME, "localhost")),
        key_type=trustme.KeyType.RSA if rsa else trustme.KeyType.ECDSA,
        not_before=not_before,
        not_after=not_after,
    )
    chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
    return {"tls.crt": chain, "tls.key": leaf.private_key_pem.bytes()}


def a_review(uid: str = "u-1", *, size: int = 0, namespace: str = "shop", **annotations: str) -> bytes:
    """Return the bytes of an AdmissionReview for a pod with annotations, padded to about ``size``."""
    if size:
        annotations["padding"] = "x" * size
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "app-", "annotations": annotations},
        "spec": {"containers": [{"name": "app", "image": "app"}]},
    }
    request = {"uid": uid, "namespace": namespace, "operation": "CREATE", "object": pod}
    return orjson.dumps({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request})


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def patched(self) -> Any:
        """The value of the fake's one operation."""
        return orjson.loads(base64.b64decode(self.json["response"]["patch"]))[0]["value"]


class Client:
    """One HTTP/1.1 connection, written by hand so that tests may send invalid data."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def request(
        self,
        method: str = "POST",
        target: str = "/inject?timeout=30s",
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        lines = {"Host": "localhost", "Content-Type": "application/json", "Content-Length": str(len(body))}
        lines |= headers or {}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value != "-")
        self.writer.write(f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode() + body)
        return await self.answer(head_only=method == "HEAD")

    async def answer(self, *, head_only: bool = False) -> Answer:
        async with asyncio.timeout(PATIENCE):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.strip().split("\r\n")
            headers = {name: value for name, _, value in (line.partition(": ") for line in lines)}
            length = 0 if head_only else int(headers.get("Content-Length", 0))
            body = await self.reader.readexactly(length)
        return Answer(int(first.split()[1]), headers, body)

    async def closed(self) -> bool:
        """Wait until the server ends the connection; True when no more bytes came."""
        async with asyncio.timeout(PATIENCE):
            try:
                return await self.reader.read() == b""
            except ConnectionError:
                return True

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError, ssl.SSLError):
            await self.writer.wait_closed()


@dataclass
class Running:
    """A service that runs in this loop, and its parts."""

    service: Service
    task: asyncio.Task[None]
    ca: trustme.CA
    pair: Mount
    config: Mount
    log: Path
    clients: list[Client] = field(default_factory=list)
    begun: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        return self.log.parent

    @property
    def ports(self) -> tuple[int, int]:
        return self.service.ports

    @property
    def port(self) -> int:
        return self.service.ports[0]

    async def connect(
        self, *, context: ssl.SSLContext | None = None, name: str = NAME, peer: str = "127.0.0.1"
    ) -> Client:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1",
            self.port,
            ssl=context or client_context(self.ca),
            server_hostname=name,
            local_addr=(peer, 0),
            limit=1 << 24,
        )
        client = Client(reader, writer)
        self.clients.append(client)
        return client

    async def post(self, body: bytes, **more: Any) -> Answer:
        client = await self.connect()
        try:
            return await client.request(body=body, **more)
        finally:
            await client.close()

    async def get(self, target: str, headers: Mapping[str, str] | None = None) -> Answer:
        """GET from the monitoring port."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.service.ports[1], limit=1 << 24)
        client = Client(reader, writer)
        try:
            return await client.request("GET", target, headers=headers)
        finally:
            await client.close()

    async def until(self, condition: Callable[[], bool], *, seconds: float = PATIENCE) -> None:
        """Wait for something that the service does by itself."""
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.01)

    def lines(self) -> list[dict[str, Any]]:
        """Return the complete log lines so far."""
        text = self.log.read_text()
        return [json.loads(line) for line in text.split("\n")[:-1]]


def client_context(ca: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    ca.configure_trust(context)
    return context


QUICK = Drain(minimum=0.2, quiet=0.1, maximum=2, in_flight=2)

Start = Callable[..., Any]


class RecordedEvents:
    """The Events that a service has posted."""

    def __init__(self) -> None:
        self.rejected: list[str] = []
        self.warned: list[str] = []

    def warn(self, reason: str, sentence: str) -> None:
        if reason == "ConfigurationRejected":
            self.rejected.append(sentence)
        else:
            self.warned.append(f"{reason}: {sentence}")


def samples(text: str) -> dict[str, float]:
    """Return the samples of a metrics page, by name and labels."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found
