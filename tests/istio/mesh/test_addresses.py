from __future__ import annotations

import pytest

from injector.istio.mesh.addresses import address_fault, classic_fault, port_fault, prefix_fault

GOOD = [
    "istiod.istio-system.svc:15012",
    "a:1",
    "a.b.:65535",
    "10.0.0.1:80",
    "[::1]:80",
    "[fe80::1]:+80",
    "[::ffff:1.2.3.4]:80",
    "[fe80::1%a%b]:80",
    "xn--bcher-kva.example:443",
]

FAULTS = [
    ("", 'unable to split "": missing port in address'),
    ("bad", 'unable to split "bad": address bad: missing port in address'),
    ("a:b:c", 'unable to split "a:b:c": address a:b:c: too many colons in address'),
    ("::1:80", 'unable to split "::1:80": address ::1:80: too many colons in address'),
    ("[::1]", 'unable to split "[::1]": address [::1]: missing port in address'),
    ("[a]b:1", 'unable to split "[a]b:1": address [a]b:1: missing port in address'),
    ("[a]:b:1", 'unable to split "[a]:b:1": address [a]:b:1: too many colons in address'),
    ("a]:1", "unable to split \"a]:1\": address a]:1: unexpected ']' in address"),
    ("a[b:1", "unable to split \"a[b:1\": address a[b:1: unexpected '[' in address"),
    ("[a:1", "unable to split \"[a:1\": address [a:1: missing ']' in address"),
    ("[a[b]:1", "unable to split \"[a[b]:1\": address [a[b]:1: unexpected '[' in address"),
    ("[a]:1]", "unable to split \"[a]:1]\": address [a]:1]: unexpected ']' in address"),
    ("a:", 'port () is not a number: strconv.Atoi: parsing "": invalid syntax'),
    ("a:x", 'port (x) is not a number: strconv.Atoi: parsing "x": invalid syntax'),
    (
        "a:99999999999999999999",
        'port (99999999999999999999) is not a number: strconv.Atoi: parsing "99999999999999999999": value out of range',
    ),
    ("a:0", "port number 0 must be in the range 1..65535"),
    ("a:-1", "port number -1 must be in the range 1..65535"),
    (":80", '"" is not a valid hostname or an IP address'),
    ("a_b:80", '"a_b" is not a valid hostname or an IP address'),
    ("1.2.3:80", '"1.2.3" is not a valid hostname or an IP address'),
    ("a..b:80", '"a..b" is not a valid hostname or an IP address'),
    (f"{'a' * 64}:80", f'"{"a" * 64}" is not a valid hostname or an IP address'),
    (f"{'a.' * 128}:80", f'"{"a." * 128}" is not a valid hostname or an IP address'),
]


@pytest.mark.parametrize("address", GOOD)
def test_an_address_has_a_host_and_a_port(address):
    assert address_fault(address) == ""


@pytest.mark.parametrize(("address", "sentence"), FAULTS)
def test_what_is_no_address_gets_istios_sentence(address, sentence):
    assert address_fault(address) == sentence


def test_a_port_may_have_thousands_of_zeros_in_front():
    assert address_fault(f"istiod:{'0' * 5000}15012") == ""


def test_a_port_has_sixteen_bits_and_is_not_zero():
    assert port_fault(65535) == ""
    assert port_fault(65536) == "port number 65536 must be in the range 1..65535"


@pytest.mark.parametrize(
    "text",
    [
        "10.0.0.0/8",
        "0.0.0.0/0",
        "::/0",
        "::1/128",
        "fd00:1::2/64",
        "::ffff:1.2.3.4/120",
        "1:2:3:4:5:6:1.2.3.4/8",
    ],
)
def test_prefixes_are_accepted_by_both(text: str) -> None:
    assert (classic_fault(text), prefix_fault(text)) == ("", "")


# What Go 1.26 says, after `netip.ParsePrefix("…"): `.
CIDR_FAULTS = {
    "bad": "no '/'",
    "": "no '/'",
    "a/b": 'ParseAddr("a"): unable to parse IP',
    "%/8": 'ParseAddr("%"): missing IPv6 address',
    "10.0.0.0/33": "prefix length out of range",
    "10.0.0.0/+8": 'bad bits after slash: "+8"',
    "1.2.3.4/": 'bad bits after slash: ""',
    "010.0.0.0/8": 'ParseAddr("010.0.0.0"): IPv4 field has octet with leading zero',
    "10.0.0/8": 'ParseAddr("10.0.0"): IPv4 address too short',
    "10.0.0.0.0/8": 'ParseAddr("10.0.0.0.0"): IPv4 address too long',
    "256.0.0.0/8": 'ParseAddr("256.0.0.0"): IPv4 field has value >255',
    "1.2.3.x/8": 'ParseAddr("1.2.3.x"): unexpected character (at "x")',
    "1.2..4/8": 'ParseAddr("1.2..4"): IPv4 field must have at least one digit (at ".4")',
    "fe80::1%eth0/64": "IPv6 zones cannot be present in a prefix",
    "::%/8": 'ParseAddr("::%"): zone must be a non-empty string',
    "::g/8": 'ParseAddr("::g"): each colon-separated field must have at least one digit (at "g")',
    "12345::/8": 'ParseAddr("12345::"): each group must have 4 or less digits (at "12345::")',
    "1::2::3/8": 'ParseAddr("1::2::3"): multiple :: in address (at ":3")',
    "1:2:3/8": 'ParseAddr("1:2:3"): address string too short',
    "1:2:3:4:5:6:7:8:9/8": 'ParseAddr("1:2:3:4:5:6:7:8:9"): trailing garbage after address (at "9")',
    "1::2:3:4:5:6:7:8/8": 'ParseAddr("1::2:3:4:5:6:7:8"): the :: must expand to at least one field of zeros',
    "1:/8": 'ParseAddr("1:"): colon must be followed by more characters (at ":")',
    "1:2x::/8": 'ParseAddr("1:2x::"): unexpected character, want colon (at "x::")',
    "1:2.3.4.5/8": 'ParseAddr("1:2.3.4.5"): embedded IPv4 address must replace the final 2 fields of the address (at "2.3.4.5")',
    "::1.2.3/8": 'ParseAddr("::1.2.3"): IPv4 address too short',
}


@pytest.mark.parametrize(("text", "reason"), CIDR_FAULTS.items())
def test_a_fault_is_told_in_gos_words(text: str, reason: str) -> None:
    assert prefix_fault(text) == f'netip.ParsePrefix("{text}"): {reason}'
    assert classic_fault(text) == f"invalid CIDR address: {text}"


def test_net_reads_bits_with_a_leading_zero_and_netip_does_not() -> None:
    assert classic_fault("10.0.0.0/08") == ""
    assert prefix_fault("10.0.0.0/08") == 'netip.ParsePrefix("10.0.0.0/08"): bad bits after slash: "08"'
