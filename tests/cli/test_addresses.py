"""What of an address is shown, and what is taken for its login."""

from __future__ import annotations

import pytest

from injector.cli.addresses import login_of, shown
from tests.cli.conftest import Run

LOGINS = {
    "https://me:secret@host/app.yaml": ("me:secret", "https://host/app.yaml"),
    "https://token@host:8443/app.yaml": ("token", "https://host:8443/app.yaml"),
    "https://me:sec/ret@host/app.yaml": ("me:sec/ret", "https://host/app.yaml"),
    "https://me:sec?ret@host/app.yaml?token=secret": ("me:sec?ret", "https://host/app.yaml?…"),
    "https://me:sec#ret@host": ("me:sec#ret", "https://host"),
    "https://me:sec@r/e?t@[::1]:8443/": ("me:sec@r/e?t", "https://[::1]:8443/"),
    "https://me:123456/7@host/": ("me:123456/7", "https://host/"),
    "me:sec//ret@host:8443": ("me:sec//ret", "host:8443"),
    "//me:sec/ret@host": ("me:sec/ret", "//host"),
}
NONE = {
    "https://host": "https://host",
    "https://host/pkg@1.20/app.yaml": "https://host/pkg@1.20/app.yaml",
    "https://host?mail=me@host": "https://host?…",
    "https://host:8443/app.yaml?to=https://me:secret@other": "https://host:8443/app.yaml?…",
    "https://host:8443/pkg@1.20/app.yaml": "https://host:8443/…",
    "https://me:1/secret@host/app.yaml": "https://me:1/…",
    "https://[::1]:8443/app.yaml": "https://[::1]:8443/app.yaml",
    "https://host:port/": "https://host:port/",
    "https://[a": "https://[a",
    "https://": "https://",
    "localhost:15017/inject": "localhost:15017/inject",
    "": "",
}


@pytest.mark.parametrize(("address", "both"), LOGINS.items(), ids=LOGINS)
def test_a_login_is_known_and_not_shown_whatever_its_password_has_in_it(
    address: str, both: tuple[str, str]
) -> None:
    assert (login_of(address), shown(address)) == both


@pytest.mark.parametrize(("address", "told"), NONE.items(), ids=NONE)
def test_an_address_without_a_login_is_shown_without_its_query(address: str, told: str) -> None:
    assert (login_of(address), shown(address)) == ("", told)


LOGIN = "https://me:sec/ret@host.invalid"


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("inject", LOGIN), 1, "error: https://host.invalid: cannot fetch it: a login in an address is not"),
        (("inject", LOGIN.upper()), 1, "error: HTTPS://HOST.INVALID: cannot fetch it: a login in an"),
        (("compare", "--old", LOGIN, "--new", "https://x", "x"), 2, "'https://host.invalid' has a login in"),
        (("inject", "x", "--values-file", LOGIN), 2, "Invalid value for '--values-file': this is an address"),
        (("lint", "--inject-config-file", LOGIN), 2, "Invalid value for '--inject-config-file': this is an"),
        (("serve", "--tls-cert-file", LOGIN), 2, "Invalid value for '--tls-cert-file': this is an address"),
    ],
)
def test_no_command_says_a_login(run: Run, arguments: tuple[str, ...], code: int, sentence: str) -> None:
    result = run(*arguments)
    assert (result.returncode, result.stdout) == (code, "")
    assert sentence in result.stderr
    assert not any(part in result.stderr.lower() for part in ("me:", "sec/", "ret@"))
