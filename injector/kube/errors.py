"""What the API server or the way to it answered, as exceptions of ours.

KubeError
├── Unreachable      no answer: refused, reset, timed out, not TLS
├── Unconfigured     no cluster is known: no kubeconfig, not in a pod
└── ApiError         an answer with a status: code, reason, message
    ├── Forbidden    401, 403: no permission; retried, for somebody may grant it
    ├── NotFound     404
    ├── Conflict     409: somebody wrote first, read again
    └── Gone         410, as a status or as an event in a watch: list again
"""

from __future__ import annotations

from typing import Final

from injector.errors import InjectorError
from injector.json_types import JSON


class KubeError(InjectorError):
    """The base: something between us and the API server."""

    retry_after: float = 0.0
    """Seconds after which the API server asks for a retry; zero if it does not say."""


class Unreachable(KubeError):  # noqa: N818 - a state, named as the log names it
    """No answer came."""


class Unconfigured(KubeError):  # noqa: N818
    """Neither a kubeconfig nor a service account says where the API server is."""


class ApiError(KubeError):
    """The API server's answer: ``code``, ``reason`` and its own sentence, which names verb and resource."""

    def __init__(self, code: int, reason: str, message: str, *, retry_after: float = 0.0) -> None:
        super().__init__(code, reason, message)
        self.code = code
        self.reason = reason
        self.message = message
        self.retry_after = retry_after

    def __str__(self) -> str:
        """Return the API server's sentence with its code."""
        return f"{self.message or self.reason} ({self.code})"


class Forbidden(ApiError):  # noqa: N818
    """No permission; ``str()`` names the verb and the resource."""


class NotFound(ApiError):  # noqa: N818
    """There is no such object or kind."""


class Conflict(ApiError):  # noqa: N818
    """The object has changed since it was read, or already exists."""


class Gone(ApiError):  # noqa: N818
    """The resourceVersion is too old to continue from."""


BY_CODE: Final[dict[int, type[ApiError]]] = {
    401: Forbidden,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
}

MESSAGE_LIMIT = 512
"""Characters kept of an answer that is not a Status: enough for a proxy's message, not for its page."""


def api_error(code: int, body: JSON, *, retry_after: float = 0.0) -> ApiError:
    """Return the exception for a Status object, or for a text in its place."""
    status = body if isinstance(body, dict) else {"message": str(body)[:MESSAGE_LIMIT]}
    code = int(status.get("code") or code)
    kind = BY_CODE.get(code, ApiError)
    return kind(code, str(status.get("reason", "")), str(status.get("message", "")), retry_after=retry_after)
