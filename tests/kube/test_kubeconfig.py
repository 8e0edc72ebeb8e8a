"""Kubeconfigs that are none: one sentence each, which names the file, and never what an entry holds."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
import yaml

from injector.kube.client import Connection, KubeClient, namespace_of
from injector.kube.errors import Unconfigured

SERVER = "https://localhost:1"


def a_kubeconfig(*, cluster: object = None, user: object = None, context: object = None, **more: Any) -> str:
    return yaml.safe_dump(
        {
            "current-context": "here",
            "contexts": [{"name": "here", "context": context or {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": SERVER} if cluster is None else cluster}],
            "users": [{"name": "u", "user": user}],
            **more,
        }
    )


def connected(path: Path) -> str:
    async def connect() -> str:
        async with await KubeClient.connect(Connection(kubeconfig=str(path))) as client:
            return client.host

    return asyncio.run(connect())


UNUSABLE = {
    "no YAML": ("a: [\n", "it is not YAML: while parsing a flow node"),
    "no date": ("a: 2020-13-13\n", "it is not YAML: month must be in 1..12"),
    "no UTF-8": (b"a: \xff\n", "it is not YAML: 'utf-8' codec can't decode byte 0xff"),
    "nesting without end": ("[" * 10_000, "it is not YAML: maximum recursion depth exceeded"),
    "an empty file": ("", "it is not an object with contexts, clusters, users"),
    "a list": ("- a\n", "it is not an object with contexts, clusters, users"),
    "a number for contexts": (a_kubeconfig(contexts=5), "contexts is not a list"),
    "a list of numbers": (a_kubeconfig(users=[5]), "users[0] is not an object with a name"),
    "an entry without a name": (a_kubeconfig(clusters=[{}]), "clusters[0] is not an object with a name"),
    "a context that is a text": (a_kubeconfig(context="c"), "contexts[0].context is not an object"),
    "a cluster that is false": (a_kubeconfig(cluster=False), "clusters[0].cluster is not an object"),
    "a user that is an empty text": (a_kubeconfig(user=""), "users[0].user is not an object"),
    "false for contexts": (a_kubeconfig(contexts=False), "contexts is not a list"),
    "a server that is a number": (
        a_kubeconfig(cluster={"server": 5}),
        "clusters[0].cluster.server is not a string",
    ),
    "a plugin that is a text": (a_kubeconfig(user={"exec": "aws"}), "users[0].user.exec is not an object"),
    "no server": (a_kubeconfig(cluster={}, user={}), "the cluster c has no server"),
}


@pytest.mark.parametrize(("text", "reason"), UNUSABLE.values(), ids=UNUSABLE)
def test_a_kubeconfig_that_cannot_be_used_is_named_with_what_is_wrong(
    tmp_path: Path, text: str | bytes, reason: str
) -> None:
    path = tmp_path / "config"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(Unconfigured) as caught:
        connected(path)
    assert str(caught.value).startswith(f"the kubeconfig {path} cannot be used: {reason}")
    assert "\n" not in str(caught.value)
    assert namespace_of(Connection(kubeconfig=str(path))) == "default"


NOT_FOUND = {
    "a context that has no entry": (a_kubeconfig(contexts=[]), "name here in config/contexts"),
    "a cluster that has no entry": (a_kubeconfig(clusters=[], user={}), "name c in config/clusters list"),
    "a CA that is no base64": (
        a_kubeconfig(cluster={"server": SERVER, "certificate-authority-data": "a"}, user={}),
        "base64",
    ),
    "a CA that is no certificate": (
        a_kubeconfig(cluster={"server": SERVER, "certificate-authority-data": "aGVsbG8="}, user={}),
        "NO_CERTIFICATE",
    ),
    "a plugin that prints no status": (
        a_kubeconfig(
            user={
                "exec": {
                    "command": "echo",
                    "apiVersion": "1",
                    "args": ['{"apiVersion":"1","kind":"","status":5}'],
                }
            }
        ),
        "argument of type 'int' is not iterable",
    ),
    "a plugin whose arguments are a text": (
        a_kubeconfig(user={"exec": {"command": "echo", "apiVersion": "1", "args": "a b"}}),
        "'str' object has no attribute 'value'",
    ),
    "a plugin that is not there": (
        a_kubeconfig(user={"exec": {"command": "no-such-plugin", "apiVersion": "1"}}),
        "No such file or directory: 'no-such-plugin'",
    ),
    "a plugin that fails in two lines": (
        a_kubeconfig(user={"exec": {"command": "ls", "apiVersion": "1", "args": ["/no-a", "/no-b"]}}),
        "exec: process returned 2. ls: cannot access '/no-a': No such file or directory ls: cannot access",
    ),
    "a plugin that is null beside a key": (
        a_kubeconfig(user={"exec": None, "client-key-data": "a-secret"}),
        "Expected key exec in config/user",
    ),
    "a provider without a configuration": (
        a_kubeconfig(user={"auth-provider": {"name": "oidc"}}),
        "oidc: missing configuration",
    ),
    "a provider without what it needs": (
        a_kubeconfig(user={"auth-provider": {"name": "oidc", "config": {"refresh-token": "a-secret"}}}),
        "Expected key client-id in config/user/auth-provider/config",
    ),
}


@pytest.mark.parametrize(("text", "reason"), NOT_FOUND.values(), ids=NOT_FOUND)
def test_what_kubernetes_asyncio_says_is_told_without_the_entry_that_it_quotes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    reason: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("config")
    path.write_text(text)
    with pytest.raises(Unconfigured) as caught:
        connected(path)
    assert str(caught.value).startswith("cannot find the API server through config: ")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "a-secret" not in str(caught.value)


NO_LOGIN = {
    "a user without a login": a_kubeconfig(user={}),
    "a user that is null": a_kubeconfig(),
    "a user that has no entry": a_kubeconfig(users=None),
    "a context whose user is null": a_kubeconfig(context={"cluster": "c", "user": None}),
    "a context without a user": a_kubeconfig(context={"cluster": "c"}),
    "a context without a user beside one that has one": a_kubeconfig(
        context={"cluster": "c"}, user={"token": "a-secret"}
    ),
    "kubectl's proxy": a_kubeconfig(cluster={"server": "http://localhost:2"}, users=None),
}


@pytest.mark.parametrize("text", NO_LOGIN.values(), ids=NO_LOGIN)
def test_a_kubeconfig_without_a_login_leads_to_its_server_as_client_go_has_it(
    tmp_path: Path, text: str
) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    assert connected(path) == yaml.safe_load(text)["clusters"][0]["cluster"]["server"]


@pytest.mark.parametrize(
    ("more", "asked"),
    [({}, None), ({"user": None}, None), ({"user": "nobody"}, None), ({"user": "u"}, "here")],
)
def test_the_namespace_is_that_of_the_context_whatever_its_user_is(
    tmp_path: Path, more: dict[str, Any], asked: str | None
) -> None:
    path = tmp_path / "config"
    context = {"cluster": "c", "namespace": "shop", **more}
    current = {"current-context": "gone"} if asked else {}
    path.write_text(a_kubeconfig(context=context, **current))
    assert namespace_of(Connection(kubeconfig=str(path), context=asked)) == "shop"


def test_the_first_entry_of_a_name_counts_in_several_files(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text(a_kubeconfig(user={}))
    second.write_text(a_kubeconfig(cluster={}, **{"current-context": "here"}))
    assert connected(Path(f"{first}:{second}:{tmp_path / 'nowhere'}")) == SERVER


def test_what_kubernetes_asyncio_logs_of_an_entry_comes_into_no_log(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(a_kubeconfig(user={"exec": None, "client-key-data": "a-secret"}))
    logged: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: logged.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger().addHandler(handler)
    try:
        with pytest.raises(Unconfigured):
            connected(path)
    finally:
        logging.getLogger().removeHandler(handler)
    assert logged == []
