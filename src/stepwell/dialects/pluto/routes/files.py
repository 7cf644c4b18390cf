"""Files of runs: announced, sent and fetched by links that need no credential, and listed."""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final
from urllib.parse import quote

from stepwell.core.access import Role
from stepwell.core.errors import Invalid, NotFound, TooLarge
from stepwell.core.limits import BLOB_PATH_LENGTH
from stepwell.core.model import BlobInfo
from stepwell.core.store import BlobReader, BlobWriter
from stepwell.dialects.pluto import names, render, rules, translate, wire
from stepwell.dialects.pluto.decoding import Reader, refused
from stepwell.dialects.pluto.routes.ingest import run_key
from stepwell.dialects.pluto.routes.reading import answer, body_of, origin_of, query_of, run_of
from stepwell.dialects.pluto.signing import PREFIX, Link
from stepwell.services import artifacts, details
from stepwell.services import runs as service
from stepwell.services.sealing import ServerKey
from stepwell.web.call import Call
from stepwell.web.response import Response, stream_response
from stepwell.web.routing import Route

_PRESIGN: Final = Reader(wire.PresignFiles)
_FILES: Final = Reader(wire.OfRunQuery)
_WRITE_BYTES: Final = 1 << 20  # what is gathered before a thread writes it
_TYPES: Final = mimetypes.MimeTypes()  # Python's own table; the machine's files are not read
_GUARD: Final = ("content-security-policy", "sandbox; default-src 'none'")  # nosniff is on every answer


@dataclass(frozen=True, slots=True)
class Files:
    """The endpoints, with the key that signs their links."""

    key: ServerKey

    async def presign(self, call: Call) -> Response:
        """POST /files: what will be sent; a link for each file"""
        run = run_key(call)
        message = await body_of(call, _PRESIGN)
        return answer(await call.run_write(self._presign, call, run, message))

    def _presign(self, call: Call, key: int, message: wire.PresignFiles) -> dict[str, list[dict[str, str]]]:
        if len(message.files) > rules.FILES_PER_REQUEST:
            raise refused("files", f"Array must contain at most {rules.FILES_PER_REQUEST} element(s)")
        run = run_of(call, key).run
        at = call.context.clock()
        records = [_record(entry, run.id, at) for entry in message.files]
        if records:
            details.put(call.context.store, workspace=call.workspace, records=records)
        links: dict[str, list[dict[str, str]]] = {}
        for entry in message.files:
            link = Link(
                method="PUT",
                workspace=call.workspace,
                run_key=run.key,
                path=path_of(entry.log_name, entry.file_name),
                size=entry.file_size,
                expires=at // 1_000_000 + rules.UPLOAD_SECONDS,
            )
            links.setdefault(entry.log_name, []).append({entry.file_name: link.url(origin_of(call), self.key)})
        return links

    async def listed(self, call: Call) -> Response:
        """GET /api/runs/files: what has arrived, with links that work for five days"""
        message = query_of(call, _FILES)
        return answer({"files": await call.run(self._listed, call, message)})

    def _listed(self, call: Call, message: wire.OfRunQuery) -> list[dict[str, Any]]:
        try:
            run = run_of(call, message.run_id, project=message.project_name).run
        except NotFound:
            return []
        folders: dict[str, dict[str, BlobInfo]] = {}
        shown, announced = [], set()
        for record in details.every(call.context.store, workspace=call.workspace, run_id=run.id, kind=translate.FILE):
            entry = json.loads(record.body)
            announced.add(entry["path"])
            if not _is_asked(entry, message):
                continue
            stored = _stored(call, run.id, entry["path"], folders)
            if stored is not None:
                shown.append(self._file(call, run.key, entry, stored.size or 0))
        others = (
            self._file(call, run.key, entry, blob.size or 0)
            for blob in artifacts.walk(call.context.store, workspace=call.workspace, owner=run.id)
            if blob.path not in announced and _is_asked(entry := _entry_of(blob), message)
        )
        shown.extend(islice(others, rules.FILES_SHOWN))
        shown.sort(key=lambda each: (each["step"], each["sampleIndex"], each["fileName"]))
        return shown[: rules.FILES_SHOWN]

    def _file(self, call: Call, key: int, entry: dict[str, Any], size: int) -> dict[str, Any]:
        link = Link(
            method="GET",
            workspace=call.workspace,
            run_key=key,
            path=entry["path"],
            size=None,
            expires=call.context.clock() // 1_000_000 + rules.DOWNLOAD_SECONDS,
        )
        return {
            "fileName": entry["fileName"],
            "fileType": entry["fileType"],
            "fileSize": size,
            "logName": entry["logName"],
            "logGroup": names.group_of(entry["logName"]),
            "time": render.plain(entry["time"] * 1000),
            "step": entry["step"] or 0,
            "sampleIndex": entry["sampleIndex"] or 0,
            "url": link.url(origin_of(call), self.key),
            "caption": entry["caption"],
            "annotations": entry["annotations"],
        }

    async def receive(self, call: Call) -> Response:
        """PUT /storage/...: the bytes of a file that was announced, to disk as they come"""
        link = self._link(call)
        size = link.size or 0
        run_id = await call.run(_run_id, call, link)
        writer = await call.run_write(
            artifacts.begin,
            call.context.store,
            workspace=link.workspace,
            owner=run_id,
            path=link.path,
            now=call.context.clock(),
        )
        try:
            written = await _copy(call, writer, size)
            if written < size:
                raise Invalid(f"the body has {written} bytes; {size} were announced")
            await call.run_write(writer.commit)
        finally:
            await call.run_write(writer.abort)
        return Response(200, b"", "application/octet-stream")

    async def send(self, call: Call) -> Response:
        """GET /storage/...: a file, as an attachment"""
        link = self._link(call)
        run_id = await call.run(_run_id, call, link)
        reader = await call.run(
            artifacts.get, call.context.store, workspace=link.workspace, owner=run_id, path=link.path
        )
        name = link.path.rpartition("/")[2]
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

    def _link(self, call: Call) -> Link:
        query = {name: call.query.get(name) or "" for name in call.query.names()}
        return Link.of(call.method, call.params["place"], query, self.key, now=call.context.clock())

    def routes(self) -> tuple[Route, ...]:
        """Where they are."""
        return (
            Route("POST", "/files", self.presign, Role.WRITER),
            Route("GET", "/api/runs/files", self.listed),
            Route("PUT", PREFIX + "/{place:path}", self.receive, Role.WRITER, public=True),
            Route("GET", PREFIX + "/{place:path}", self.send, public=True),
        )


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


async def _copy(call: Call, writer: BlobWriter, size: int) -> int:
    """How many bytes came. TooLarge as soon as there are more than announced."""
    waiting = bytearray()
    seen = 0
    async for chunk in call.chunks():
        seen += len(chunk)
        if seen > size:
            raise TooLarge(f"the body has more than the {size} bytes that were announced", limit=size)
        waiting += chunk
        if len(waiting) >= _WRITE_BYTES:
            await call.run_write(writer.write, bytes(waiting))
            waiting.clear()
    if waiting:
        await call.run_write(writer.write, bytes(waiting))
    return seen


def _run_id(call: Call, link: Link) -> str:
    (run_id,) = service.ids_of_keys(call.context.store, workspace=link.workspace, keys=(link.run_key,))
    if run_id is None:
        raise NotFound("Run not found", field="runId")
    return run_id


def path_of(log_name: str, file_name: str) -> str:
    """Where a file lies among those of its run: below its log name. Signs that no path may have are written as %XX."""
    parts = [_segment(part) for part in (*log_name.split("/"), file_name)]
    path = "/".join(parts)
    if len(path) > BLOB_PATH_LENGTH:
        raise refused("files.fileName", f"log name and file name have more than {BLOB_PATH_LENGTH} characters")
    return path


def _segment(part: str) -> str:
    if part in ("", ".", ".."):
        return "%" + part.replace(".", "2E")
    return "".join(f"%{ord(sign):02X}" if sign in "\\\0/%" else sign for sign in part)


def _record(entry: wire.FileEntry, run_id: str, at: int) -> Any:
    told = {
        "fileName": entry.file_name,
        "fileType": entry.file_type,
        "logName": entry.log_name,
        "time": entry.time,
        "step": entry.step,
        "caption": entry.caption,
        "sampleIndex": entry.sample_index,
        "annotations": entry.annotations,
        "path": path_of(entry.log_name, entry.file_name),
    }
    name = f"{entry.step or 0}/{entry.sample_index or 0}/{told['path']}"
    return translate.record(translate.FILE, run_id, told, at, name=name)


def _entry_of(blob: BlobInfo) -> dict[str, Any]:
    """A file that came through another interface, as if it had been announced; its path is the name of the log."""
    name = blob.path.rpartition("/")[2]
    return {
        "fileName": name,
        "fileType": name.rpartition(".")[2] if "." in name else "",
        "logName": blob.path,
        "time": blob.stored_at // 1000,
        "step": 0,
        "caption": None,
        "sampleIndex": 0,
        "annotations": None,
        "path": blob.path,
    }


def _is_asked(entry: dict[str, Any], message: wire.OfRunQuery) -> bool:
    """Whether a file is of the log and the group that were named, if any."""
    name = entry["logName"]
    return message.log_name in (None, name) and message.log_group in (None, names.group_of(name))


def _stored(call: Call, run_id: str, path: str, folders: dict[str, dict[str, BlobInfo]]) -> BlobInfo | None:
    folder = path.rpartition("/")[0]
    if folder not in folders:
        found = artifacts.list_folder(call.context.store, workspace=call.workspace, owner=run_id, folder=folder)
        folders[folder] = {each.path: each for each in found if each.size is not None}
    return folders[folder].get(path)
