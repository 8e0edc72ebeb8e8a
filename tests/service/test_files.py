"""Sets of files, read from one generation of a mount."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import pytest

from injector.errors import ConfigError
from injector.service.files import LARGEST_FILE, folders, read_files
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


def test_a_folder_in_place_of_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    with pytest.raises(ConfigError, match="config: cannot be read: Is a directory"):
        read_files([tmp_path / "config"])


def test_a_file_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config"
    with path.open("wb") as file:
        os.ftruncate(file.fileno(), LARGEST_FILE + 1)
    with pytest.raises(ConfigError, match="is larger than 8 MiB"):
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
