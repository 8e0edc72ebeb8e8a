"""How a command ends: full disks, readers that leave, Ctrl-C; and in which colours it speaks."""

from __future__ import annotations

import fcntl
import os
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Any

import pytest

from injector.cli.main import colour_of
from tests.cli.conftest import Run
from tests.cli.manifests import DEPLOYMENT
from tests.conftest import PATIENCE

INJECTOR = [sys.executable, "-m", "injector"]


def ended(*arguments: str, folder: Path, **streams: object) -> subprocess.CompletedProcess[str]:
    # Unbuffered, Python would have nothing left to write as it ends.
    given: Any = streams.pop("env", os.environ)
    environment = {name: value for name, value in given.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.run(
        [*INJECTOR, *arguments],
        cwd=folder,
        text=True,
        check=False,
        timeout=PATIENCE,
        env=environment,
        **streams,
    )  # type: ignore[call-overload, no-any-return]


@pytest.mark.socket
@pytest.mark.parametrize(
    "arguments",
    [
        ("inject", "-q", "app.yaml"),
        ("--help",),
        ("inject", "--help"),
        ("explain", "-f", "app.yaml"),
        ("lint",),
        ("version",),
        ("completion", "bash"),
    ],
)
def test_a_full_disk_is_one_line_and_1(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "app.yaml").write_text(DEPLOYMENT)
    with Path("/dev/full").open("w") as full:
        result = ended(*arguments, folder=tmp_path, stdout=full, stderr=subprocess.PIPE)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == "error: cannot write the output: No space left on device"
    assert "Traceback" not in result.stderr
    assert "Exception ignored" not in result.stderr


def test_a_file_on_a_full_disk_is_one_line_and_1(run: Run) -> None:
    result = run("inject", "-q", "-", "-o", "/dev/full", stdin=DEPLOYMENT)
    assert result.returncode == 1
    assert result.stderr == "error: /dev/full: cannot write it: No space left on device\n"


@pytest.mark.socket
@pytest.mark.parametrize("arguments", [("inject", "-q", "app.yaml"), ("--help",), ("version", "-o", "json")])
def test_a_reader_that_has_gone_is_no_fault_and_141(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "app.yaml").write_text(DEPLOYMENT)
    reader, writer = os.pipe()
    os.close(reader)
    try:
        result = ended(*arguments, folder=tmp_path, stdout=writer, stderr=subprocess.PIPE)
    finally:
        os.close(writer)
    assert (result.returncode, result.stderr) == (141, "")


@pytest.mark.socket
def test_stderr_that_cannot_be_written_changes_no_exit_code(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        result = ended("inject", "missing.yaml", folder=tmp_path, stdout=subprocess.PIPE, stderr=full)
    assert result.returncode == 1


@pytest.mark.socket
@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("inject -q app.yaml >&-", 1, "error: cannot write the output: Bad file descriptor\n"),
        ("version >&-", 1, "error: cannot write the output: Bad file descriptor\n"),
        ("inject -q app.yaml -o out.yaml >&-", 0, ""),
        ("certs --directory out >&- 2>&-", 0, ""),
        ("inject missing.yaml 2>&-", 1, ""),
        ("inject -q app.yaml -o out.yaml <&-", 0, ""),
    ],
)
def test_a_stream_that_is_closed_is_no_traceback(tmp_path: Path, line: str, code: int, said: str) -> None:
    (tmp_path / "app.yaml").write_text(DEPLOYMENT)
    result = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m injector {line}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (code, said)


def is_waiting_to_read(process: int, pipe: int) -> bool:
    """Return whether a process sleeps after it has read all that was in a pipe."""
    left = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))[0]
    state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    return left == 0 and state == "S"


@pytest.mark.socket
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="NO /proc: it says when a process waits")
def test_ctrl_c_is_one_line_and_130(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "app.yaml")
    with subprocess.Popen(
        [*INJECTOR, "inject", "app.yaml"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        # A shell has what it starts in the background ignore the signal, and the tests hand that on.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads here
    ) as popen:
        try:
            # It opens once the command opens it. Between its open and its read Python looks at no signal:
            # the byte that is gone says that it is behind both.
            with (tmp_path / "app.yaml").open("wb", buffering=0) as pipe:
                pipe.write(b"#")
                deadline = time.monotonic() + PATIENCE
                while not is_waiting_to_read(popen.pid, pipe.fileno()):
                    assert time.monotonic() < deadline, "it does not wait for its file"
                    time.sleep(0.01)
                popen.send_signal(signal.SIGINT)
                _, said = popen.communicate(timeout=PATIENCE)
        finally:
            popen.kill()
    assert (popen.returncode, said) == (130, "interrupted\n")


# ---- colours


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, None),
        ({"NO_COLOR": "1"}, False),
        ({"NO_COLOR": ""}, None),
        ({"CLICOLOR_FORCE": "1"}, True),
        ({"CLICOLOR_FORCE": "0"}, None),
        ({"NO_COLOR": "1", "CLICOLOR_FORCE": "1"}, False),
        ({"CLICOLOR": "0"}, False),
        ({"CLICOLOR": "0", "CLICOLOR_FORCE": "1"}, True),
        ({"TERM": "dumb"}, False),
        ({"TERM": "xterm"}, None),
    ],
)
def test_the_environment_chooses_colours(environment: dict[str, str], wanted: bool | None) -> None:
    assert colour_of(environment) is wanted


@pytest.mark.parametrize(
    ("before", "behind", "environment", "coloured"),
    [
        ((), (), {}, False),
        ((), (), {"CLICOLOR_FORCE": "1"}, True),
        ((), (), {"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}, False),
        ((), ("--color", "always"), {"NO_COLOR": "1"}, True),
        (("--color", "always"), (), {"NO_COLOR": "1"}, True),
        (("--color=never",), (), {"CLICOLOR_FORCE": "1"}, False),
        (("--color=never",), ("--color=always",), {}, True),
        ((), ("--color=auto",), {"CLICOLOR_FORCE": "1"}, True),
    ],
)
def test_an_option_wins_over_the_environment_before_and_behind_the_command(
    run: Run, before: tuple[str, ...], behind: tuple[str, ...], environment: dict[str, str], coloured: bool
) -> None:
    clean = {"NO_COLOR": "", "CLICOLOR_FORCE": "", **environment}
    done = run(*before, "inject", "-", *behind, stdin=DEPLOYMENT, **clean)
    assert done.returncode == 0, done.stderr
    assert ("\x1b[32minjected" in done.stderr) is coloured
    failed = run(*before, "inject", "missing.yaml", *behind, **clean)
    assert ("\x1b[31m" in failed.stderr) is coloured, "an error has the colour that was chosen"


@pytest.mark.socket
def test_a_terminal_gets_colours(tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    environment = {k: v for k, v in os.environ.items() if k not in {"NO_COLOR", "CLICOLOR", "TERM"}}
    try:
        result = ended("inject", "missing.yaml", folder=tmp_path, stderr=theirs, env=environment)
        said = os.read(ours, 4096).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert result.returncode == 1
    assert said.startswith("\x1b[31m\x1b[1merror:")
