"""The injector behind the protocol that the service asks: mounted texts in, a reviewer out.

The only module of the service that knows the injector.
"""

from __future__ import annotations

from injector.service.generation import Texts
from injector.service.options import ServiceOptions
from injector.service.reviews import Reviewer


def load_injector(texts: Texts, options: ServiceOptions) -> Reviewer:
    """Compile the texts; ConfigError names file, line, path and reason."""
    raise NotImplementedError
