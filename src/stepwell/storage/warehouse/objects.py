"""Contents of files as objects in a bucket, by the interface of Amazon S3, which many stores speak (ADR 26).

The one part of the server that asks an address over HTTP: the endpoint that the operator named in the store's URL, or
Amazon's, and what the library asks for credentials where it was given none.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from time import monotonic
from typing import Any, Final

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from stepwell.core.errors import Busy, Invalid, NotFound, StepwellError, StorageFull, TooLarge
from stepwell.storage.contents import FOLDER
from stepwell.storage.warehouse.address import Bucket

PART: Final = 8 << 20  # bytes that are held of an upload, and of each of its first parts
PARTS: Final = 10_000  # that an object may have
_GROWN: Final = 1_000  # parts after which they are twice as large, three times
AT_ONCE: Final = 16  # objects that are removed
LONGEST: Final = 24 * 3_600  # seconds that an upload may take
LEFT: Final = timedelta(seconds=2 * LONGEST)  # since when nobody is about to name what lies there
ATTEMPTS: Final = 3  # at a request,
TRIES: Final = 3  # and at a read that breaks off
_FULL: Final = {"InsufficientCapacity", "QuotaExceeded", "XMinioStorageFull"}
_MISSING: Final = {"NoSuchKey", "NotFound", "404"}
_FAULTS: Final = (BotoCoreError, ClientError, OSError)
_log = logging.getLogger("stepwell.storage")


class Objects:
    """Implements Contents. An object is there as a whole or not at all, so it has its name from the beginning."""

    def __init__(self, place: Bucket) -> None:
        self._place = place
        for driver in ("botocore", "urllib3"):  # what goes wrong we say ourselves, and once
            logging.getLogger(driver).setLevel(logging.ERROR)
        try:
            self.client = _client(place)
        except (BotoCoreError, ValueError) as error:
            raise Invalid(f"files cannot be kept in {place}: {type(error).__name__}", field="store") from error

    def reach(self) -> None:
        """Write an object, read it and remove it. Invalid: that is not allowed; Busy: there is no answer."""
        where, content = self.where(f"start/{secrets.token_hex(8)}", folder=""), secrets.token_bytes(16)
        try:
            with asking():
                self.client.put_object(**where, Body=content)
                found = self.client.get_object(**where)["Body"].read()
                self.client.delete_object(**where)
        except StepwellError as error:
            if isinstance(error.__cause__, ClientError) and _status(error.__cause__) < 500:
                raise _refused(self._place, error.__cause__) from error
            if type(error.__cause__).__name__ in {"NoCredentialsError", "PartialCredentialsError"}:
                raise Invalid(f"there are no credentials for {self._place}", field="store") from error
            raise
        if found != content:
            raise Invalid(f"{self._place} does not give back what was written to it", field="store")

    def where(self, name: str, *, folder: str = f"{FOLDER}/") -> dict[str, str]:
        """Bucket and key of a content, as requests name them."""
        return {"Bucket": self._place.name, "Key": f"{self._place.prefix}{folder}{name}"}

    def begin(self, name: str) -> Upload:
        """See Contents. Nothing is sent yet."""
        return Upload(self.client, self.where(name))

    def open(self, name: str) -> Download:
        """See Contents."""
        return Download(self.client, self.where(name))

    def remove(self, names: Sequence[str]) -> list[str]:
        """See Contents. Several at once, one request each: many stores do not take one for all. After one that fails no
        other is tried."""
        failed = threading.Event()

        def remove(name: str) -> bool:
            if not failed.is_set():
                try:
                    self.client.delete_object(**self.where(name))
                except _FAULTS:
                    failed.set()
            return not failed.is_set()

        with ThreadPoolExecutor(AT_ONCE) as pool:
            gone = list(pool.map(remove, names))
        return [name for name, is_gone in zip(names, gone, strict=True) if not is_gone]

    def leftovers(self) -> Iterator[list[str]]:
        """See Contents: what has lain here for two days."""
        place = self.where("")
        with asking():
            self._end_uploads(place)
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=place["Bucket"], Prefix=place["Key"])
        with asking():
            for page in pages:
                old = _now(page) - LEFT
                found = [each["Key"] for each in page.get("Contents", ()) if each["LastModified"] < old]
                yield [key.removeprefix(place["Key"]) for key in found]

    def _end_uploads(self, place: dict[str, str]) -> None:
        """Forget uploads in parts that were begun two days ago."""
        pages = self.client.get_paginator("list_multipart_uploads")
        for page in pages.paginate(Bucket=place["Bucket"], Prefix=place["Key"]):
            old = _now(page) - LEFT
            for each in page.get("Uploads", ()):
                if each["Initiated"] < old:
                    self.client.abort_multipart_upload(
                        Bucket=place["Bucket"], Key=each["Key"], UploadId=each["UploadId"]
                    )


class Upload:
    """Implements Arriving: one request for what fits into a part, else several parts and a request that joins them."""

    def __init__(self, client: Any, where: dict[str, str]) -> None:
        self._client = client
        self._where = where
        self._begun = monotonic()
        self._held = bytearray()
        self._size = 0
        self._upload: str | None = None
        self._parts: list[dict[str, Any]] = []
        self._broken = False

    def write(self, chunk: bytes | memoryview) -> None:
        """See Arriving. TooLarge: an object cannot have more parts."""
        self._held += chunk
        self._size += len(chunk) if isinstance(chunk, bytes) else chunk.nbytes
        while len(self._held) >= self._part_size():
            size = self._part_size()
            with self._sending():
                self._send(bytes(memoryview(self._held)[:size]))
            del self._held[:size]

    def commit(self) -> int:
        """See Arriving."""
        with self._sending():
            if monotonic() - self._begun > LONGEST:
                raise Busy(f"the upload took more than {LONGEST // 3_600} hours; nothing was stored")
            if self._upload is None:
                self._client.put_object(**self._where, Body=bytes(self._held))
                return self._size
            if self._held:
                self._send(bytes(self._held))
            parts = {"Parts": self._parts}
            self._client.complete_multipart_upload(**self._where, UploadId=self._upload, MultipartUpload=parts)
            self._upload = None
            return self._size

    def abort(self) -> None:
        """See Arriving. What cannot be forgotten now is with what is left over."""
        self._held.clear()
        upload, self._upload, self._broken = self._upload, None, True
        if upload is not None:
            with suppress(*_FAULTS):
                self._client.abort_multipart_upload(**self._where, UploadId=upload)

    @contextmanager
    def _sending(self) -> Iterator[None]:
        """After an error nothing more is sent: a part would be missing."""
        if self._broken:
            raise Busy("the upload was broken off; nothing was stored")
        self._broken = True
        with asking():
            yield
        self._broken = False

    def _part_size(self) -> int:
        return PART << min(len(self._parts) // _GROWN, 3)

    def _send(self, part: bytes) -> None:
        if len(self._parts) == PARTS:
            raise TooLarge(f"the file has more than {self._size - len(part)} bytes", limit=self._size - len(part))
        if self._upload is None:
            self._upload = self._client.create_multipart_upload(**self._where)["UploadId"]
        number = len(self._parts) + 1
        sent = self._client.upload_part(**self._where, UploadId=self._upload, PartNumber=number, Body=part)
        self._parts.append({"PartNumber": number, "ETag": sent["ETag"]})


class Download:
    """Implements Content. A connection that breaks off is made again from where it was."""

    def __init__(self, client: Any, where: dict[str, str]) -> None:
        self._client = client
        self._where = where
        self._at = 0
        self._etag = ""
        self._body: Any = None
        self._ask()

    def read(self, size: int) -> bytes:
        """See Content."""
        for left in reversed(range(TRIES)):
            try:
                found: bytes = self._body.read(size)
            except _FAULTS as error:
                self.close()
                if not left:
                    raise _meaning(error) from error
                self._ask()
            else:
                self._at += len(found)
                return found
        raise AssertionError("the last try returns or raises")

    def close(self) -> None:
        """See Content."""
        self._body.close()

    def _ask(self) -> None:
        rest = {"Range": f"bytes={self._at}-", "IfMatch": self._etag} if self._at else {}
        with asking():
            answer = self._client.get_object(**self._where, **rest)
        self._body, self._etag = answer["Body"], answer["ETag"]


@contextmanager
def asking() -> Iterator[None]:
    """Turn what the library raises in a block into the domain's errors."""
    try:
        yield
    except _FAULTS as error:
        raise _meaning(error) from error


def _meaning(error: Exception) -> StepwellError:
    if not isinstance(error, ClientError):
        return Busy(f"the object store does not answer ({type(error).__name__})")
    code, status = _code(error), _status(error)
    if code in _MISSING:
        return NotFound("the object is not there")
    if code in _FULL or status == 507:
        return StorageFull("The object store has no space left; nothing was stored.")
    return Busy(f"the object store refuses what it was asked ({status}, {code})")


def _refused(place: Bucket, error: ClientError) -> Invalid:
    return Invalid(f"files cannot be kept in {place}: it answers {_status(error)}, {_code(error)}", field="store")


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500))


def _now(answer: dict[str, Any]) -> datetime:
    """The time of the clock that says how old objects are."""
    return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])


def _client(place: Bucket) -> Any:
    """Bodies are signed, so that what was changed on its way is refused; newer checksums are not asked for, since many
    stores do not know them."""
    return botocore.session.get_session().create_client(
        "s3",
        endpoint_url=place.endpoint or None,
        region_name=place.region or None,
        aws_access_key_id=place.key or None,
        aws_secret_access_key=place.secret or None,
        config=Config(
            connect_timeout=5,
            read_timeout=30,
            max_pool_connections=64,
            retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
            s3={"addressing_style": place.addressing, "payload_signing_enabled": True},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )
