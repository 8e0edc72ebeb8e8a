"""``sidecar-injector certs``: write development certificates to files."""

from __future__ import annotations

import ipaddress
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import click

from injector.cli.files import SECRET, FileError, write_whole
from injector.cli.options import Named, option
from injector.registration.issue import issue_ca, issue_leaf, service_names

LOOPBACK = ("localhost", "127.0.0.1", "::1")

LABEL: Final = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
"""A label of RFC 1123, the form of Service and namespace names; a DNS name may also contain capitals."""

DNS_NAME: Final = re.compile(rf"(?=.{{1,253}}\Z)(\*\.)?{LABEL}(\.{LABEL})*", re.IGNORECASE)


def _checked_label(_context: click.Context, parameter: click.Parameter, value: str) -> str:
    if not re.fullmatch(LABEL, value):
        raise click.BadParameter(
            f"{value!r} is not a name: 1 to 63 of a-z, 0-9 and -, the first and last no -", param=parameter
        )
    return value


def _checked_names(
    _context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    for value in values:
        if not DNS_NAME.fullmatch(value) and not _is_address(value):
            raise click.BadParameter(
                f"{value!r} is neither a DNS name nor an IP address; write an international name as xn--…",
                param=parameter,
            )
    return values


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


EPILOG = """\b
Examples:
  sidecar-injector certs
  sidecar-injector certs --directory /tmp/certs --namespace mesh --dns-name injector.test
  openssl verify -CAfile certs/ca.crt certs/tls.crt
"""


@click.command("certs", epilog=EPILOG)
@click.option("-d", "--directory", default="certs", show_default=True, type=Named(path_type=Path))
@option(
    "--service-name",
    was=["--service"],
    default="sidecar-injector",
    show_default=True,
    callback=_checked_label,
    help="Name of the webhook's Service.",
)
@click.option(
    "-n",
    "--namespace",
    default="istio-system",
    show_default=True,
    callback=_checked_label,
    help="Namespace of the Service.",
)
@option(
    "--dns-name",
    "more_names",
    multiple=True,
    callback=_checked_names,
    help="A further DNS name or IP address; repeatable.",
)
@click.option(
    "--days", default=365, show_default=True, type=click.IntRange(1, 3650), help="Days of validity."
)
@click.option("--force", is_flag=True, help="Replace the files that are there.")
def command(
    *,
    directory: Path,
    service_name: str,
    namespace: str,
    more_names: tuple[str, ...],
    days: int,
    force: bool,
) -> None:
    """Make a development CA and a certificate for the webhook.

    Writes ca.crt, tls.crt and tls.key (ECDSA P-256; the key with mode 0600). The CA's own key is not
    kept: to renew, run it again and give the new ca.crt to whoever trusted the old one.
    """
    if not force and (present := _present(directory)):
        msg = f"{directory / present[0]} is there already; --force makes new certificates in its place"
        raise click.ClickException(msg)
    now = datetime.now(UTC)
    lifetime = timedelta(days=days)
    names = (*service_names(service_name, namespace), *LOOPBACK, *more_names)
    authority = issue_ca(name=f"{service_name} development CA", now=now, lifetime=lifetime)
    leaf = issue_leaf(authority, names=names, now=now, lifetime=lifetime)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError("make the folder", directory, error) from error
    write_whole(directory / "tls.key", leaf.key, mode=SECRET)
    write_whole(directory / "tls.crt", leaf.certificate)
    write_whole(directory / "ca.crt", authority.certificate)
    click.echo(f"{directory}: ca.crt, tls.crt and tls.key, valid for {days} days", err=True)
    click.echo(f"names: {', '.join(names)}", err=True)


def _present(directory: Path) -> list[str]:
    """Return which of the files already exist; FileError where that cannot be checked."""
    try:
        return [name for name in ("ca.crt", "tls.crt", "tls.key") if (directory / name).exists()]
    except OSError as error:
        raise FileError("look into it", directory, error) from error
