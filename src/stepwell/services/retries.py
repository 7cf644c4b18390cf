"""Requests that a client may send again under one token: the first answer is kept for a day and given again.

An answer is kept beside what it answers, not with it in one transaction: after a crash between the two, the request is
carried out again when it comes again, as if it had had no token.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, replace
from typing import Final

from stepwell.core.errors import AlreadyExists, Busy, Conflict
from stepwell.core.model import Record
from stepwell.core.store import Store
from stepwell.services.entity_records import decode, encode

KIND: Final = "answered_request"
RETRY_FIELD: Final = "retry_token"
KEPT: Final = 24 * 3600 * 1_000_000  # microseconds
UNDER_WAY: Final = 60 * 1_000_000  # after so long, a request without an answer counts as lost in a crash
_SWEPT: Final = 20  # old answers that each new token removes


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer as it went out: status, body, and what one header said of it."""

    status: int
    body: str
    etag: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """`request` tells one request from another; `status` 0: there is no answer yet."""

    request: str
    status: int = 0
    body: str = ""
    etag: str = ""


def begin(
    store: Store, *, workspace: str, caller: str, token: str, request: str, at: int
) -> tuple[Record, Answer | None]:
    """What to hand to `finish` or `forget`, and the answer if this request had one within the last day.

    Conflict (field "retry_token"): the token came with another request. Busy: the same request is under way.
    """
    name = hashlib.sha256(f"{caller}\0{token}".encode()).hexdigest()
    _sweep(store, workspace, at)
    found = store.find_records(workspace=workspace, kind=KIND, where={"token": name}, after=None, limit=1).items
    old = found[0] if found else None
    if old is not None and at - old.created_at < KEPT:
        kept = decode(old, lambda body: _Kept(**body))
        if kept.request != request:
            raise Conflict("this retry token came with another request within the last 24 hours", field=RETRY_FIELD)
        if kept.status:
            return old, Answer(status=kept.status, body=kept.body, etag=kept.etag)
        if at - old.created_at < UNDER_WAY:
            raise Busy("the first request with this retry token is still under way")
    mark = Record(
        kind=KIND,
        id=secrets.token_hex(16),
        body=encode(_Kept(request=request)),
        unique={"token": name},
        created_at=at,
        updated_at=at,
    )
    past = [] if old is None else [old]
    try:
        store.put_records(workspace=workspace, records=[mark], remove=past, unchanged=past)
    except (AlreadyExists, Conflict):
        raise Busy("the first request with this retry token is still under way") from None
    return mark, None


def finish(store: Store, *, workspace: str, mark: Record, request: str, answer: Answer, at: int) -> None:
    """Keep the answer."""
    kept = _Kept(request=request, status=answer.status, body=answer.body, etag=answer.etag)
    store.put_records(workspace=workspace, records=[replace(mark, body=encode(kept), updated_at=at)])


def forget(store: Store, *, workspace: str, mark: Record) -> None:
    """The request failed: the same one may come again."""
    store.delete_records(workspace=workspace, kind=KIND, ids=[mark.id])


def _sweep(store: Store, workspace: str, at: int) -> None:
    oldest = store.find_records(workspace=workspace, kind=KIND, where={}, after=None, limit=_SWEPT).items
    old = [record.id for record in oldest if at - record.created_at >= KEPT]
    if old:
        store.delete_records(workspace=workspace, kind=KIND, ids=old)
