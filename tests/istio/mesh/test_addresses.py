from __future__ import annotations

import pytest

from injector.istio.mesh.addresses import address_fault, port_fault

GOOD = [
    "istiod.istio-system.svc:15012",
    "a:1",
    "a.b.:65535",
    "10.0.0.1:80",
    "[::1]:80",
    "[fe80::1]:+80",
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


def test_a_port_has_sixteen_bits_and_is_not_zero():
    assert port_fault(65535) == ""
    assert port_fault(65536) == "port number 65536 must be in the range 1..65535"
