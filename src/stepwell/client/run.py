"""A run as the training sees it. Nothing here waits for the network, and nothing here raises into the training.

`log` is the hot path: it looks at the types, copies, appends. Worker and sender do the rest, each in its thread.
"""

from __future__ import annotations

import atexit
import itertools
import json
import multiprocessing.process
import multiprocessing.util
import os
import secrets
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from getpass import getuser
from operator import index
from pathlib import Path
from types import TracebackType
from typing import Any, Final
from urllib.parse import quote

from stepwell.agent.readings import Collector
from stepwell.agent.watch import Watch
from stepwell.client import environment, measuring, outcome, records, texts
from stepwell.client.display import table
from stepwell.client.environment import Target, target
from stepwell.client.limits import EXPERIMENT_LENGTH, NAME_LENGTH, wrong_run_id
from stepwell.client.pipe import Pipe, close_all
from stepwell.client.problems import Problems
from stepwell.client.records import Note
from stepwell.client.transport import Api
from stepwell.client.values import PLAIN, snapshot
from stepwell.client.worker import ROOM, Row

PATIENCE: Final = 30.0  # seconds without any progress after which finish() leaves the rest to `stepwell sync`
_CHILD_PATIENCE: Final = 5.0
_NOTES: Final = "mlflow.note.content"  # the tag that the page and other clients show as a run's notes
_ENDED: Final = frozenset({"FINISHED", "FAILED", "KILLED"})


def init(
    *,
    experiment: str | None = None,
    name: str | None = None,
    params: Mapping[str, Any] | None = None,
    tags: Mapping[str, Any] | None = None,
    notes: str | None = None,
    id: str | None = None,
    resume: bool = False,
    url: str | None = None,
    api_key: str | None = None,
    workspace: str | None = None,
    mode: str | None = None,
    spool: str | os.PathLike[str] | None = None,
    system: bool | float | None = None,
    task: str | None = None,
) -> Run:
    """Begin a run. Does not wait for the server: what cannot be sent now is sent later.

    experiment: made when it is missing; None is the default one. params: nested ones are joined with dots. id: chosen
    here when not given; processes that give the same one write the same run. resume: the run is RUNNING again. url,
    api_key, workspace, mode ("online", "offline" or "disabled"), spool (a folder): else the variables STEPWELL_URL,
    STEPWELL_API_KEY, STEPWELL_WORKSPACE, STEPWELL_MODE, STEPWELL_SPOOL. system: seconds between two samples of the
    machine that this runs on, 0 or False for none; else STEPWELL_SYSTEM, else 5. task: who these samples are of; else
    STEPWELL_TASK, else what the variables of torchrun, SLURM or Kubernetes say, else worker-0.

    ValueError: the id, the mode, the url, the key, the workspace, the seconds or the task can be none.
    """
    where = target(url=url, api_key=api_key, workspace=workspace, mode=mode, spool=spool)
    if resume and id is None:
        raise ValueError("resume needs the id of the run that goes on")
    seconds = environment.interval(system)
    whose = environment.task(task) if seconds else ""
    run_id = secrets.token_hex(16) if id is None else id
    wrong = wrong_run_id(run_id)
    if wrong:
        raise ValueError(f"id {run_id!r}: {wrong}")
    fields = {
        "experiment": experiment,
        "name": name,
        "user": _user(),
        "start_time_us": now(),
        "resume": resume,
    }
    _EXITS.hear()
    run = Run(run_id, where, fields)
    run.change(params=params, tags=tags, notes=notes)
    if seconds:
        run.watch(whose, seconds)
    return run


class Run:
    """A run that is being written. For any thread, and across fork: a child writes on its own."""

    def __init__(
        self, id: str, where: Target, begin: Mapping[str, Any], *, owner: bool = True, late: bool = False
    ) -> None:
        """Use `init`. owner: the run ends when this process does. late: nothing is begun until it logs."""
        self.id = id
        self._where = where
        self._problems = Problems()
        self._begin = {
            **begin,
            "experiment": texts.one(begin["experiment"], "experiment", self._problems.add, EXPERIMENT_LENGTH),
            "name": texts.one(begin["name"], "name", self._problems.add, NAME_LENGTH),
        }
        self._owner = owner
        self._page = f"{Api(where.url).url}/ui/#/runs/{quote(id, safe='')}"
        self._steps = itertools.count()
        self._params: dict[str, str] = {}
        self._last: Mapping[str, Any] = {}
        self._last_step: Any = None
        self._dropped = 0
        self._disabled = where.mode == "disabled"
        self._closed = False
        self._lock = threading.RLock()
        self._opening = False
        self._pipe: Pipe | None = None
        self._watch: Watch | None = None
        if not late:
            self._open()
        me = weakref.ref(self)
        os.register_at_fork(after_in_child=lambda: _with(me, Run.go_on_after_fork))
        _OPEN.add(self)

    @property
    def owned(self) -> bool:
        """Whether it ends with this process."""
        return self._owner

    @property
    def url(self) -> str:
        """The page of this run."""
        return self._page

    @property
    def ended(self) -> bool:
        """Whether it is closed: nothing is kept any more."""
        return self._closed

    @property
    def problems(self) -> dict[str, int]:
        """What went wrong so far, and how often."""
        return self._problems.counts()

    @property
    def dropped(self) -> int:
        """Values that are lost, because nothing could take them."""
        pipe = self._pipe
        return self._dropped + (pipe.worker.lost if pipe else 0)

    def log(self, values: Mapping[str, Any], step: int | None = None, *, time_us: int | None = None) -> None:
        """Keep what was measured: metrics and their values, each a number or a tensor of one number.

        Without `step`: the number of calls without one, from 0. Without `time_us` (microseconds since 1970 UTC): now.
        Never raises, never waits; what cannot be kept is counted in `problems`.
        """
        try:
            pipe = self._pipe or self._open()
            if pipe is None:
                return
            if step is None:
                step = next(self._steps)
            elif type(step) is not int:
                step = index(step)
            kept = dict(values)
            if not PLAIN.issuperset(map(type, kept.values())):
                for name, value in kept.items():
                    kept[name] = snapshot(value)
            worker = pipe.worker
            if pipe.put - worker.taken > ROOM and not worker.relieve():
                self._drop(len(kept))
                return
            pipe.put += len(kept)
            worker.queue.append((time.time_ns() // 1000 if time_us is None else time_us, step, kept))
            if pipe.direct:
                worker.relieve()
            self._last = kept
            self._last_step = step
        except Exception as error:  # noqa: BLE001  a training is worth more than a value
            self._problems.add(f"log() met {type(error).__name__}: {error}")

    def change(
        self,
        *,
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, Any] | None = None,
        remove_tags: Iterable[str] | str = (),
        name: str | None = None,
        notes: str | None = None,
    ) -> None:
        """Set params (each once), set and remove tags, name the run, write its notes. Never raises, never waits."""
        try:
            kept = texts.pairs(params or {}, "param", self._problems.add)
            noted = {} if notes is None else {_NOTES: notes}
            fields = {
                "params": kept,
                "set_tags": texts.pairs({**(tags or {}), **noted}, "tag", self._problems.add),
                "remove_tags": [remove_tags] if isinstance(remove_tags, str) else [str(each) for each in remove_tags],
                "name": texts.one(name, "name", self._problems.add, NAME_LENGTH),
            }
            fields = {field: value for field, value in fields.items() if value not in (None, {}, [])}
            if fields:
                self._params.update(kept)
                self._put(Note(records.CHANGE, fields))
        except Exception as error:  # noqa: BLE001  as in log
            self._problems.add(f"change() met {type(error).__name__}: {error}")

    def alert(self, title: str, text: str = "", *, level: str = "warning") -> None:
        """Something that a person should look at: an event of the run. Never raises, never waits."""
        self.event("alert", title, {"level": level, "text": text})

    def event(
        self, kind: str, text: str, detail: Mapping[str, Any] | None = None, *, time_us: int | None = None
    ) -> None:
        """Something that happened, now or at `time_us`: `kind` is a short word, `text` for people, `detail` any JSON.

        Never raises.
        """
        try:
            told = "" if detail is None else json.dumps(detail)
            event = {"time_us": now() if time_us is None else time_us, "kind": kind, "text": text, "detail": told}
            self._put(Note(records.EVENT, {"event": event}))
        except Exception as error:  # noqa: BLE001  as in log
            self._problems.add(f"the event {kind!r} cannot be kept: {error}")

    def watch(self, task: str, interval: float, collectors: Iterable[Collector] | None = None) -> None:
        """Take samples of the machine every `interval` seconds until the run is closed, in a thread of their own.

        task: who they are of. collectors: all there are, where none are given. Never raises.
        """
        if self._watch is not None or self._closed or self._disabled:
            return
        try:
            watch = measuring.watch(self._keep, self._problems.add, task=task, interval=interval, collectors=collectors)
            watch.start()
            self._watch = watch
        except Exception as error:  # noqa: BLE001  as in log
            self._problems.add(f"the machine cannot be measured: {type(error).__name__}: {error}")

    def tell(self, problem: str) -> None:
        """Count something that went wrong beside the training, and warn of it once."""
        self._problems.add(problem)

    def file(self, path: str | os.PathLike[str], name: str | os.PathLike[str] | None = None) -> None:
        """Upload a file; `name` is its path in the run, by default the file's own name.

        Copies it into the spool first, in this thread, so that it may change or go afterwards. Never raises.
        """
        try:
            pipe = self._pipe or self._open()
            if pipe is not None:
                stored = pipe.keep(Path(path))
                self._put(Note(records.FILE, {"path": os.fspath(name or Path(path).name), "stored": stored}))
        except Exception as error:  # noqa: BLE001  as in log
            self._problems.add(f"the file {path!s} cannot be kept: {error}")

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until all that was logged is on the disk, synced. Whether it is; `problems` tells why not."""
        pipe = self._pipe
        return pipe is None or pipe.worker.flush(timeout)

    def finish(self, status: str = "FINISHED", *, reason: str | None = None, patience: float = PATIENCE) -> bool:
        """End the run with FINISHED, FAILED or KILLED. Otherwise as `close`."""
        self.note_end(status, reason)
        return self.close(patience=patience)

    def note_end(self, status: str, reason: str | None) -> None:
        """As `finish`, without the end. Nothing where it is closed already."""
        if self._closed:
            return
        if status not in _ENDED:
            self._problems.add(f"finish: {status!r} is no status to end with; FINISHED is taken")
            status = "FINISHED"
        why = texts.one(reason, "reason", self._problems.add)
        fields = {"status": status, "end_time_us": now(), **({} if why is None else {"status_reason": why})}
        self._put(Note(records.CHANGE, fields))

    def close(self, *, patience: float = PATIENCE) -> bool:
        """Write and send all, and end the threads, without ending the run: others go on, or a later process.

        Waits while something moves, and `patience` seconds in which nothing does. Whether all is sent (offline: on the
        disk); if not, it is in the spool, and `stepwell sync` sends it.
        """
        return _close([self], patience)

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        status, reason = outcome.of_error(error)
        self.finish(status, reason=reason)

    def __reduce__(self) -> tuple[Any, ...]:
        """In another process this is the same run, with threads of that process's own."""
        return _join, (self.id, self._where, {**self._begin, "resume": False})

    def __repr__(self) -> str:
        return f"<stepwell run {self.id}: {self.url}>"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return table(
            self.url,
            self.id,
            state="ended" if self._closed else self._where.mode,
            params=self._params,
            last=self._last,
            step=self._last_step,
            problems=self.problems,
        )

    def _open(self) -> Pipe | None:
        """The pipe, made when this process has none yet; None once the run is closed."""
        with self._lock:
            if self._disabled:
                return None
            if self._closed:
                self._problems.add("something was logged after the run was closed")
                return None
            if self._opening:
                self._dropped += 1
                self._problems.add("something is lost that a handler of signals logged while the run was begun")
                return None
            if self._pipe is None:
                self._opening = True
                try:
                    direct = multiprocessing.process.current_process().daemon
                    self._pipe = Pipe(self.id, self._where, self._problems, self._begin, direct=direct)
                finally:
                    self._opening = False
                _at_end_of_worker()
            return self._pipe

    def _put(self, note: Note) -> None:
        pipe = self._pipe or self._open()
        if pipe is None:
            return
        if len(pipe.worker.queue) > ROOM:
            self._drop(1)
            return
        pipe.worker.queue.append(note)
        if pipe.direct:
            pipe.worker.relieve()

    def _keep(self, measured: Iterable[Note | Row]) -> None:
        """Of a watch, which is stopped before the pipe is: there is one, unless the run is closed."""
        pipe = self._pipe
        if pipe is None:
            return
        for record in measured:
            if len(pipe.worker.queue) > ROOM:
                self._drop(1)
                continue
            if isinstance(record, tuple):
                pipe.put += len(record[2])
            pipe.worker.queue.append(record)

    def _drop(self, count: int) -> None:
        self._dropped += count
        self._problems.add("values lost, as they come faster than they can be written", count)

    def leave(self) -> Pipe | None:
        """Take nothing more. What is in the pipe is to be sent; None: there is none, or somebody sees to it already."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.stop()
        with self._lock:
            pipe, self._pipe = self._pipe, None
            self._closed = True
        _OPEN.discard(self)
        return pipe

    def left(self, pipe: Pipe) -> None:
        """Say what became of all, once the pipe is closed."""
        lost = pipe.lost
        if lost > pipe.worker.lost:
            what = (
                "values lost: they were in memory when the run was closed, as neither the disk nor the server took them"
            )
            self._problems.add(what, lost - pipe.worker.lost)
        self._dropped += lost
        self._problems.sum_up()
        if self._dropped:
            self._problems.tell(f"{self._dropped} values of run {self.id} are lost")
        if not pipe.whole:
            self._problems.tell(
                f"not all of run {self.id} arrived; to send it: stepwell sync {pipe.outbox.folder.parent}"
            )

    def go_on_after_fork(self) -> None:
        """In the child. Nothing is begun until it logs; locks of threads that are not here are made anew."""
        self._lock = threading.RLock()
        self._opening = False
        self._problems = Problems()
        self._owner = False
        self._dropped = 0
        self._begin = {**self._begin, "resume": False}
        self._watch = None
        pipe, self._pipe = self._pipe, None
        if pipe is not None:
            pipe.abandon()


def now() -> int:
    """Microseconds since 1970 UTC."""
    return time.time_ns() // 1000


# Runs that came here from another process, one for each however often it comes: a pool brings it with every task. Who
# unpickles has no other place to look for it.
_JOINED: Final[dict[tuple[str, Target], Run]] = {}
# Runs that nobody has closed yet: they end with the process, though the training may have forgotten them by then.
_OPEN: Final[set[Run]] = set()
_EXITS: Final = outcome.Exits()


def _close(runs: Iterable[Run], patience: float) -> bool:
    """Close them beside each other. Whether all of all is where it belongs."""
    left = [(run, pipe) for run in runs if (pipe := run.leave()) is not None]
    try:
        close_all([pipe for _, pipe in left], patience)
    finally:
        for run, pipe in left:
            run.left(pipe)
    return all(pipe.whole for _, pipe in left)


def _end_with_process() -> None:
    """Close all that are open, and end those that are this process's own, as it ends."""
    runs = list(_OPEN)
    own = [run for run in runs if run.owned]
    status, reason = outcome.of_process(_EXITS.code)
    for run in own:
        run.note_end(status, reason)
    with suppress(KeyboardInterrupt):  # what is left has been told, and somebody does not want to wait
        _close(runs, PATIENCE if own else _CHILD_PATIENCE)


atexit.register(_end_with_process)


def _join(run_id: str, where: Target, begin: Mapping[str, Any]) -> Run:
    """Late, for multiprocessing unpickles before it makes the process that forgets all finalizers of before."""
    run = _JOINED.get((run_id, where))
    if run is None or run.ended:
        run = _JOINED[run_id, where] = Run(run_id, where, begin, owner=False, late=True)
    return run


def _with(reference: weakref.ref[Run], act: Callable[[Run], None]) -> None:
    run = reference()
    if run is not None:
        act(run)


def _at_end_of_worker() -> None:
    """multiprocessing ends forked children without atexit, but none without its own finalizers."""
    if multiprocessing.process.parent_process() is not None:
        multiprocessing.util.Finalize(None, _end_with_process, exitpriority=100)


def _user() -> str:
    try:
        return getuser().encode(errors="replace").decode()
    except (OSError, KeyError, ImportError):  # no name for this number
        return ""
