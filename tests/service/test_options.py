"""Options, checked as a whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from injector.errors import ConfigError
from injector.service.options import Drain, Limits, ServiceOptions


def test_the_defaults_are_these() -> None:
    options = ServiceOptions()
    options.check()
    assert (options.port, options.monitoring_port) == (443, 15014)
    limits = Limits()
    assert limits.body_bytes == 8 << 20
    assert limits.in_flight_bytes is None
    assert limits.keepalive_seconds >= 120
    assert max(limits.handshake_seconds, limits.head_seconds, limits.body_seconds) <= 10
    assert options.cache_bytes == 32 << 20
    assert options.drain == Drain(minimum=10, quiet=3, maximum=60, in_flight=10)


FAULTS = {
    "the certificate file and the key file must be given together": {"tls_key": Path("k")},
    "port -1 is not between": {"port": -1},
    "the webhook and the monitoring port are both 8443": {"port": 8443, "monitoring_port": 8443},
    "the health check needs both": {"health_check_interval": 1.0},
    "client names are checked only together with a client CA": {"client_names": ("x",)},
    "a client CA needs a certificate from files": {"client_ca": Path("ca.crt")},
    "more than 0 seconds": {"recheck_seconds": 0.0},
    "quiet must not be negative": {"drain": Drain(quiet=-1)},
    "in_flight_bytes must not be negative": {"limits": Limits(in_flight_bytes=-1)},
    "trusted peer '10.0.0.0/33' is not an IP address": {"trusted_peers": ("10.0.0.1", "10.0.0.0/33")},
    "caches' memory must be at least 8388608 bytes": {"cache_bytes": 1 << 20},
    "connections must not be negative": {"limits": Limits(connections=-1)},
}


@pytest.mark.parametrize("words", FAULTS, ids=str)
def test_a_fault_is_named(words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        ServiceOptions(**FAULTS[words]).check()  # type: ignore[arg-type]


def test_faults_are_told_together() -> None:
    with pytest.raises(ConfigError, match=r"port 70000 .*; client names"):
        ServiceOptions(port=70000, client_names=("x",)).check()
