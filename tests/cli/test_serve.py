"""What `serve` takes on its command line and says at its start."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from injector.budget import ReviewLimits
from injector.cli.options import refuse_unknown_variables
from injector.cli.serve import worker_count
from tests.cli.conftest import Run


def lines_until_serving(path: Path, popen: subprocess.Popen[bytes]) -> list[dict[str, object]]:
    deadline = time.monotonic() + 60
    while True:
        lines = [json.loads(line) for line in path.read_text().split("\n")[:-1]]
        if any(line["message"] == "serving" for line in lines):
            return lines
        assert popen.poll() is None, path.read_text()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_it_says_what_may_be_in_flight_and_what_is_left_out(run: Run, tmp_path: Path) -> None:
    assert run("certs").returncode == 0
    log = tmp_path / "log"
    arguments = (
        *("serve", "--address", "127.0.0.1", "--port", "0"),
        *("--monitoringAddress", "127.0.0.1", "--monitoringPort", "0"),
        *("--tlsCertFile", "certs/tls.crt", "--tlsKeyFile", "certs/tls.key"),
        *("--inFlightMemory", "48Mi", "--trustedPeers", "10.0.0.0/8", "--trustedPeers", "fd00::1"),
    )
    outside = {name: value for name, value in os.environ.items() if name != "KUBERNETES_SERVICE_HOST"}
    with log.open("wb") as stderr:
        popen = subprocess.Popen(
            [sys.executable, "-m", "injector", *arguments], cwd=tmp_path, stderr=stderr, env=outside
        )
    try:
        lines = lines_until_serving(log, popen)
        popen.send_signal(signal.SIGINT)
        assert popen.wait(timeout=60) == 0
    finally:
        popen.kill()
        popen.wait()
    assert [line["in_flight_mib"] for line in lines if line["message"] == "serving"] == [48]
    assert [line["level"] for line in lines if line["message"].startswith("not in a cluster")] == ["info"]  # type: ignore[attr-defined]


def test_sigterm_during_the_start_is_heard(run: Run, tmp_path: Path) -> None:
    """The kernel keeps it from the first process of a container that has not asked for it."""
    assert run("certs").returncode == 0
    arguments = (
        "serve",
        "--port",
        "0",
        "--tls-cert-file",
        "certs/tls.crt",
        "--tls-key-file",
        "certs/tls.key",
    )
    popen = subprocess.Popen(
        [sys.executable, "-m", "injector", *arguments], cwd=tmp_path, stderr=subprocess.PIPE
    )
    status = Path(f"/proc/{popen.pid}/status")
    deadline = time.monotonic() + 60
    while not int(status.read_text().partition("SigCgt:")[2].split()[0], 16) >> (signal.SIGTERM - 1) & 1:
        assert time.monotonic() < deadline
    popen.send_signal(signal.SIGTERM)
    _, said = popen.communicate(timeout=60)
    assert (popen.returncode, said) == (0, b"")


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--inFlightMemory", "64MB", "'64MB' is not a size; write 64Mi, 100M"),
        (
            "--in-flight-memory",
            "99999999999999999999Gi",
            "'99999999999999999999Gi' is more than any machine has; write 64Mi, 100M",
        ),
        ("--cache-memory", "9000000000Gi", "'9000000000Gi' is more than any machine has; write 64Mi, 100M"),
        ("--cache-memory", "9" * 5000, "is more than any machine has; write 64Mi, 100M"),
        ("--workers", "0", "'0' is neither a number of processes, 1 at least, nor auto"),
        ("--workers", "9" * 5000, "no use for so many processes"),
        ("--workers", "two", "'two' is neither a number of processes, 1 at least, nor auto"),
        ("--trustedPeers", "10.0.0.0/33", "trusted peer '10.0.0.0/33' is not an IP address or a network"),
        ("--in-flight-memory", "0", "'0' is less than 16Mi, which one large review needs"),
        ("--in-flight-memory", "16383Ki", "'16383Ki' is less than 16Mi, which one large review needs"),
        ("--cache-memory", "0", "the caches' memory must be at least 8388608 bytes"),
        ("--port", "-1", "port -1 is not between 0 and 65535"),
        ("--monitoring-port", "65536", "monitoring port 65536 is not between 0 and 65535"),
        ("--ca-lifetime", "0", "'--ca-lifetime': '0' is less than 1s"),
        ("--cert-lifetime", "999ms", "'--cert-lifetime': '999ms' is less than 1s"),
        ("--max-clock-skew", "0s", "'--max-clock-skew': '0s' is less than 1s"),
        ("--rotation-grace", "-1s", "'-1s' is not a duration; write 300ms, 4s, 1m30s"),
        ("--health-check-interval", "1s", "the health check needs both its file and its interval"),
    ],
)
def test_a_value_that_cannot_be_is_named_as_a_wrong_call(
    run: Run, option: str, value: str, words: str
) -> None:
    result = run("serve", "--tlsCertFile", "x", "--tlsKeyFile", "y", option, value)
    assert (result.returncode, result.stdout) == (2, "")
    assert words in result.stderr


def test_zeros_in_front_of_a_number_of_workers_are_no_digits_of_it() -> None:
    assert worker_count("0" * 5000 + "4") == 4


@pytest.mark.parametrize(("available", "here"), [(1, "the 1 core has"), (6, "the 6 cores have")])
def test_more_workers_than_four_for_each_core_are_refused(
    monkeypatch: pytest.MonkeyPatch, available: int, here: str
) -> None:
    monkeypatch.setattr("injector.cli.serve.cores", lambda: available)
    most = 4 * available
    assert worker_count(str(most)) == most
    with pytest.raises(click.BadParameter) as refused:
        worker_count(str(most + 1))
    assert refused.value.message == f"{here} no use for so many processes: {most} at most, or auto"


def test_the_help_says_what_signals_do(run: Run) -> None:
    words = " ".join(run("serve", "--help").stdout.split())
    assert "SIGHUP reads the mounted files again." in words
    assert "--in-flight-memory" in words


@pytest.mark.socket
@pytest.mark.parametrize(
    ("arguments", "terminal", "text"),
    [
        ((), True, True),
        ((), False, False),
        (("--log-format", "json"), True, False),
        (("--log-format", "text"), False, True),
    ],
)
def test_the_log_is_text_on_a_terminal_and_json_elsewhere(
    tmp_path: Path, arguments: tuple[str, ...], terminal: bool, text: bool
) -> None:
    ours, theirs = os.openpty() if terminal else os.pipe()
    # It says that it is not in a cluster, and then that there is no certificate.
    outside = {name: value for name, value in os.environ.items() if name != "KUBERNETES_SERVICE_HOST"}
    subprocess.run(
        [sys.executable, "-m", "injector", "serve", *arguments],
        stderr=theirs,
        env=outside,
        cwd=tmp_path,
        check=False,
    )
    os.close(theirs)
    said = b""
    try:
        while block := os.read(ours, 4096):
            said += block
    except OSError:  # a terminal whose other side is closed
        pass
    os.close(ours)
    line = said.decode().splitlines()[0]
    sentence = "not in a cluster: the registration is not kept"
    if text:
        assert line.endswith(f"Z INFO    {sentence}")
    else:
        assert json.loads(line)["message"] == sentence


def test_an_option_can_be_given_by_the_environment(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDECAR_INJECTOR_SERVE_IN_FLIGHT_MEMORY", "64MB")
    outcome = run("serve")
    assert outcome.returncode == 2
    assert "'64MB' is not a size" in outcome.stderr


@pytest.mark.parametrize(
    ("variable", "value", "option", "parsed"),
    [
        ("ENV", "A=1 B=2", "settings", ("A=1", "B=2")),
        ("SETTINGS", "A=1 B=2", "settings", ("A=1", "B=2")),
        ("REVIEW_LIMIT", "templates=7", "review_limits", ReviewLimits(templates=7)),
        ("CLIENT_NAME", "api", "client_names", ("api",)),
        ("NAMESPACE", "mesh", "namespace", "mesh"),
        ("LOG_REVIEWS", "false", "log_reviews", False),
    ],
)
def test_a_variable_is_called_as_the_help_calls_the_option(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, option: str, parsed: object
) -> None:
    """SETTINGS is the name that --env had before."""
    from injector.cli.serve import command

    monkeypatch.setenv(f"SIDECAR_INJECTOR_SERVE_{variable}", value)
    context = command.make_context("serve", [])
    refuse_unknown_variables(context)
    assert context.params[option] == parsed


def test_a_variable_that_names_no_option_is_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDECAR_INJECTOR_SERVE_SELFSIGNED", "true")
    outcome = run("serve")
    assert outcome.returncode == 2
    assert (
        "SIDECAR_INJECTOR_SERVE_SELFSIGNED in the environment is not the name of an option" in outcome.stderr
    )


def test_what_the_kubelet_makes_of_a_service_is_no_option(monkeypatch: pytest.MonkeyPatch) -> None:
    from injector.cli.serve import command

    monkeypatch.setenv("SIDECAR_INJECTOR_PORT", "tcp://10.0.0.1:443")
    monkeypatch.setenv("SIDECAR_INJECTOR_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("SIDECAR_INJECTOR_SERVE_ADDRESS", "10.0.0.2")
    parameters = command.make_context("serve", []).params
    assert (parameters["port"], parameters["address"]) == (443, "10.0.0.2")


def test_two_services_in_one_namespace_have_a_secret_each() -> None:
    """Of one that both write each would issue the certificate for itself, in turn."""
    from injector.cli.serve import _cluster_options, command, service_options

    def secret(*arguments: str) -> str:
        flags = command.make_context("serve", ["--namespace", "mesh", *arguments]).params
        return str(_cluster_options(flags, service_options(flags)).secret)

    assert secret() == "sidecar-injector-certs"
    assert secret("--service-name", "blue") == "blue-certs"
    assert secret("--service-name", "blue", "--self-signed-secret", "mine") == "mine"
