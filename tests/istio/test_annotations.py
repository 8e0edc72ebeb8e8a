from __future__ import annotations

import pytest

from injector.errors import InjectionError
from injector.istio.annotations import proxy_config_fault, validate
from injector.istio.releases import behaviour_of

TRAFFIC = "traffic.sidecar.istio.io"
READINESS = "readiness.status.sidecar.istio.io"


def fault(name: str, value: str, release: str = "1.31") -> str:
    """Return the sentence about one annotation, without the frame that says which."""
    head = f"1 error occurred:\n\t* invalid value '{value}' for annotation '{name}': "
    try:
        validate({name: value}, behaviour_of(release))
    except InjectionError as error:
        return str(error).removeprefix(head).removesuffix("\n\n")
    return ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sidecar.istio.io/interceptionMode", "NONE"),
        ("status.sidecar.istio.io/port", " 15020 "),
        ("status.sidecar.istio.io/port", "0"),
        (f"{READINESS}/periodSeconds", "010"),
        (f"{TRAFFIC}/includeInboundPorts", "*"),
        (f"{TRAFFIC}/includeInboundPorts", ""),
        (f"{TRAFFIC}/excludeInboundPorts", "08, 443"),
        (f"{TRAFFIC}/includeOutboundIPRanges", "*"),
        (f"{TRAFFIC}/excludeOutboundIPRanges", "10.0.0.0/8,fd00::/8"),
        (f"{TRAFFIC}/excludeInterfaces", "eth1, net1"),
        (f"{TRAFFIC}/excludeInterfaces", "abcdefghijklm-._"[:15]),
        (f"{TRAFFIC}/excludeInterfaces", ""),
        ("prometheus.istio.io/merge-metrics", "F"),
        ("sidecar.istio.io/proxyCPU", "100m"),
        ("sidecar.istio.io/unheard-of", "x"),
    ],
)
def test_valid_values_of_annotations_have_no_fault(name: str, value: str) -> None:
    assert fault(name, value) == ""


@pytest.mark.parametrize(
    ("release", "name", "value", "expected"),
    [
        (
            "1.31",
            "sidecar.istio.io/interceptionMode",
            "none",
            "interceptionMode invalid, use REDIRECT,TPROXY,NONE: none",
        ),
        (
            "1.8",
            "status.sidecar.istio.io/port",
            "abc",
            "excludeInboundPorts invalid: failed parsing port '0': strconv.ParseUint: parsing \"abc\": invalid syntax",
        ),
        (
            "1.8",
            "status.sidecar.istio.io/port",
            "99999",
            "excludeInboundPorts invalid: failed parsing port '65535': strconv.ParseUint: parsing \"99999\": value out of range",
        ),
        (
            "1.31",
            f"{TRAFFIC}/excludeOutboundPorts",
            "1, x",
            (
                "excludeOutboundPorts invalid: failed parsing port ' x': failed parsing port ' x': "
                'strconv.ParseUint: parsing "x": invalid syntax'
            ),
        ),
        (
            "1.8",
            f"{TRAFFIC}/includeInboundPorts",
            "80,",
            (
                "includeInboundPorts invalid: failed parsing port '0': failed parsing port '0': "
                'strconv.ParseUint: parsing "": invalid syntax'
            ),
        ),
        (
            "1.8",
            f"{TRAFFIC}/excludeOutboundIPRanges",
            "*",
            "excludeIPRanges invalid: failed parsing cidr '*': invalid CIDR address: *",
        ),
        (
            "1.31",
            f"{TRAFFIC}/includeOutboundIPRanges",
            "bad",
            "includeIPRanges invalid: failed parsing cidr 'bad': netip.ParsePrefix(\"bad\"): no '/'",
        ),
        ("1.31", f"{READINESS}/periodSeconds", "+5", 'strconv.ParseUint: parsing "+5": invalid syntax'),
        (
            "1.31",
            "prometheus.istio.io/merge-metrics",
            "yes",
            'strconv.ParseBool: parsing "yes": invalid syntax',
        ),
        ("1.31", "sidecar.istio.io/proxyCPU", "1\n", "value contains control characters"),
        (
            "1.31",
            "sidecar.istio.io/proxyCPU",
            "much",
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
        ("1.31", f"{TRAFFIC}/excludeInterfaces", "x;y", 'interface name "x;y" contains invalid characters'),
        ("1.30", f"{TRAFFIC}/kubevirtInterfaces", "a:b", 'interface name "a:b" contains invalid characters'),
        ("1.30", f"{TRAFFIC}/kubevirtInterfaces", "a@b", 'interface name "a@b" contains invalid characters'),
        ("1.30", f"{TRAFFIC}/kubevirtInterfaces", "1a", 'interface name "1a" contains invalid characters'),
        ("1.30", f"{TRAFFIC}/kubevirtInterfaces", "-a", 'interface name "-a" contains invalid characters'),
        ("1.30", "istio.io/reroute-virtual-interfaces", "eth1,", "empty interface name"),
        ("1.30", "istio.io/reroute-virtual-interfaces", " ", "empty interface name"),
        (
            "1.30",
            "istio.io/reroute-virtual-interfaces",
            "eth1, abcdefghijklmnop",
            'interface name "abcdefghijklmnop" too long (max 15 chars)',
        ),
        (
            "1.30",
            "istio.io/reroute-virtual-interfaces",
            "éééééééé",
            'interface name "éééééééé" too long (max 15 chars)',
        ),
        (
            "1.16",
            f"{TRAFFIC}/includeOutboundIPRanges",
            "bad",
            "includeIPRanges invalid: failed parsing cidr 'bad': netip.ParsePrefix(\"bad\"): no '/'",
        ),
        (
            "1.15",
            f"{TRAFFIC}/includeOutboundIPRanges",
            "bad",
            "includeIPRanges invalid: failed parsing cidr 'bad': invalid CIDR address: bad",
        ),
        (
            "1.4",
            f"{READINESS}/applicationPorts",
            "a",
            (
                "readinessApplicationPorts invalid: failed parsing port '0': "
                "failed parsing port '0': strconv.ParseUint: parsing \"a\": invalid syntax"
            ),
        ),
    ],
)
def test_invalid_values_are_told_in_istios_words(release: str, name: str, value: str, expected: str) -> None:
    assert fault(name, value, release) == expected


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("sidecar.istio.io/enableCoreDump", 5, 24),
        (f"{READINESS}/applicationPorts", 0, 4),
        (f"{TRAFFIC}/excludeOutboundPorts", 2, 31),
        ("prometheus.istio.io/merge-metrics", 6, 31),
        ("sidecar.istio.io/proxyCPU", 27, 31),
        ("sidecar.istio.io/proxyMemoryLimit", 27, 31),
        (f"{TRAFFIC}/excludeInterfaces", 30, 31),
        ("istio.io/reroute-virtual-interfaces", 30, 31),
    ],
)
def test_a_check_that_a_release_does_not_have_passes_everything(name: str, first: int, last: int) -> None:
    checked = [minor for minor in range(32) if fault(name, "!x", f"1.{minor}") != ""]
    assert checked == list(range(first, last + 1))


def test_several_faults_stand_in_order_of_their_names() -> None:
    annotations = {"status.sidecar.istio.io/port": "x", f"{READINESS}/periodSeconds": "y"}
    with pytest.raises(InjectionError) as refusal:
        validate(annotations, behaviour_of("1.31"))
    assert str(refusal.value).startswith("2 errors occurred:\n\t* invalid value 'y' for annotation")
    assert "\n\t* invalid value 'x'" in str(refusal.value)


def test_the_oldest_releases_tell_faults_in_their_own_order() -> None:
    annotations = {f"{READINESS}/periodSeconds": "y", "status.sidecar.istio.io/port": "x"}
    with pytest.raises(InjectionError) as refusal:
        validate(annotations, behaviour_of("1.1"))
    lines = str(refusal.value).splitlines()
    assert [line.split()[7] for line in lines[2:]] == [
        "status.sidecar.istio.io/port:",
        f"{READINESS}/periodSeconds:",
    ]


def test_none_is_an_interception_mode_from_1_1() -> None:
    assert fault("sidecar.istio.io/interceptionMode", "NONE", "1.1") == ""


def test_the_oldest_releases_have_another_frame() -> None:
    with pytest.raises(InjectionError) as refusal:
        validate({"sidecar.istio.io/interceptionMode": "NONE"}, behaviour_of("1.0"))
    assert str(refusal.value) == (
        "1 error occurred:\n\n* injection failed. Invalid value for annotation "
        "sidecar.istio.io/interceptionMode: NONE. Error: interceptionMode invalid: NONE"
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", ""),
        ("statusPort: 9999", ""),
        ("unknownField: 1", ""),
        (
            "drainDuration: banana",
            'failed to convert to apply proxy config: bad Duration: time: invalid duration "banana"',
        ),
        (
            "a: [",
            "failed to convert to apply proxy config: yaml: line 1: did not find expected node content",
        ),
        (
            "discoveryAddress: bad",
            '1 error occurred:\n\t* invalid discovery address: unable to split "bad": address bad: missing port in address\n\n',
        ),
    ],
)
def test_an_annotation_is_judged_as_istios_webhook_judges_it(text, fault):
    assert proxy_config_fault(text, behaviour_of("1.31")) == fault
