"""The headers with which Oracle's clients name a request, ask for it again, and find the next page."""

from __future__ import annotations

import hashlib
import re
from typing import Final, TypeAlias

import msgspec

from stepwell.core.errors import Invalid, TooLarge
from stepwell.dialects.mlflow.oracle import wire
from stepwell.web.call import Call

Header: TypeAlias = tuple[str, str]
REQUEST_ID: Final = "opc-request-id"
RETRY: Final = "opc-retry-token"
TOKEN_LENGTH: Final = 64
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,512}")
_PAGED: Final = msgspec.json.Decoder(wire.Paged)


def check_request_id(call: Call) -> None:
    """Invalid: the request id holds what it must not."""
    given = call.header(REQUEST_ID)
    if given is not None and not _REQUEST_ID.fullmatch(given):
        raise Invalid(
            f"the header {REQUEST_ID} holds letters, digits, '_' and '-', and at most 512 of them", field=REQUEST_ID
        )


def request_id(call: Call) -> Header:
    """The id that came, or one of ours; ours too when the one that came cannot be used."""
    given = call.header(REQUEST_ID)
    return REQUEST_ID, given if given is not None and _REQUEST_ID.fullmatch(given) else call.request_id


def retry_token(call: Call) -> str | None:
    """The token under which a request may come again. Invalid, TooLarge."""
    token = call.header(RETRY)
    if token is None:
        return None
    if len(token) > TOKEN_LENGTH:
        raise TooLarge(
            f"the header {RETRY} has {len(token)} characters; the limit is {TOKEN_LENGTH}",
            field=RETRY,
            limit=TOKEN_LENGTH,
        )
    if not token:
        raise Invalid(f"the header {RETRY} is empty", field=RETRY)
    return token


def next_page(body: bytes) -> tuple[Header, ...]:
    """The header for the token that the body of an answer has."""
    token = _PAGED.decode(body).next_page_token
    return (("opc-next-page", token),) if token else ()


def etag(body: bytes) -> str:
    """A name for the content of an answer."""
    return hashlib.blake2b(body, digest_size=16).hexdigest()
