"""``python -m injector`` is ``sidecar-injector``."""

from injector.cli.main import main

main()
