"""The thread that sends what the spool holds, again and again until it is there. The training never waits for it."""

from __future__ import annotations

import math
import random
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Final

from stepwell.client import records
from stepwell.client.delivery import Delivery, FilesWait
from stepwell.client.outbox import Outbox, Place, has_ended, outboxes
from stepwell.client.problems import Problems
from stepwell.client.spool import Spool
from stepwell.client.transport import Api, Denied, Unavailable

PERIOD: Final = 0.5  # seconds between two looks at the spool
_FIRST_DELAY: Final = 0.5
_LAST_DELAY: Final = 60.0
_ENDING_DELAY: Final = 2.0  # somebody waits
_DENIED_DELAY: Final = 60.0
_CLOCKS_APART: Final = 300.0


def backoff(failures: int, chance: float) -> float:
    """Seconds to wait after so many failures in a row; `chance` of 0 to 1 spreads those who failed together."""
    most: float = min(_LAST_DELAY, _FIRST_DELAY * 2 ** min(failures, 20))
    return most * (0.5 + chance / 2)


def _delay(failures: int, error: Unavailable) -> float:
    return max(backoff(failures, random.random()), error.retry_after or 0.0)  # noqa: S311  no secret


class Sender:
    """Sends one outbox while `spool` writes it, and removes what is sent."""

    def __init__(self, api: Api, run_id: str, outbox: Outbox, spool: Spool, problems: Problems) -> None:
        self._api = api
        self._run_id = run_id
        self._outbox = outbox
        self._spool = spool
        self._problems = problems
        self._delivery = self._delivery_of(outbox)
        self._files_failed = 0  # times in a row
        self._files_from = 0.0  # the moment from which those that wait are tried again
        self._furthest: dict[Path, int] = {}  # bytes of files
        api.moved = self._file_moved
        self._wake = threading.Event()
        self._ending = False
        self._given_up = False
        self._progress = time.monotonic()
        self._clock_due = True
        self.whole = False
        self._patience = math.inf
        self._thread = threading.Thread(target=self._run, name="stepwell-send", daemon=True)

    def start(self) -> None:
        """Begin. RuntimeError where no thread can be: then `join` does its work."""
        self._thread.start()

    def stop(self) -> None:
        """Once the spool is closed: send the rest and end."""
        self._progress = time.monotonic()
        self._ending = True
        self._wake.set()

    def join(self, patience: float) -> None:
        """After `stop`: wait for the end, as long as something moves, and `patience` seconds in which nothing does.
        `whole` is whether all is sent."""
        if self._thread.ident is None:
            self._patience = patience
            self._run()
        while self._thread.is_alive() and time.monotonic() - self._progress < patience:
            self._thread.join(0.05)

    def give_up(self) -> None:
        """Leave the rest where it is."""
        self._given_up = True
        self._wake.set()

    def _run(self) -> None:
        failures = 0
        while not self._over():
            try:
                ending = self._ending  # before looking: what is written afterwards is for the next round
                self._round(ended=ending)
                failures = 0
                if ending:
                    self._leave()
                    self.whole = True
                    return
                self._wake.wait(PERIOD)
                self._wake.clear()
                continue
            except Unavailable as error:
                failures += 1
                delay = _delay(failures, error)
                self._tell(error)
            except Denied as error:
                delay = _DENIED_DELAY
                self._problems.add("the server refuses the credential, values are kept in the spool", detail=str(error))
            except Exception as error:  # noqa: BLE001  this thread must live as long as the training
                failures += 1
                delay = backoff(failures, 1.0)
                self._problems.add(f"sending met {type(error).__name__}", detail=str(error))
            self._pause(delay)
        self._api.close()

    def _tell(self, error: Unavailable) -> None:
        what = "does not take all now" if error.status else "cannot be reached"
        self._problems.add(f"the server {what}, values are kept in the spool", detail=str(error))

    def _over(self) -> bool:
        return self._given_up or time.monotonic() - self._progress >= self._patience

    def _pause(self, delay: float) -> None:
        """Wait; when the run ends meanwhile, not as long."""
        until = time.monotonic() + delay
        while (left := until - time.monotonic()) > 0 and not self._over():
            if self._ending:
                left = min(left, _ENDING_DELAY)
                until = min(until, time.monotonic() + left)
            self._wake.clear()
            if self._wake.wait(left):
                continue

    def _round(self, *, ended: bool) -> None:
        waits = self._deliver(ended=ended)
        self._send_held()
        if self._clock_due and self._api.ahead is not None:
            self._clock_due = False
            self._look_at_clock(self._api.ahead)
        if waits is not None and ended:
            raise waits

    def _deliver(self, *, ended: bool) -> FilesWait | None:
        """Send what there is; why files wait, which has its own pace until the run ends. Unavailable, Denied."""
        late = ended or time.monotonic() >= self._files_from
        try:
            self._delivery.deliver(ended=ended, late=late, sent=self._sent)
        except FilesWait as error:
            if late and not ended:
                self._files_failed += 1
                self._files_from = time.monotonic() + _delay(self._files_failed, error)
                self._tell(error)
            return error
        self._files_failed, self._files_from = 0, 0.0
        return None

    def _look_at_clock(self, ahead: float) -> None:
        if abs(ahead) > _CLOCKS_APART:
            how = f"{timedelta(minutes=round(abs(ahead) / 60))} {'ahead of' if ahead > 0 else 'behind'} the server's"
            self._problems.add(
                "this machine's clock is wrong, or the server's, and so are the times of values", detail=how
            )

    def _file_moved(self, file: Path, sent: int) -> None:
        """To send the same part again and again gets nobody further."""
        if sent > self._furthest.get(file, 0):
            self._furthest[file] = sent
            self._note_progress()

    def _note_progress(self) -> None:
        self._progress = time.monotonic()

    def _sent(self, place: Place) -> None:
        self._note_progress()
        self._outbox.drop_before(place.segment, but=self._delivery.segments_due)

    def _send_held(self) -> None:
        """What a full disk does not take goes to the server from memory."""
        first, payloads = self._spool.held()
        if not payloads:
            return
        self._delivery.send([records.decode(payload) for payload in payloads])
        self._spool.let_go(first, len(payloads))
        self._note_progress()

    def _leave(self) -> None:
        """All is sent: send what ended processes of the same run left behind, and remove what is not needed."""
        self._outbox.remove()
        for each in outboxes(self._outbox.folder.parent):
            if each.folder != self._outbox.folder and has_ended(each):
                self._delivery_of(each).deliver(ended=True, sent=self._other_sent)
                each.remove()
        self._api.close()

    def _other_sent(self, _: Place) -> None:
        self._note_progress()

    def _delivery_of(self, outbox: Outbox) -> Delivery:
        return Delivery(self._api, self._run_id, outbox, self._problems.add)
