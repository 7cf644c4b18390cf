"""What can go wrong, in the domain's own words. A dialect shapes the body; nobody else knows a status code.

StepwellError
├── Invalid              the request cannot be honoured as written; names the field
│   ├── TooLarge         a limit is exceeded; names the limit
│   └── BadFilter        a filter or order does not parse; names the place in the text
├── NotFound             the thing named does not exist in this workspace
├── AlreadyExists        the name is taken
├── Conflict             the thing exists in a state that forbids this (a param set to another value, a deleted run)
├── Unauthenticated      no credential, or one that is wrong, expired or revoked
├── Forbidden            the credential is good but not for this
└── Unavailable          not now; nothing was stored; retry later
    ├── Busy             a queue is full
    ├── StorageFull      no space left on the device
    │   └── QuotaExceeded  the workspace has as much as it may have; names the quota and the limit
    └── StorageFailed    an fsync or write failed: writing stays stopped until a restart
Corrupt                  stored bytes fail their checksum (never shown as data)
"""

from typing import ClassVar


class StepwellError(Exception):
    """Base of every error with a message that may be shown to the user. The docstring is the default message."""

    code: ClassVar[str] = "internal"

    def __init__(self, message: str = "", *, field: str | None = None, limit: int | None = None) -> None:
        super().__init__(message or (self.__doc__ or "").splitlines()[0])
        self.field = field
        self.limit = limit

    @property
    def message(self) -> str:
        """The text for the user."""
        return str(self.args[0])


class Invalid(StepwellError):
    """The request is not valid."""

    code = "invalid"


class TooLarge(Invalid):
    """A limit is exceeded."""

    code = "too_large"


class BadFilter(Invalid):
    """The filter does not parse."""

    code = "bad_filter"

    def __init__(self, message: str = "", *, position: int = 0, field: str | None = "filter") -> None:
        super().__init__(message, field=field)
        self.position = position


class NotFound(StepwellError):
    """It does not exist."""

    code = "not_found"


class AlreadyExists(StepwellError):
    """It exists already."""

    code = "already_exists"


class Conflict(StepwellError):
    """Its state does not allow this."""

    code = "conflict"


class Unauthenticated(StepwellError):
    """A valid credential is required."""

    code = "unauthenticated"


class Forbidden(StepwellError):
    """The credential does not allow this."""

    code = "forbidden"


class Unavailable(StepwellError):
    """The server cannot take this now; nothing was stored. Try again."""

    code = "unavailable"

    def __init__(
        self, message: str = "", *, retry_after: int = 1, field: str | None = None, limit: int | None = None
    ) -> None:
        super().__init__(message, field=field, limit=limit)
        self.retry_after = retry_after


class Busy(Unavailable):
    """Too much is waiting to be written; nothing was stored. Try again."""

    code = "busy"


class StorageFull(Unavailable):
    """No space is left on the device; nothing was stored."""

    code = "storage_full"


class QuotaExceeded(StorageFull):
    """The workspace has as much as its quota allows; nothing was stored."""

    code = "quota_exceeded"


class StorageFailed(Unavailable):
    """The disk refused a write; writing is stopped until the server is restarted."""

    code = "storage_failed"


class Corrupt(StepwellError):
    """Stored bytes fail their checksum."""

    code = "corrupt"
