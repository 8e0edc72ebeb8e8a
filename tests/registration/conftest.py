"""What the tests of this room share with those of ``kube``: the fake API server and a client of it."""

from __future__ import annotations

from tests.figures import figures  # noqa: F401 - a fixture
from tests.kube.conftest import api, client  # noqa: F401 - fixtures
