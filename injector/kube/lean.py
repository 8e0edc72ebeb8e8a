"""Import large libraries without the parts that we do not use."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Final

_AUTHORITIES: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""The variables that tell OpenSSL where the system's certificate authorities are."""


@contextmanager
def without_authorities() -> Iterator[None]:
    """Let OpenSSL find no certificate authorities of the system inside this block.

    aiohttp reads them twice when it is imported, which takes 60 ms, for clients that bring none of their own.
    We have no such client; it would trust no server.
    """
    before = {name: os.environ.get(name) for name in _AUTHORITIES}
    os.environ.update(dict.fromkeys(_AUTHORITIES, os.devnull))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def without(*beginnings: str) -> Iterator[None]:
    """Import modules with these prefixes as empty ones, which have every name; forget them afterwards.

    Modules that were imported before are not affected.
    """
    before = sys.modules.keys() | set()
    finder = _Empty(beginnings)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if name not in before and name.startswith(beginnings)]:
            del sys.modules[name]


class Absent:
    """Stands for every name of a module that was imported as an empty one."""


class _Empty(MetaPathFinder, Loader):
    """Finds the same empty package for all names with these prefixes: there are hundreds of them."""

    def __init__(self, beginnings: tuple[str, ...]) -> None:
        self._beginnings = beginnings
        self._module = ModuleType("empty")
        self._module.__getattr__ = _absent  # type: ignore[method-assign]

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:  # noqa: ARG002
        if not fullname.startswith(self._beginnings):
            return None
        return ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:  # noqa: ARG002
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing."""


def _absent(name: str) -> type[Absent]:
    if name.startswith("__"):
        raise AttributeError(name)
    return Absent
