"""Text made to hurt: it is refused or read, quickly, and the process lives on."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from injector.errors import InjectorError, YAMLError
from injector.golang.jsontext import go_json
from injector.kubeyaml import dump, load
from tests.oracle import thorough

from .generators import json_values, soup

fuzz = thorough(full=20000, quick=150)

SECONDS = 10.0


@pytest.mark.parametrize(
    "text",
    [
        "[" * 1_000_000,
        "{" * 1_000_000,
        "[{" * 500_000,
        "- " * 500_000,
        "? " * 100_000,
        "a: " + "!" * 100_000,
        "\x00" * 100_000,
        "&a " * 50_000,
        "'" * 100_001,
        '"' + "\\" * 100_001,
        "%" * 100_000,
        "a: &a x\n" + "b: *a\n" * 5_000,
        "k: |\n" + " " * 500_000,
        "\n" * 500_000,
        "#" * 500_000,
        "a:" * 100_000,
        "[a:," * 10_000,
        "1" * 100_000,
        "0x" + "f" * 100_000,
        "1" * 50_000 + ".5",
        "!!int " + "1" * 100_000,
        "1e" + "9" * 100_000,
        "2001-01-" + "1" * 100_000,
    ],
    ids=lambda text: repr(text[:8]),
)
def test_no_text_crashes_or_stalls_the_reader(text: str) -> None:
    started = time.process_time()
    with contextlib.suppress(YAMLError):
        load(text)
    assert time.process_time() - started < SECONDS


def test_keys_of_many_digits_do_not_stall_the_writer() -> None:
    started = time.process_time()
    with contextlib.suppress(YAMLError):  # they are put into their order before they are found too long
        dump(dict.fromkeys(["1" * 400_000, "2" * 400_000]))
    assert time.process_time() - started < SECONDS


@given(st.one_of(soup, st.text(max_size=60), st.binary(max_size=60)))
@fuzz
def test_whatever_the_text_only_yaml_errors_come_out(text: str | bytes) -> None:
    try:
        value = load(text)
    except YAMLError:
        return
    assert load(go_json(value)) == value or "\x85" in go_json(value)


@pytest.mark.slow
@given(st.one_of(json_values, st.text(), st.dictionaries(st.text(), st.text())))
@fuzz
def test_whatever_the_value_only_our_errors_come_out(value: object) -> None:
    for write in (dump, go_json):
        with contextlib.suppress(InjectorError):
            assert isinstance(write(value), str)
