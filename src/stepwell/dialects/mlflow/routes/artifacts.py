"""Artifacts: files of runs, listed by run or by place, streamed both ways. Users' bytes never act as a page of ours."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from stepwell.core.access import Role
from stepwell.core.errors import NotFound
from stepwell.core.model import NO_COLUMNS, BlobInfo, Run
from stepwell.core.store import BlobReader, BlobWriter
from stepwell.dialects.mlflow import render, translate, wire
from stepwell.dialects.mlflow.decoding import Reader
from stepwell.dialects.mlflow.routes.reading import DONE, answer, query_of
from stepwell.services import artifacts as service
from stepwell.services import runs
from stepwell.web.call import Call
from stepwell.web.errors import HttpProblem
from stepwell.web.response import Response, stream_response
from stepwell.web.routing import Route

_LIST: Final = Reader(wire.ListArtifacts)
_GET: Final = Reader(wire.GetArtifact)
_STORED: Final = Reader(wire.ListStored)
_WRITE_BYTES: Final = 1 << 20  # what is gathered before a thread writes it
_TYPES: Final = mimetypes.MimeTypes()  # Python's own table; the machine's files are not read
# The client of the vendor looks for these words, whatever the status.
NO_PARTS: Final = "Multipart upload is not supported for the current artifact repository; send the file whole"
_GUARD: Final = ("content-security-policy", "sandbox; default-src 'none'")  # nosniff is on every answer


@dataclass(frozen=True, slots=True)
class Place:
    """Where the store keeps what a proxy path names: files of a run, or ("" as owner) of the workspace."""

    owner: str
    path: str


async def list_of_run(call: Call) -> Response:
    """GET artifacts/list: paths relative to the run's root."""
    message = query_of(call, _LIST)
    run_id = translate.run_id_of(message.run_id, message.run_uuid)
    folder = message.path.rstrip("/")
    if folder:
        translate.artifact_path(folder)
    return await call.run(_list_of_run, call, run_id, folder)


def _list_of_run(call: Call, run_id: str, folder: str) -> Response:
    run = _run(call, run_id)
    found = children(call, Place(run_id, folder))
    return answer(wire.FilesAnswer(root_uri=render.artifact_uri(run), files=render.files(found)))


async def list_stored(call: Call) -> Response:
    """GET mlflow-artifacts/artifacts?path=: paths relative to `path`."""
    path = query_of(call, _STORED).path.rstrip("/")
    if path:
        translate.artifact_path(path)
    return await call.run(_list_stored, call, path)


def _list_stored(call: Call, path: str) -> Response:
    place = place_of(call, path)
    files = render.files(children(call, place), relative_to=place.path)
    return answer(wire.FilesAnswer(files=files))


def children(call: Call, place: Place) -> list[BlobInfo]:
    """What is in a folder. A file has no children: this is how the client tells files from folders."""
    found = service.list_folder(call.context.store, workspace=call.workspace, owner=place.owner, folder=place.path)
    return [each for each in found if each.path != place.path]


async def upload(call: Call) -> Response:
    """PUT mlflow-artifacts/artifacts/<path>: the body, streamed to disk. 200 once it is durable, or nothing is kept."""
    path = translate.artifact_path(call.params["path"])
    place = await call.run(place_of, call, path)
    writer = await call.run_write(
        service.begin,
        call.context.store,
        workspace=call.workspace,
        owner=place.owner,
        path=place.path,
        now=call.context.clock(),
    )
    try:
        await _copy(call, writer)
        await call.run_write(writer.commit)
    finally:
        await call.run_write(writer.abort)
    return DONE


async def _copy(call: Call, writer: BlobWriter) -> None:
    waiting = bytearray()
    async for chunk in call.chunks():
        waiting += chunk
        if len(waiting) >= _WRITE_BYTES:
            await call.run_write(writer.write, bytes(waiting))
            waiting.clear()
    if waiting:
        await call.run_write(writer.write, bytes(waiting))


async def download(call: Call) -> Response:
    """GET mlflow-artifacts/artifacts/<path>"""
    path = translate.artifact_path(call.params["path"])
    return await send(call, await call.run(place_of, call, path))


async def download_of_run(call: Call) -> Response:
    """GET /get-artifact?run_id=&path="""
    message = query_of(call, _GET)
    run_id = translate.run_id_of(message.run_id, message.run_uuid)
    return await send(call, Place(run_id, translate.artifact_path(translate.required(message.path, "path"))))


async def send(call: Call, place: Place) -> Response:
    """The bytes of a file, streamed."""
    reader = await call.run(
        service.get, call.context.store, workspace=call.workspace, owner=place.owner, path=place.path
    )
    name = place.path.rpartition("/")[2]
    headers = (
        _GUARD,
        ("content-disposition", f"attachment; filename*=UTF-8''{quote(name, safe='')}"),
        ("content-length", str(reader.info.size)),
    )
    kind = _TYPES.guess_type(name)[0] or "application/octet-stream"
    if call.method == "HEAD":
        await call.run(reader.close)
        return Response(200, b"", kind, headers)
    return stream_response(call, lambda: _Pieces(reader), content_type=kind, headers=headers)


class _Pieces:
    """The content of an open file, which is closed with it even when nothing was read."""

    def __init__(self, reader: BlobReader) -> None:
        self._reader = reader
        self._chunks = reader.chunks()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._chunks)

    def close(self) -> None:
        self._reader.close()


async def delete(call: Call) -> Response:
    """DELETE mlflow-artifacts/artifacts/<path>: a file, or a folder with all that is in it, also the root of a run.

    What is not there is deleted: the client asks again when an answer was lost.
    """
    path = translate.artifact_path(call.params["path"].rstrip("/"))
    await call.run_write(_delete, call, await call.run(place_of, call, path))
    return DONE


def _delete(call: Call, place: Place) -> None:
    store, workspace = call.context.store, call.workspace
    if not place.path:
        service.delete_of_run(store, workspace=workspace, run_id=place.owner)
        return
    with suppress(NotFound):
        service.delete(store, workspace=workspace, owner=place.owner, path=place.path)


async def begin_parts(_call: Call) -> Response:
    """POST mlflow-artifacts/mpu/create/<path>: a client that reads this sends the whole file."""
    raise HttpProblem(404, "no_parts", NO_PARTS)


def place_of(call: Call, path: str) -> Place:
    """A path below the artifact root of a run is that run's; any other belongs to the workspace."""
    found = translate.run_in_path(path)
    if found is not None:
        root, run_id, rest = found
        (row,) = runs.get_runs(call.context.store, workspace=call.workspace, run_ids=(run_id,), columns=NO_COLUMNS)
        if row is not None and translate.proxied_root(render.artifact_uri(row.run)) == root:
            return Place(run_id, rest)
    return Place("", path)


def _run(call: Call, run_id: str) -> Run:
    return runs.get_run(call.context.store, workspace=call.workspace, run_id=run_id, columns=NO_COLUMNS).run


ROUTES: Final = (
    Route("GET", "/mlflow/artifacts/list", list_of_run),
    Route("GET", "/mlflow-artifacts/artifacts", list_stored),
    Route("PUT", "/mlflow-artifacts/artifacts/{path:path}", upload, Role.WRITER),
    Route("GET", "/mlflow-artifacts/artifacts/{path:path}", download),
    Route("DELETE", "/mlflow-artifacts/artifacts/{path:path}", delete, Role.WRITER),
    Route("POST", "/mlflow-artifacts/mpu/create/{path:path}", begin_parts, Role.WRITER),
)
ROOT_ROUTES: Final = (Route("GET", "/get-artifact", download_of_run),)
