"""The SQLite file: how connections are opened, which settings they carry, and whose errors they raise. No tables."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import apsw
import apsw.sqlite_extra

from stepwell.core.errors import Conflict, Corrupt, Invalid, StepwellError, StorageFailed, StorageFull

FILE: Final = "stepwell.db"
LOCK: Final = "lock"
APPLICATION_ID: Final = 0x57E9E11  # marks the file as ours
OLDEST_SQLITE: Final = (
    3,
    51,
    3,
)  # older ones can corrupt a WAL database when two connections write or checkpoint at once
PAGE_SIZE: Final = 4096
CHECKSUMS: Final = "cksmvfs"  # the layer of SQLite below which every page of the file carries a checksum
CHECKSUM_BYTES: Final = 8  # of each page, at its end
BUSY_MS: Final = 10_000
CACHE_KIB: Final = 16_384  # of the writer; a reader takes a quarter


def check_sqlite() -> None:
    """Raise Invalid below the oldest safe SQLite."""
    version = tuple(int(part) for part in apsw.sqlite_lib_version().split("."))
    if version < OLDEST_SQLITE:
        raise Invalid(
            f"SQLite {apsw.sqlite_lib_version()} is too old; {'.'.join(map(str, OLDEST_SQLITE))} or later is needed"
        )


def load_checksums() -> None:
    """Make the layer that checks pages known to this process, once. It lies on the process's default VFS as of now.

    Raises Invalid when this build of the driver comes without it.
    """
    if CHECKSUMS in apsw.vfs_names():
        return
    connection = apsw.Connection(":memory:")
    try:
        apsw.sqlite_extra.load(connection, "cksumvfs")
    except (apsw.sqlite_extra.NotAvailable, apsw.Error) as error:
        raise Invalid(f"apsw {apsw.apsw_version()} comes without cksumvfs; install its wheel: {error}") from error
    finally:
        connection.close()


class Lock:
    """The directory's owner: one process at a time. The kernel frees it when the process dies."""

    def __init__(self, directory: Path) -> None:
        path = directory / LOCK
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(self._fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._fd)
            raise Conflict(
                f"{directory} is in use by another Stepwell process (pid {owner})", field="data_dir"
            ) from None
        os.ftruncate(self._fd, 0)
        with suppress(OSError):  # on a full disk others are not told who it is
            os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let others in; idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def connect_writer(path: Path, *, prepare: Callable[[apsw.Connection], None]) -> apsw.Connection:
    """The one connection that writes and checkpoints; creates the file. `prepare` adds functions. PermissionError names
    the file, which SQLite would not."""
    load_checksums()
    _check_access(path)
    flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
    connection = apsw.Connection(str(path), flags=flags, vfs=CHECKSUMS)
    try:
        _set_up_writer(connection, path)
        prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _check_access(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        file = f"{path}{suffix}"
        if os.access(file, os.F_OK) and not os.access(file, os.R_OK | os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), file)


def _set_up_writer(connection: apsw.Connection, path: Path) -> None:
    if not pragma(connection, "page_count"):  # on what is there already they would be one more write
        connection.reserve_bytes(reserve=CHECKSUM_BYTES)
        connection.execute(f"PRAGMA page_size={PAGE_SIZE}")
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
    mode = connection.execute("PRAGMA journal_mode=WAL").fetchall()
    if mode != [("wal",)]:
        raise StorageFailed(f"{path} cannot use a write-ahead log (journal mode {mode!r})")
    for setting in ("synchronous=FULL", "wal_autocheckpoint=0", f"cache_size=-{CACHE_KIB}", "temp_store=MEMORY"):
        connection.execute(f"PRAGMA {setting}")
    _settle_plans(connection)
    connection.set_busy_timeout(BUSY_MS)


def _settle_plans(connection: apsw.Connection) -> None:
    """A statement is planned once. This build of SQLite looks at bound values too, and plans many statements anew
    whenever one is bound; it would know more only of tables that were analysed, and ours never are."""
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)


def connect_reader(path: Path, *, prepare: Callable[[apsw.Connection], None]) -> apsw.Connection:
    """A connection that only reads."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE, vfs=CHECKSUMS)
    for pragma in ("query_only=ON", "wal_autocheckpoint=0", f"cache_size=-{CACHE_KIB // 4}", "temp_store=MEMORY"):
        connection.execute(f"PRAGMA {pragma}")
    _settle_plans(connection)
    connection.set_busy_timeout(BUSY_MS)
    prepare(connection)
    return connection


class Readers:
    """A bounded pool of reading connections."""

    def __init__(self, open_one: Callable[[], apsw.Connection], *, size: int) -> None:
        self._open_one = open_one
        self._slots = threading.BoundedSemaphore(size)
        self._idle: list[apsw.Connection] = []
        self._closed = False

    @contextmanager
    def snapshot(self) -> Iterator[apsw.Connection]:
        """A connection inside one read transaction: all its statements see the same moment. Keep it short."""
        with self._slots:
            connection = self._take()
            try:
                with database_errors():
                    connection.execute("BEGIN")
                    yield connection
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                self._give_back(connection)

    def _take(self) -> apsw.Connection:
        if self._closed:
            raise StorageFailed("the store is closed")
        return self._idle.pop() if self._idle else self._open_one()

    def _give_back(self, connection: apsw.Connection) -> None:
        if self._closed:
            connection.close()
        else:
            self._idle.append(connection)

    def close(self) -> None:
        """Close the idle connections; the others close when their reader ends."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()


@contextmanager
def database_errors() -> Iterator[None]:
    """The driver's errors in the domain's words; and text that is none, which only damage leaves."""
    try:
        yield
    except apsw.Error as error:
        raise translated(error) from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise Corrupt(f"the database file is damaged: stored text cannot be read: {error}") from error


def translated(error: apsw.Error) -> StepwellError:
    """What a driver error means."""
    # The index of the log is a file too: SQLite has no better word for a disk that cannot hold more of it.
    if isinstance(error, apsw.FullError) or getattr(error, "extendedresult", 0) == apsw.SQLITE_IOERR_SHMSIZE:
        return StorageFull()
    if isinstance(error, apsw.CorruptError | apsw.NotADBError):
        return Corrupt(f"the database file is damaged: {error}")
    if getattr(error, "extendedresult", 0) == apsw.SQLITE_IOERR_DATA:
        return Corrupt("the database file is damaged: a page fails its checksum")
    return StorageFailed(f"the database refused: {error}")


def pragma(connection: apsw.Connection, name: str) -> int:
    """The number that a PRAGMA answers."""
    ((value,),) = connection.execute(f"PRAGMA {name}").fetchall()
    return int(str(value))
