"""The PostgreSQL server as this engine sees it: connections, transactions, errors. What is asked of it is elsewhere."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from importlib.resources import files
from time import monotonic
from typing import Any, Final, Self

import psycopg
from psycopg import ClientCursor, errors
from psycopg.abc import Buffer
from psycopg.adapt import Dumper, Loader
from psycopg.rows import tuple_row
from psycopg_pool import ConnectionPool, PoolTimeout

from stepwell.core.errors import Busy, Invalid, StepwellError, StorageFailed, StorageFull
from stepwell.storage.catalog.sql import Idiom, Statements
from stepwell.storage.warehouse.patience import BoundedConnection, Watch, bounded
from stepwell.storage.warehouse.prepared import PreparingConnection, Value

CONNECT_SECONDS: Final = 5
VAIN_SECONDS: Final = 0.05  # the same where somebody has just waited in vain
ANSWER_SECONDS: Final = 120
UNHURRIED: Final = "SET LOCAL idle_in_transaction_session_timeout = 0"  # for who waits for something else meanwhile
STUCK_SECONDS: Final = ANSWER_SECONDS + 10  # a server that works would have ended the statement itself
BATCH: Final = 500  # statements that are sent at once
_PLACE: Final = re.compile(r"'[^']*'|\?|(?<![:\w]):([a-z_]\w*)|%")
_ESCAPED: Final = re.compile("[\0\1]")
_UNESCAPED: Final = re.compile("\1([\1\2])")
POSTGRES: Final = Idiom(texts="each_text", numbers="each_number", indexed="", onward="JOIN")
# Locked while they are read by who means to change something: then what was checked still holds at the commit.
LOCKED: Final = {
    "find_workspace": "workspace",
    "find_run": "run",
    "find_runs": "run",
    "find_credential": "credential",
}


class _Text(Dumper):
    """Text. PostgreSQL stores no NUL: it is written as \\1\\1, and \\1 as \\1\\2, which keeps the order of texts."""

    def dump(self, obj: str) -> Buffer:
        if _ESCAPED.search(obj):
            obj = _ESCAPED.sub(lambda found: "\1\1" if found[0] == "\0" else "\1\2", obj)
        return obj.encode()

    def quote(self, obj: str) -> Buffer:
        text = bytes(self.dump(obj))
        quoted = b"'" + text.replace(b"'", b"''") + b"'"
        return b" E" + quoted.replace(b"\\", b"\\\\") if b"\\" in text else quoted


class _TextLoader(Loader):
    """Text as it was before `_Text` wrote it."""

    def load(self, data: Buffer) -> str:
        text = bytes(data).decode()
        return _unescaped(text) if "\1" in text else text


class _TextsLoader(Loader):
    """An object or a list of texts as JSON, these as they were before `_Text` wrote them."""

    def load(self, data: Buffer) -> str:
        text = bytes(data).decode()
        if "\\u0001" not in text:
            return text
        found = json.loads(text)
        if isinstance(found, list):
            return json.dumps([_unescaped(each) for each in found])
        return json.dumps({_unescaped(name): _unescaped(value) for name, value in found.items()})


def _unescaped(text: str) -> str:
    return _UNESCAPED.sub(lambda found: "\0" if found[1] == "\1" else "\1", text)


class _Bool(Dumper):
    """Truth as a number, as the tables have it."""

    def dump(self, obj: bool) -> Buffer:
        return b"1" if obj else b"0"

    def quote(self, obj: bool) -> Buffer:
        return self.dump(obj)


@lru_cache(maxsize=4096)
def placed(statement: str) -> str:
    """The statement with its places for values (`?` and `:name`) as psycopg writes them."""

    def place(found: re.Match[str]) -> str:
        if found[0] == "?":
            return "%s"
        if found[1]:
            return f"%({found[1]})s"
        return found[0].replace("%", "%%")

    return _PLACE.sub(place, statement)


class Wordings:
    """The catalog's statements in the words of PostgreSQL: for who reads, and for who changes something."""

    def __init__(self) -> None:
        shared = Statements.load("queries.sql")
        own = Statements(files(__package__).joinpath("wording.sql").read_text("utf-8"))
        self.own = frozenset(own)
        self.reading = {**{name: shared[name] for name in shared}, **{name: own[name] for name in own}}
        locked = {name: f"{self.reading[name]}\nFOR UPDATE OF {table}" for name, table in LOCKED.items()}
        self.writing = {**self.reading, **locked}


WORDINGS: Final = Wordings()


class Connection:
    """Implements storage.catalog.sql.Connection over one connection of psycopg. For one thread at a time."""

    idiom = POSTGRES

    def __init__(self, raw: PreparingConnection, wording: Mapping[str, str]) -> None:
        self.wording = wording
        self._cursor = ClientCursor(raw, row_factory=tuple_row)
        self._raw = raw
        self._changes = self._total_changes = 0

    def execute(self, statement: str, bindings: Any = None, /) -> Self:
        """Run a statement; then `fetchall` answers."""
        if isinstance(bindings, Mapping):
            self._cursor.execute(placed(statement), bindings)
        else:
            self._cursor.execute(placed(statement), tuple(bindings or ()))
        self._changes = self._cursor.rowcount
        return self

    def fetchall(self) -> list[tuple[Any, ...]]:
        """The rows of the last statement, none where it answers none."""
        return self._cursor.fetchall() if self._cursor.description else []

    def executemany(self, statement: str, bindings: Iterable[Any], /) -> list[tuple[Any, ...]]:
        """Run it for each of some bindings, many at once; the rows of all answers."""
        words = placed(statement)
        rows: list[tuple[Any, ...]] = []
        waiting: list[str] = []
        for each in bindings:
            waiting.append(self._cursor.mogrify(words, each))
            if len(waiting) == BATCH:
                rows += self._all(waiting)
                waiting = []
        return [*rows, *self._all(waiting)]

    def _all(self, statements: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        if not statements:
            return
        self._cursor.execute(";\n".join(statements))
        while True:
            self._total_changes += self._cursor.rowcount
            yield from self.fetchall()
            if not self._cursor.nextset():
                return

    def ask(self, statement: str, bindings: Mapping[str, Value]) -> list[tuple[Any, ...]]:
        """The rows of a statement that is run often, and kept prepared: see `PreparingConnection`."""
        return self._raw.ask(statement, bindings)

    def script(self, statements: str) -> None:
        """Run statements that have no places for values and answer nothing."""
        self._cursor.execute(statements)

    def changes(self) -> int:
        """How many rows the last statement touched."""
        return self._changes

    def total_changes(self) -> int:
        """As `storage.catalog.sql.Connection` says."""
        return self._total_changes


class Database:
    """A pool of connections to one PostgreSQL database. Any number of threads may share it."""

    def __init__(self, url: str, *, size: int = 16) -> None:
        """Raises Busy when the server does not answer, Invalid for a URL that is none."""
        try:
            given = psycopg.conninfo.conninfo_to_dict(url)
        except psycopg.ProgrammingError:  # whose words repeat what was not understood, passwords too
            raise Invalid("the URL of the catalog is none that PostgreSQL's library takes", field="store") from None
        logging.getLogger("psycopg.pool").setLevel(logging.ERROR)  # what goes wrong we say ourselves, and once
        self._unreached = ""  # why the last attempt to connect failed
        self._vain_until = 0.0  # until when nobody waits for a connection again
        self._watch = Watch(STUCK_SECONDS)
        self._pool = ConnectionPool(
            url,
            min_size=1,
            max_size=size,
            timeout=CONNECT_SECONDS,
            reconnect_timeout=CONNECT_SECONDS,  # it waits longer and longer; who asks next begins anew
            open=False,
            connection_class=BoundedConnection,
            kwargs={
                "autocommit": True,
                "connect_timeout": CONNECT_SECONDS,
                "client_encoding": "utf8",
                "prepare_threshold": None,  # psycopg would forget after each ROLLBACK what is prepared, ours too
                "failed": self._failed,
                **bounded(ANSWER_SECONDS, options=str(given.get("options") or "")),
            },
            configure=self._configure,
        )
        self._pool.open()

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A connection that reads the database as it is at one moment."""
        with told(), self._begun("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY") as raw:
            try:
                yield Connection(raw, WORDINGS.reading)
            finally:
                _end(raw, "ROLLBACK")

    @contextmanager
    def changing(self) -> Iterator[Connection]:
        """A connection in a transaction that is committed at the end, unless something is raised: then nothing of it is
        stored, but for StorageFailed from the commit itself, after which that is not known."""
        with told(), self._begun("BEGIN") as raw:
            try:
                yield Connection(raw, WORDINGS.writing)
            except BaseException as error:
                _end(raw, "ROLLBACK")
                if isinstance(error.__cause__ or error, errors.ReadOnlySqlTransaction):
                    self.renew()
                raise
            try:
                raw.execute("COMMIT")
            except errors.OperationalError as error:
                raise StorageFailed(f"PostgreSQL went away at a commit: {_first_line(error)}") from error

    @contextmanager
    def _begun(self, statement: str) -> Iterator[BoundedConnection]:
        """A connection in a transaction. One that has broken since it was used last is found out by it, and another
        one taken."""
        for attempt in range(self._pool.max_size + 1):
            with self._taken() as raw:
                try:
                    with raw.waiting(CONNECT_SECONDS):
                        raw.execute(statement)
                except errors.OperationalError:
                    if attempt == self._pool.max_size or not raw.broken:
                        raise
                    continue
                yield raw
                return

    def answers(self) -> None:
        """PostgreSQL is known to answer: who finds no connection waits until one is made anew."""
        self._vain_until = 0.0

    @contextmanager
    def _taken(self) -> Iterator[BoundedConnection]:
        """A connection of the pool. Busy, with the reason: there is none, and none can be made.

        After one has waited in vain, the next are told so at once for as long, unless it `answers` again: they would
        wait one after the other.
        """
        vain = monotonic() < self._vain_until
        try:
            with self._pool.connection(VAIN_SECONDS if vain else CONNECT_SECONDS) as raw:
                yield raw
        except PoolTimeout as error:
            if self._unreached and not vain:
                self._vain_until = monotonic() + CONNECT_SECONDS
            why = f": {self._unreached}" if self._unreached else ", or all connections to it are taken"
            raise Busy(f"PostgreSQL does not answer{why}") from error

    def _failed(self, error: psycopg.Error) -> None:
        self._unreached = _words(error)

    def renew(self) -> None:
        """Connect anew, for whoever asks next: another server may have taken this one's place."""
        self._pool.drain()

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()
        self._watch.stop()

    def _configure(self, raw: BoundedConnection) -> None:
        for type_, dumper in ((str, _Text), (bool, _Bool)):
            raw.adapters.register_dumper(type_, dumper)
        for name in ("text", "varchar", "name", 705):  # 705: a literal
            raw.adapters.register_loader(name, _TextLoader)
        raw.adapters.register_loader("json", _TextsLoader)
        self._watch.add(raw)
        self._unreached = ""
        self._vain_until = 0.0


def _end(raw: psycopg.Connection[Any], statement: str) -> None:
    if not raw.closed:
        try:
            raw.execute(statement)
        except psycopg.Error:
            raw.close()


@contextmanager
def told() -> Iterator[None]:
    """What PostgreSQL says, as the errors of the core."""
    try:
        yield
    except StepwellError:
        raise
    except (errors.DiskFull, errors.OutOfMemory) as error:
        raise StorageFull(f"PostgreSQL: {_first_line(error)}") from error
    except errors.DataError as error:
        raise Invalid(_first_line(error)) from error
    except errors.ProgramLimitExceeded as error:  # of who asks, and no fault of the server's
        raise Invalid(f"a name or a path is too long for PostgreSQL: {_first_line(error)}") from error
    except errors.ReadOnlySqlTransaction as error:
        raise Busy(f"PostgreSQL takes no writes: {_first_line(error)}") from error
    except errors.OperationalError as error:
        raise Busy(f"PostgreSQL does not answer: {_first_line(error)}") from error
    except psycopg.Error as error:
        raise StorageFailed(f"PostgreSQL: {_first_line(error)}") from error


def _words(error: Exception) -> str:
    """All lines of it as one, without advice: of several servers each has its own."""
    return " ".join(line for line in str(error).splitlines() if line[:1] != "\t")[:500] or type(error).__name__


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:300] or type(error).__name__
