"""A service with the fake reviewer as a process of its own: `python -m tests.service.fake_service FOLDER [JSON]`.

FOLDER holds ``certs`` and ``config``; the JSON object overrides options. Prints its two ports.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from injector.errors import InjectorError
from injector.service.options import Drain, Limits, ServiceOptions
from injector.service.process import serve
from tests.service.kit import NAME, load_fake


def options_of(folder: Path, given: dict[str, Any]) -> ServiceOptions:
    base = ServiceOptions(
        inject_config=folder / "config" / "config",
        inject_values=folder / "config" / "values",
        tls_certificate=folder / "certs" / "tls.crt",
        tls_key=folder / "certs" / "tls.key",
        service_names=(NAME,),
        address="127.0.0.1",
        port=0,
        monitoring_address="127.0.0.1",
        monitoring_port=0,
        recheck_seconds=1.0,
    )
    for name, kind in (("drain", Drain), ("limits", Limits)):
        if name in given:
            given[name] = kind(**given[name])
    for name in ("health_check_file", "tls_certificate", "inject_config"):
        if name in given and given[name] is not None:
            given[name] = Path(given[name])
    return replace(base, **given)


def main() -> int:
    folder, *more = sys.argv[1:]
    try:
        return serve(options_of(Path(folder), json.loads(more[0]) if more else {}), load=load_fake)
    except InjectorError as error:
        print(error, file=sys.stderr)  # noqa: T201 - as the command line does
        return 1


if __name__ == "__main__":
    sys.exit(main())
