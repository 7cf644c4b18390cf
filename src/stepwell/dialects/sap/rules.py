"""SAP AI Core's own limits and name rules: narrower than core.limits, where its contract is. Nothing is stored."""

from __future__ import annotations

import re
from typing import Final

from stepwell.core.errors import Invalid, TooLarge

METRICS: Final = 1000
LABELS: Final = 20
TAGS: Final = 100
CUSTOM_INFO: Final = 100
CUSTOM_INFO_BYTES: Final = 5 << 20  # names and values of one request together, in UTF-8
NAME_LENGTH: Final = 256
BODY_BYTES: Final = 32 << 20
EXECUTIONS: Final = 10
FILTER_LENGTH: Final = 5000
FILTER_EXPRESSIONS: Final = 100
TOP: Final = 10_000
TOP_DEFAULT: Final = 1000

_EXECUTION_ID: Final = re.compile(r"[\w.-]{4,64}", re.ASCII)
_WORD: Final = re.compile(r"[\w-]")


class PayloadLimit(TooLarge):
    """The request is larger than what the interface takes."""


def check_execution_id(text: str, field: str) -> str:
    """`text` if it may name an execution."""
    if not _EXECUTION_ID.fullmatch(text):
        raise Invalid(
            f"{field}: {shown(text)} is no execution id; it has 4 to 64 letters (A-Z, a-z), digits, '_', '.' and '-'",
            field=field,
        )
    return text


def check_text(text: str, field: str, limit: int | None = NAME_LENGTH) -> str:
    """`text` if it has 1 to `limit` characters; None: any number."""
    if not text:
        raise Invalid(f"{field} is empty; it needs 1 character or more", field=field)
    if limit is not None and len(text) > limit:
        raise TooLarge(f"{field} has {len(text)} characters; the limit is {limit}", field=field, limit=limit)
    return text


def check_metric_name(text: str, field: str) -> str:
    """`text` if it may name a metric: 1 to 256 characters, one of them a letter, a digit, '_' or '-'.

    The contract's pattern has no anchors, and its own example has a space in it.
    """
    check_text(text, field)
    if not _WORD.search(text):
        raise Invalid(f"{field}: {shown(text)} needs a letter, a digit, '_' or '-'", field=field)
    return text


def check_count(count: int, field: str, limit: int) -> None:
    """How many of something a request may hold."""
    if count > limit:
        raise TooLarge(f"{field} holds {count}; the limit is {limit}", field=field, limit=limit)


def check_custom_info_bytes(size: int) -> None:
    """How much custom info a request may hold."""
    if size > CUSTOM_INFO_BYTES:
        raise PayloadLimit(
            f"customInfo has {size} bytes in names and values; the limit is {CUSTOM_INFO_BYTES}",
            field="customInfo",
            limit=CUSTOM_INFO_BYTES,
        )


def shown(text: str) -> str:
    """A text in a message, cut where it is long."""
    return repr(text) if len(text) <= NAME_LENGTH else f"{text[:64]!r}... ({len(text)} characters)"
