"""Files of runs and of workspaces. `owner` is a run id, or "" for files that belong to the workspace itself."""

from __future__ import annotations

from collections.abc import Iterator

from stepwell.core import limits
from stepwell.core.errors import NotFound
from stepwell.core.ids import check_run_id
from stepwell.core.model import BlobInfo
from stepwell.core.store import BlobReader, BlobWriter, Store
from stepwell.services.checks import check_name, check_text


def begin(store: Store, *, workspace: str, owner: str, path: str, now: int) -> BlobWriter:
    """Begin to store a file: write chunks, then `commit` (durable and visible) or `abort`.

    Raises Invalid for a path that leaves its owner or is not a plain relative one, NotFound when there is no such run.
    """
    check_name(path, field="path", limit=limits.BLOB_PATH_LENGTH)
    return store.open_blob(workspace=workspace, owner=owner, path=path, at=now)


def get(store: Store, *, workspace: str, owner: str, path: str) -> BlobReader:
    """An open file; the caller closes it. NotFound."""
    check_name(path, field="path", limit=limits.BLOB_PATH_LENGTH)
    return store.get_blob(workspace=workspace, owner=owner, path=path)


def list_folder(store: Store, *, workspace: str, owner: str, folder: str = "") -> list[BlobInfo]:
    """The direct children of a folder, sorted by path; the file itself when `folder` names one; empty for nothing."""
    check_text(folder, field="path", limit=limits.BLOB_PATH_LENGTH)
    return store.list_blobs(workspace=workspace, owner=owner, folder=folder)


def walk(store: Store, *, workspace: str, owner: str) -> Iterator[BlobInfo]:
    """Every file of the owner, folder by folder; a folder's own files come before those below it."""
    folders = [""]
    while folders:
        found = store.list_blobs(workspace=workspace, owner=owner, folder=folders.pop())
        yield from (each for each in found if each.size is not None)
        folders.extend(each.path for each in reversed(found) if each.size is None)


def delete(store: Store, *, workspace: str, owner: str, path: str) -> int:
    """Remove a file, or all files below a folder; how many there were. NotFound when there were none."""
    check_name(path, field="path", limit=limits.BLOB_PATH_LENGTH)
    count = store.delete_blobs(workspace=workspace, owner=owner, path=path)
    if not count:
        raise NotFound(f"no file {path!r}", field="path")
    return count


def delete_of_run(store: Store, *, workspace: str, run_id: str) -> int:
    """Remove all files of a run; how many there were."""
    check_run_id(run_id)
    return store.delete_blobs(workspace=workspace, owner=run_id, path="")
