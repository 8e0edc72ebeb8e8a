"""Versions of kubelets, CIDRs and numbers beside the Go that Istio reads them with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from injector.golang.strconv import int_fault, quote, uint_fault
from injector.injection.steps.order import detect_native
from injector.istio.mesh.addresses import classic_fault, prefix_fault
from injector.istio.releases import behaviour_of
from tests.oracle import BATCH, Ask, start_own_oracle, thorough


@pytest.fixture(scope="module")
def ask_go(tmp_path_factory: pytest.TempPathFactory) -> Ask:
    return start_own_oracle(tmp_path_factory.mktemp("oracle"))


def joined(pieces: Sequence[str], longest: int) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(pieces) | st.characters(codec="utf-8"), max_size=longest).map("".join)


NUMBERS = ("0", "1", "32", "33", "34", "033", "9223372036854775807", "9223372036854775808", "٣")
VERSIONS = st.builds(
    "{}{}{}{}{}".format,
    st.sampled_from(["", "v", "V", "vv", " "]),
    st.lists(st.sampled_from(NUMBERS), max_size=4).map(".".join),
    joined(("-", "rc", "1", ".", "~", "alpha", "_"), 4),
    joined(("+", "a", "-", ".", "0", "_", "~"), 4),
    st.sampled_from(["", "", "\n", " "]),
)
FIELDS = ("0", "1", "00", "08", "10", "255", "256", "2001", "fffff", "g", "", "1.2.3.4", "x.1", "::", ":")
ADDRESSES = st.builds(
    "{}{}{}{}".format,
    st.lists(st.sampled_from(FIELDS), min_size=4, max_size=4).map(".".join)
    | st.lists(st.sampled_from(FIELDS), max_size=9).map(":".join)
    | joined(FIELDS, 3),
    st.sampled_from(["", "", "", "%eth0", "%", "%25"]),
    st.sampled_from(["/", "/", "/", "", "//"]),
    st.sampled_from(
        ["0", "8", "08", "32", "33", "64", "128", "129", "", "+8", "-1", "8 ", "٨", "1e1", "256"]
    ),
)

INTEGERS = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "", "", "+", "-", "--"]),
    joined(("0", "6", "65535", "65536", "9223372036854775807", "18446744073709551615", "0000"), 3),
    joined((",", "x", " ", "_", "1", "٣"), 2),
)


def asked(ask_go: Ask, op: str, texts: list[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in ask_go([{"op": op, "text": text} for text in texts])]


def batches(texts: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(texts, min_size=BATCH, max_size=BATCH)


@thorough(full=60, quick=4)
@given(batches(VERSIONS))
def test_a_kubelets_version_is_read_as_go_version_reads_it(ask_go: Ask, texts: list[str]) -> None:
    is_native = partial(detect_native, behaviour_of("1.31"), {})
    for text, answer in zip(texts, asked(ask_go, "kubelet", texts), strict=True):
        minor = answer.get("minor", -1)
        assert isinstance(minor, int)
        assert is_native({"a": text}, "a") is (minor >= 33), (text, answer)


@thorough(full=60, quick=4)
@given(batches(ADDRESSES))
def test_a_cidr_is_refused_in_the_words_of_netip_and_of_net(ask_go: Ask, texts: list[str]) -> None:
    for fault, op in ((prefix_fault, "prefix"), (classic_fault, "cidr")):
        for text, answer in zip(texts, asked(ask_go, op, texts), strict=True):
            assert {"error": fault(text)} == answer, (op, text)


@thorough(full=60, quick=4)
@given(batches(INTEGERS))
def test_a_number_is_refused_in_the_words_of_strconv(ask_go: Ask, texts: list[str]) -> None:
    ways = {"port": ("ParseUint", partial(uint_fault, bits=16)), "atoi": ("Atoi", int_fault)}
    for op, (function, fault) in ways.items():
        for text, answer in zip(texts, asked(ask_go, op, texts), strict=True):
            said = f"strconv.{function}: parsing {quote(text)}: {reason}" if (reason := fault(text)) else ""
            assert {"error": said} == answer, text
