"""A sidecar injector for Kubernetes: AdmissionReviews in, JSON patches out.

``Injector`` is the library. It is loaded when it is first asked for, so that importing a part of the
package costs no more than that part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from injector.injection.injector import Injector

__version__ = "0.1.0"

__all__ = ["Injector", "__version__"]


def __getattr__(name: str) -> Any:
    """Load the library on first use (PEP 562)."""
    if name == "Injector":
        from injector.injection.injector import Injector  # noqa: PLC0415 - the point of this function

        return Injector
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
