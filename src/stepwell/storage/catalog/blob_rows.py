"""What is stored of files besides their content: their paths, sizes and checksums, and the names of their contents."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from stepwell.core.errors import Invalid, TooLarge
from stepwell.core.limits import BLOB_PATH_LENGTH
from stepwell.core.model import BlobInfo
from stepwell.storage.catalog import runs, workspaces
from stepwell.storage.catalog.sql import Connection, Row, Statements

OF_WORKSPACE: Final = 0  # in the place of a run key
_BATCH: Final = 1_000
_AFTER_SLASH: Final = "0"  # the sign after '/': what begins with "a/" is from "a/" up to "a0"
_SQL: Final = Statements.load("queries.sql")


class Owner(NamedTuple):
    """Whose files: a run's, or (run key 0) a workspace's."""

    workspace_key: int
    run_key: int


class Stored(NamedTuple):
    """A stored file and the name of its content."""

    info: BlobInfo
    file: str


def check_path(path: str) -> str:
    """`path` if a file may have it. Raises Invalid, TooLarge."""
    if len(path) > BLOB_PATH_LENGTH:
        raise TooLarge(
            f"the path has {len(path)} characters; the limit is {BLOB_PATH_LENGTH}",
            field="path",
            limit=BLOB_PATH_LENGTH,
        )
    if "\0" in path or "\\" in path or any(part in {"", ".", ".."} for part in path.split("/")):
        raise Invalid(
            f"path {path!r} must be relative, its parts not empty, '.' or '..', without NUL and '\\'",
            field="path",
        )
    return path


def find_owner(conn: Connection, workspace: str, owner: str) -> Owner | None:
    """The owner of this name: a run id, or "" for the workspace; None when there is none."""
    workspace_key = workspaces.find(conn, workspace)
    if workspace_key is None:
        return None
    if not owner:
        return Owner(workspace_key, OF_WORKSPACE)
    state = runs.find(conn, workspace, owner)
    return None if state is None else Owner(workspace_key, state.key)


def put(conn: Connection, workspace: str, owner: str, info: BlobInfo, file: str) -> str | None:
    """Say that a path's content is `file`; the name of the content that it replaces.

    NotFound: no such run; Invalid: a file stands where a folder is needed, or the reverse.
    """
    workspace_key = workspaces.ensure(conn, workspace, at=info.stored_at)
    run_key = runs.existing(conn, workspace, owner).key if owner else OF_WORKSPACE
    found = Owner(workspace_key, run_key)
    refuse_clash(conn, found, info.path)
    old = get(conn, found, info.path)
    bindings = {
        "workspace_key": workspace_key,
        "run_key": run_key,
        "path": info.path,
        "size": info.size,
        "sha256": info.sha256,
        "stored_at": info.stored_at,
        "file": file,
    }
    _SQL.run(conn, "put_blob", bindings)
    return None if old is None else old.file


def refuse_clash(conn: Connection, owner: Owner, path: str) -> None:
    """Raise Invalid when a file stands where `path` needs a folder, or a folder where it is."""
    parts = path.split("/")
    for depth in range(1, len(parts)):
        folder = "/".join(parts[:depth])
        if get(conn, owner, folder) is not None:
            raise Invalid(f"{folder!r} is a file, so nothing can be stored below it", field="path")
    if _SQL.all(conn, "first_blob", {**owner._asdict(), "start": path + "/", "end": path + _AFTER_SLASH}):
        raise Invalid(f"{path!r} is a folder", field="path")


def get(conn: Connection, owner: Owner, path: str) -> Stored | None:
    """The file at a path; None when there is none, also where a folder is."""
    row = _SQL.one(conn, "find_blob", {**owner._asdict(), "path": path})
    return None if row is None else _stored(row)


def children(conn: Connection, owner: Owner, folder: str) -> list[BlobInfo]:
    """Files and folders directly in a folder, sorted by path; for the path of a file that file alone."""
    if folder and (file := get(conn, owner, folder)) is not None:
        return [file.info]
    return sorted(_children(conn, owner, folder), key=lambda child: child.path)


def delete(conn: Connection, owner: Owner, path: str) -> list[str]:
    """Forget the file at a path, or all files below it, or ("") all of the owner; the names of their contents."""
    if not path:
        rows = _SQL.all(conn, "drop_blobs", owner._asdict())
    else:
        bindings = {**owner._asdict(), "path": path, "start": path + "/", "end": path + _AFTER_SLASH}
        rows = _SQL.all(conn, "drop_blobs_at", bindings)
    return [file for (file,) in rows]


def after(conn: Connection, file: str, limit: int) -> list[Stored]:
    """Up to `limit` files of the whole store whose contents' names come after `file`, in that order."""
    return [_stored(row) for row in _SQL.all(conn, "blobs_after", (file, limit))]


def referenced(conn: Connection, files: list[str]) -> set[str]:
    """Those of the contents that some path refers to."""
    return {file for (file,) in _SQL.each(conn, "find_content", ((file,) for file in files))}


def _children(conn: Connection, owner: Owner, folder: str) -> Iterator[BlobInfo]:
    """Each child once: from a file within a deeper folder straight to what comes behind that folder."""
    prefix = f"{folder}/" if folder else ""
    start = prefix
    bindings = {**owner._asdict(), "end": folder + _AFTER_SLASH if folder else None, "limit": _BATCH}
    rows = _SQL.all(conn, "blobs_from", {**bindings, "start": start})
    while rows:
        for row in rows:
            child, slash, _ = row[0][len(prefix) :].partition("/")
            if slash:
                yield BlobInfo(path=prefix + child, size=None)
                start = prefix + child + _AFTER_SLASH
                break
            yield _stored(row).info
            start = row[0] + "\0"  # the next path there can be: none holds a NUL
        rows = _SQL.all(conn, "blobs_from", {**bindings, "start": start})


def _stored(row: Row) -> Stored:
    path, size, sha256, stored_at, file = row
    return Stored(BlobInfo(path=path, size=size, sha256=sha256, stored_at=stored_at), file)
