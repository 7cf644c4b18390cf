"""Sending what a spool holds from outside the training: after offline work, a crash, or a server that was away."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stepwell.client.delivery import Delivery, Sums
from stepwell.client.outbox import Outbox, Place, is_settled, outboxes
from stepwell.client.sender import backoff
from stepwell.client.transport import Api, Unavailable

_TRIES: Final = 6  # in a row without anything sent between them
_NO_ROOM: Final = 507  # which nobody makes within a minute


@dataclass(frozen=True)
class Left:
    """An outbox with something unsent: its run, its bytes, and where it was meant to go."""

    outbox: Outbox
    run_id: str
    size: int
    url: str
    workspace: str


def unsent(folder: Path, tell: Callable[[str], None]) -> Iterator[Left]:
    """Every outbox below a folder that has something to send. `tell` hears of those that cannot be read."""
    for outbox in outboxes(folder):
        size = outbox.unsent_bytes()
        if not size:
            continue
        head = outbox.head()
        if isinstance(head.get("run"), str):
            yield Left(outbox, head["run"], size, str(head.get("url") or ""), str(head.get("workspace") or ""))
        else:
            tell(f"{outbox.folder}: nothing in it says which run this is; {size} bytes are damaged, or not whole yet")


def send(api: Api, left: Left, tell: Callable[[str], None], moved: Callable[[int], None]) -> Sums:
    """Send all of it. `moved` hears how many bytes are left. Denied; Unavailable after some tries.

    Where its process may still be writing, the last frame may not be whole: that is told, and left for another time.
    """
    delivery = Delivery(api, left.run_id, left.outbox, tell)
    failures = 0

    def sent(_: Place) -> None:
        nonlocal failures
        failures = 0
        moved(left.outbox.unsent_bytes())

    while True:
        try:
            delivery.deliver(ended=is_settled(left.outbox), sent=sent)
        except Unavailable as error:  # noqa: PERF203  a request takes longer than any try
            failures += 1
            if failures >= _TRIES or error.status == _NO_ROOM:
                raise
            time.sleep(max(backoff(failures - 1, random.random()), error.retry_after or 0.0))  # noqa: S311  no secret
        else:
            _tell_unfinished(left.outbox, tell)
            return delivery.sums


def _tell_unfinished(outbox: Outbox, tell: Callable[[str], None]) -> None:
    if (size := outbox.unsent_bytes()) and next(outbox.items(outbox.sent(), ended=False), None) is None:
        tell(f"{outbox.folder}: its last {size} bytes are not whole yet; if it is still being written, run this again")
