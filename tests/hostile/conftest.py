"""The fixtures of this room."""

from tests.figures import figures  # noqa: F401 - a fixture
