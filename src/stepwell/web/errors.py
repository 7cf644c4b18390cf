"""Problems of HTTP itself, and the one table from the domain's errors to status codes.

The dialects shape the bodies.
"""

from typing import Final

from stepwell.core.errors import (
    AlreadyExists,
    Conflict,
    Corrupt,
    Forbidden,
    Invalid,
    NotFound,
    StepwellError,
    StorageFull,
    Unauthenticated,
    Unavailable,
)


class HttpProblem(Exception):
    """A request that HTTP alone can judge: unknown path, wrong verb, body too large. `code` is one stable word.

    `headers` go into the answer whatever shape the dialect gives its body. `close` ends the connection after it.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        headers: tuple[tuple[str, str], ...] = (),
        close: bool = False,
        limit: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers
        self.close = close
        self.limit = limit


# The first class that fits decides.
_STATUS: Final[tuple[tuple[type[StepwellError], int], ...]] = (
    (Invalid, 400),
    (NotFound, 404),
    (AlreadyExists, 409),
    (Conflict, 409),
    (Unauthenticated, 401),
    (Forbidden, 403),
    (StorageFull, 507),
    (Unavailable, 503),
    (Corrupt, 500),
)


def status_of(error: StepwellError | HttpProblem) -> int:
    """The status code that HTTP has for `error`; dialects deviate only where their contract does."""
    if isinstance(error, HttpProblem):
        return error.status
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def headers_of(error: StepwellError | HttpProblem) -> tuple[tuple[str, str], ...]:
    """Headers that belong to `error` in every dialect. The application adds them, a dialect need not."""
    if isinstance(error, HttpProblem):
        return error.headers
    if isinstance(error, Unavailable):
        return (("retry-after", str(error.retry_after)),)
    if isinstance(error, Unauthenticated):
        return (("www-authenticate", 'Basic realm="stepwell", charset="UTF-8"'),)
    return ()


def not_found(path: str) -> HttpProblem:
    """No such path."""
    return HttpProblem(404, "unknown_path", f"there is nothing at {path}")


def wrong_verb(verb: str, path: str, allowed: tuple[str, ...]) -> HttpProblem:
    """The path exists, for other verbs."""
    allow = ", ".join(allowed)
    return HttpProblem(405, "wrong_verb", f"{path} does not take {verb}, only {allow}", headers=(("allow", allow),))


def body_too_large(limit: int) -> HttpProblem:
    """413, after which the connection ends."""
    return HttpProblem(
        413, "body_too_large", f"the request body is larger than the limit of {limit} bytes", close=True, limit=limit
    )


def internal(request_id: str) -> HttpProblem:
    """An error of ours, of which the user learns only where to find it in the log."""
    return HttpProblem(
        500, "internal", f"internal error; the server's log has the details under request id {request_id}"
    )
