"""Sets of files, read from one generation of a mount."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from injector.errors import ConfigError
from injector.service.files import LARGEST_FILE, Disk, folders, read_files
from tests.conftest import PATIENCE
from tests.service.kit import Mount


def test_contents_are_read_through_the_mount(tmp_path: Path) -> None:
    mount = Mount(tmp_path / "m")
    mount.swap({"config": "a", "values": "b"})
    config, values = mount.folder / "config", mount.folder / "values"
    files = read_files([config, values, None])
    assert (files.text(config), files.text(values), files.text(None)) == ("a", "b", None)


def test_the_digest_follows_the_contents_alone(tmp_path: Path) -> None:
    mount = Mount(tmp_path / "m")
    path = mount.folder / "config"
    mount.swap({"config": "a"})
    first = read_files([path]).digest
    mount.swap({"config": "a"})
    assert read_files([path]).digest == first
    mount.swap({"config": "b"})
    assert read_files([path]).digest != first


@pytest.mark.slow
def test_no_set_mixes_two_generations(tmp_path: Path) -> None:
    mount = Mount(tmp_path / "m")
    names = ["tls.crt", "tls.key", "ca.crt"]
    mount.swap(dict.fromkeys(names, "0"))
    over = threading.Event()

    def swap() -> None:
        number = 0
        while not over.is_set():
            number += 1
            mount.swap(dict.fromkeys(names, str(number)))

    thread = threading.Thread(target=swap)
    thread.start()
    read = 0
    try:
        for _ in range(500):
            try:
                files = read_files([mount.folder / name for name in names])
            except ConfigError as error:
                assert "was replaced" in str(error)  # noqa: PT017 - swaps without a pause may win
                continue
            read += 1
            assert len(set(files.contents.values())) == 1
    finally:
        over.set()
        thread.join()
    assert read > 50


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_files([tmp_path / "absent"])
    assert str(caught.value) == f"{tmp_path}/absent: does not exist"


def test_a_file_missing_from_a_mount_is_named_as_the_user_knows_it(tmp_path: Path) -> None:
    mount = Mount(tmp_path / "m")
    mount.swap({"config": "a"})
    with pytest.raises(ConfigError) as caught:
        read_files([mount.folder / "values"])
    assert str(caught.value) == f"{mount.folder}/values: does not exist"


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (Path.mkdir, "a directory"),
        (os.mkfifo, "a FIFO"),
        (a_socket, "a socket"),
    ],
)
@pytest.mark.parametrize("mounted", [False, True], ids=["plain", "mounted"])
def test_only_regular_files_are_read(
    tmp_path: Path, make: Callable[[Path], object], kind: str, mounted: bool
) -> None:
    folder = tmp_path
    if mounted:
        mount = Mount(tmp_path / "m")
        mount.swap({"other": "x"})
        folder = (mount.folder / "..data").resolve()
        (mount.folder / "config").symlink_to("..data/config")
    make(folder / "config")
    path = (mount.folder if mounted else folder) / "config"
    with pytest.raises(ConfigError) as caught:
        read_files([path])
    assert str(caught.value) == f"{path}: is {kind}; only regular files are read"


def test_a_device_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "open", lambda *_: pytest.fail("opened"))
    with pytest.raises(ConfigError, match="is a device; only regular files are read"):
        read_files([Path("/dev/zero")])


def test_a_fifo_that_comes_between_the_look_and_the_opening_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, fifo = tmp_path / "config", tmp_path / "fifo"
    path.write_text("x")
    os.mkfifo(fifo)
    opening = os.open

    def swapped(name: Path, flags: int) -> int:
        fifo.replace(path)
        return opening(name, flags)

    monkeypatch.setattr(os, "open", swapped)
    with pytest.raises(ConfigError, match="config: is a FIFO"):
        read_files([path])


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "m"
    folder.mkdir()
    outside.write_text("secret")
    (folder / "config").symlink_to(outside)
    with pytest.raises(ConfigError) as caught:
        read_files([folder / "config"])
    assert str(caught.value) == f"{folder}/config: is a link that leads out of its folder, to {outside}"


def test_a_link_within_the_folder_is_followed_and_so_is_one_to_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "real").write_text("x")
    (folder / "config").symlink_to("real")
    (tmp_path / "link").symlink_to(folder)
    path = tmp_path / "link" / "config"
    assert read_files([path]).text(path) == "x"


def test_links_in_a_circle_are_named(tmp_path: Path) -> None:
    (tmp_path / "config").symlink_to("config")
    with pytest.raises(ConfigError, match="config: cannot be read: Too many levels of symbolic links"):
        read_files([tmp_path / "config"])


def test_a_file_in_a_folder_of_a_mount_is_read(tmp_path: Path) -> None:
    mount = Mount(tmp_path / "m")
    mount.swap({"other": "x"})
    inside = (mount.folder / "..data").resolve() / "folder"
    inside.mkdir()
    (inside / "config").write_text("nested")
    (mount.folder / "folder").symlink_to("..data/folder")
    path = mount.folder / "folder" / "config"
    assert read_files([path]).text(path) == "nested"


def test_a_file_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config"
    with path.open("wb") as file:
        os.ftruncate(file.fileno(), LARGEST_FILE + 1)
    with pytest.raises(ConfigError, match="is larger than 4 MiB"):
        read_files([path])


def test_what_is_not_utf_8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_bytes(b"ok\xff")
    with pytest.raises(ConfigError, match="config: is not UTF-8 at byte 2"):
        read_files([path]).text(path)


def test_a_plain_file_beside_a_mount_is_read_as_it_is(tmp_path: Path) -> None:
    mount = Mount(tmp_path / "m")
    mount.swap({"config": "a"})
    (mount.folder / "beside").write_text("b")
    path = mount.folder / "beside"
    assert read_files([path]).text(path) == "b"


def test_a_mount_that_vanishes_is_named(tmp_path: Path) -> None:
    mount = Mount(tmp_path / "m")
    mount.swap({"config": "a"})
    shutil.rmtree(mount.folder)
    with pytest.raises(ConfigError, match="config: does not exist"):
        read_files([mount.folder / "config"])


def test_folders_are_watched_once_each(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    assert folders([a / "x", None, b / "y", a / "z"]) == (a, b)


def threads() -> int:
    return sum(thread.name == "disk" for thread in threading.enumerate())


async def test_what_the_work_returns_or_raises_comes_back() -> None:
    work = Disk()
    assert await work.run(lambda: 1) == 1
    with pytest.raises(ZeroDivisionError):
        await work.run(lambda: 1 // 0)
    assert work.run_here(lambda: 2) == 2


async def test_work_that_hangs_is_given_up_and_no_second_thread_is_begun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("injector.service.files.PATIENCE_SECONDS", 0.05)
    before, over, work = threads(), threading.Event(), Disk()
    for _ in range(20):
        with pytest.raises(TimeoutError):
            await work.run(over.wait)
    with pytest.raises(TimeoutError):
        work.run_here(over.wait)
    assert threads() == before + 1
    over.set()
    async with asyncio.timeout(PATIENCE):
        while threads() > before:
            await asyncio.sleep(0.01)
    monkeypatch.setattr("injector.service.files.PATIENCE_SECONDS", 60.0)
    assert await work.run(lambda: "again") == "again"


async def test_work_goes_on_beside_the_loop() -> None:
    here = threading.current_thread()
    assert await Disk().run(threading.current_thread) is not here
