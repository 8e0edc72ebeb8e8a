"""Names of modules in, empty ones in their place out, while a library is imported.

Some packages import everything they have at once. What of that is never called need not be read.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


@contextmanager
def without(*beginnings: str) -> Iterator[None]:
    """Import modules whose names begin so as empty ones, which have every name; forget them afterwards.

    Those that were imported before stay what they are.
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


class _Empty(MetaPathFinder, Loader):
    def __init__(self, beginnings: tuple[str, ...]) -> None:
        self._beginnings = beginnings

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:  # noqa: ARG002
        return ModuleSpec(fullname, self) if fullname.startswith(self._beginnings) else None

    def exec_module(self, module: ModuleType) -> None:
        module.__getattr__ = _absent  # type: ignore[method-assign]


def _absent(name: str) -> type:
    """Make what a name of an empty module stands for."""
    if name.startswith("__"):
        raise AttributeError(name)
    return type(name, (), {})
