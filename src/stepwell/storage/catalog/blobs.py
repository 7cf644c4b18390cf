"""The blob store: contents, which are never changed, and rows that say what is where.

A content is durable before the row that names it is written, and goes after the row is gone; what an interruption
leaves without a row is swept.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from stepwell.core.errors import Busy, Corrupt, NotFound, StepwellError, StorageFailed, StorageFull
from stepwell.core.model import BlobInfo, Damage
from stepwell.storage.catalog import audit, blob_rows, quotas
from stepwell.storage.catalog.blob_rows import Stored, check_path
from stepwell.storage.catalog.sql import Connection
from stepwell.storage.contents import FOLDER, Arriving, Content, Contents

_CHUNK: Final = 1 << 20
_BATCH: Final = 500
_TRIES: Final = 3  # a file may be replaced between its row and its content
T = TypeVar("T")


class Submit(Protocol):
    """Runs a change on the thread that writes; the Future resolves once it is durable."""

    def __call__(self, run: Callable[[Connection], T], /) -> Future[T]: ...  # noqa: D102


class AdmitFile(Protocol):
    """Lets a file of a workspace in, by its size, or raises."""

    def __call__(self, conn: Connection, workspace: str, size: int, /) -> None: ...  # noqa: D102


def no_quota(_conn: Connection, _workspace: str, _size: int, /) -> None:
    """Lets every file in."""


class Snapshot(Protocol):
    """A reading connection inside one short transaction."""

    def __call__(self) -> AbstractContextManager[Connection]: ...  # noqa: D102


class Writer:
    """Implements core.store.BlobWriter."""

    def __init__(
        self,
        blobs: Blobs,
        arriving: Arriving,
        *,
        file: str,
        put: Callable[[BlobInfo], None],
        share: Share,
        path: str,
        at: int,
    ) -> None:
        self._blobs = blobs
        self._share = share
        self._arriving = arriving
        self._file = file
        self._put = put
        self._path = path
        self._at = at
        self._hash = hashlib.sha256()
        self._done = False

    def write(self, chunk: bytes) -> None:
        """See BlobWriter."""
        self._share.take(len(chunk))
        with self._blobs.guarded():
            self._arriving.write(chunk)
        self._hash.update(chunk)

    def commit(self) -> BlobInfo:
        """See BlobWriter."""
        with self._blobs.guarded():
            size = self._arriving.commit()
        info = BlobInfo(path=self._path, size=size, sha256=self._hash.digest(), stored_at=self._at)
        try:
            self._put(info)
        except StorageFailed:
            raise  # whether the row is stored is not known, so its content must stay
        except StepwellError:
            self._blobs.remove([self._file])
            raise
        finally:
            self.abort()
        return info

    def abort(self) -> None:
        """See BlobWriter."""
        if not self._done:
            self._done = True
            self._share.give_back()
            self._arriving.abort()
            self._blobs.finished(self._file)


class Coming:
    """How many bytes of files are on their way to each workspace. For any number of threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sizes = Counter[str]()

    def add(self, workspace: str, size: int, *, most: int | None) -> None:
        """So many more. QuotaExceeded: all would be more than `most`."""
        with self._lock:
            if most is not None and self._sizes[workspace] + size > most:
                raise quotas.too_much_coming(workspace, most)
            self._sizes[workspace] += size
            if not self._sizes[workspace]:
                del self._sizes[workspace]


@dataclass(slots=True)
class Share:
    """What one file has of it."""

    coming: Coming
    workspace: str
    most: int | None
    size: int = 0

    def take(self, size: int) -> None:
        """So many bytes of it have come. QuotaExceeded."""
        self.coming.add(self.workspace, size, most=self.most)
        self.size += size

    def give_back(self) -> None:
        """It has arrived, or never will."""
        self.coming.add(self.workspace, -self.size, most=None)
        self.size = 0


class Reader:
    """Implements core.store.BlobReader."""

    def __init__(self, info: BlobInfo, content: Content) -> None:
        self.info = info
        self._content = content

    def chunks(self, size: int = _CHUNK) -> Iterator[bytes]:
        """See BlobReader."""
        digest, length = hashlib.sha256(), 0
        while chunk := self._content.read(size):
            digest.update(chunk)
            length += len(chunk)
            yield chunk
        if length != self.info.size or digest.digest() != self.info.sha256:
            raise Corrupt(f"the content of file {self.info.path!r} fails its checksum", field="path")

    def close(self) -> None:
        """See BlobReader."""
        self._content.close()


class Blobs:
    """Implements core.store.BlobStore, and the care for its files. Any number of threads may share one."""

    def __init__(
        self,
        contents: Contents,
        *,
        submit: Submit,
        snapshot: Snapshot,
        full: Callable[[], bool],
        admit: AdmitFile,
    ) -> None:
        """`full`: whether what space is left is kept for what makes room. `admit`: called in the transaction of a new
        file, of a workspace and with a size; once its row is there; it may refuse."""
        self.failed = ""  # why nothing may be written any more
        self.full = full
        self._contents = contents
        self._submit = submit
        self._snapshot = snapshot
        self._admit = admit
        self._lock = threading.Lock()
        self._underway: set[str] = set()  # contents whose rows are still to come
        self._unwanted: set[str] = set()
        self._coming = Coming()

    def open_blob(self, *, workspace: str, owner: str, path: str, at: int) -> Writer:
        """See BlobStore."""
        check_path(path)
        with self._snapshot() as conn:
            found = blob_rows.find_owner(conn, workspace, owner)
            if found is None and owner:
                raise NotFound(f"there is no run {owner!r}", field="run_id")
            if found is not None:
                blob_rows.refuse_clash(conn, found, path)
            share = Share(self._coming, workspace, quotas.most_bytes(conn, workspace))
        file = _new_file()
        with self._lock:
            self._underway.add(file)
        try:
            with self.guarded():
                arriving = self._contents.begin(file)
        except BaseException:
            self.finished(file)
            raise

        def stored(conn: Connection, info: BlobInfo) -> str | None:
            replaced = blob_rows.put(conn, workspace, owner, info, file)
            self._admit(conn, workspace, info.size or 0)
            return replaced

        def put(info: BlobInfo) -> None:
            replaced = self._submit(lambda conn: stored(conn, info)).result()
            self.remove([] if replaced is None else [replaced])

        return Writer(self, arriving, file=file, put=put, share=share, path=path, at=at)

    def get_blob(self, *, workspace: str, owner: str, path: str) -> Reader:
        """See BlobStore."""
        check_path(path)
        before: Stored | None = None
        for _ in range(_TRIES):
            stored = self._find(workspace, owner, path)
            if stored == before:
                break
            before = stored
            with suppress(NotFound):
                return Reader(stored.info, self._contents.open(stored.file))
        raise Corrupt(f"the content of file {path!r} is missing", field="path")

    def list_blobs(self, *, workspace: str, owner: str, folder: str) -> list[BlobInfo]:
        """See BlobStore."""
        if folder:
            check_path(folder)
        with self._snapshot() as conn:
            found = blob_rows.find_owner(conn, workspace, owner)
            return [] if found is None else blob_rows.children(conn, found, folder)

    def delete_blobs(self, *, workspace: str, owner: str, path: str) -> int:
        """See BlobStore."""
        if path:
            check_path(path)

        def delete(conn: Connection) -> list[str]:
            found = blob_rows.find_owner(conn, workspace, owner)
            gone = [] if found is None else blob_rows.delete(conn, found, path)
            if gone:
                told = f"{owner}/{path}" if owner else path
                audit.note(conn, "files.delete", workspace=workspace, subject=told, files=str(len(gone)))
            return gone

        gone = self._submit(delete).result()
        self.remove(gone)
        return len(gone)

    def remove(self, names: Iterable[str]) -> None:
        """Remove contents that no row names any more. What cannot be removed now is tried again by `sweep`."""
        if left := self._contents.remove(list(names)):
            with self._lock:
                self._unwanted.update(left)

    def sweep(self) -> None:
        """Remove what interruptions left and has no row, and what `remove` could not."""
        for names in self._contents.leftovers():
            self._sweep(set(names))
        with self._lock:
            unwanted, self._unwanted = self._unwanted, set()
        self.remove(unwanted)

    def check(self) -> Iterator[Damage]:
        """Read all contents and name those that are missing or fail their checksum."""
        file = ""
        while True:
            with self._snapshot() as conn:
                rows = blob_rows.after(conn, file, _BATCH)
            for stored in rows:
                yield from self._check(stored)
            if len(rows) < _BATCH:
                return
            file = rows[-1].file

    def finished(self, file: str) -> None:
        """A writer is done with a content, for better or worse."""
        with self._lock:
            self._underway.discard(file)

    def guarded(self) -> AbstractContextManager[None]:
        """Around writes to the disk: after one that failed in earnest nothing more is written until a restart."""
        return _Guard(self)

    def _find(self, workspace: str, owner: str, path: str) -> Stored:
        with self._snapshot() as conn:
            found = blob_rows.find_owner(conn, workspace, owner)
            stored = None if found is None else blob_rows.get(conn, found, path)
        if stored is None:
            raise NotFound(f"there is no file {path!r}", field="path")
        return stored

    def _sweep(self, names: set[str]) -> None:
        """Names first, then what is under way, then the rows: what gets its row meanwhile is in one of the two."""
        with self._lock:
            names -= self._underway
        with self._snapshot() as conn:
            names -= blob_rows.referenced(conn, sorted(names))
        self.remove(names)

    def _check(self, stored: Stored) -> Iterator[Damage]:
        place = f"file {stored.info.path!r} ({FOLDER}/{stored.file})"
        try:
            reader = Reader(stored.info, self._contents.open(stored.file))
        except Busy:
            raise  # nobody knows what it holds
        except StepwellError as error:
            if self._is_current(stored):
                yield Damage(place=place, cost=f"its content cannot be read: {error.message}")
            return
        try:
            for _ in reader.chunks():
                pass
        except Busy:
            raise
        except StepwellError as error:
            yield Damage(place=place, cost=error.message)
        finally:
            reader.close()

    def _is_current(self, stored: Stored) -> bool:
        """Whether its row is still there: a file may go while all are checked."""
        with self._snapshot() as conn:
            return bool(blob_rows.referenced(conn, [stored.file]))


class _Guard(AbstractContextManager[None]):
    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    def __enter__(self) -> None:
        if self._blobs.failed:
            raise StorageFailed(self._blobs.failed)
        if self._blobs.full():
            raise StorageFull

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, StorageFailed) and not self._blobs.failed:
            self._blobs.failed = f"{error.message}; restart the server"


def _new_file() -> str:
    name = secrets.token_hex(16)
    return f"{name[:2]}/{name[2:]}"
