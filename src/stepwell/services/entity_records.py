"""Entities as records and back: the JSON of a body, all records of a kind, and changes that nobody else undoes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Final, TypeVar

from stepwell.core.errors import Busy, Conflict, Corrupt
from stepwell.core.model import Record
from stepwell.core.store import Store

T = TypeVar("T")
Body = Mapping[str, Any]
PAGE: Final = 1_000  # records read at once
ATTEMPTS: Final = 50  # how often a change is begun anew when others change the same entity meanwhile


def encode(entity: object) -> str:
    """The body of a record: a dataclass of texts, whole numbers, mappings, sequences and such dataclasses, as JSON."""
    return json.dumps(entity, default=_plain, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def decode(record: Record, build: Callable[[Body], T]) -> T:
    """What `build` makes of the body. Corrupt: it cannot."""
    try:
        return build(json.loads(record.body))
    except (ValueError, TypeError, KeyError) as error:
        raise Corrupt(f"the {record.kind} {record.id!r} cannot be read: {error}") from None


def every(store: Store, *, workspace: str, kind: str, where: Mapping[str, str]) -> Iterator[Record]:
    """All records of a kind whose values equal all of `where`, in the order of creation, then id."""
    after = None
    while True:
        page = store.find_records(workspace=workspace, kind=kind, where=where, after=after, limit=PAGE)
        yield from page.items
        after = page.after
        if after is None:
            return


def persist(change: Callable[[], T]) -> T:
    """What `change` returns. It reads, then writes as long as what it read is unchanged; a Conflict begins it anew.

    Busy: others kept changing the same entity.
    """
    for _ in range(ATTEMPTS):
        try:
            return change()
        except Conflict:
            continue
    raise Busy("others keep changing this; nothing was stored. Try again.")


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Mapping):  # json knows dict alone
        return dict(value)
    raise TypeError(f"a {type(value).__name__} has no JSON form")
