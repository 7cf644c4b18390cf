"""Where a warehouse is: warehouse://?clickhouse=URL&catalog=URL&files=FOLDER (ADR 24), or files=s3://BUCKET (ADR 26).

It has passwords: no error and no text for people repeats any part of it that was not understood.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self
from urllib.parse import parse_qs, quote, unquote, urlencode

from stepwell.core.errors import Invalid

SCHEME: Final = "warehouse"
_PARTS: Final = ("clickhouse", "catalog", "files")
_FORM: Final = (
    "warehouse://?clickhouse=clickhouse://USER:PASSWORD@HOST:PORT/DATABASE&"
    "catalog=postgresql://USER:PASSWORD@HOST:PORT/DATABASE&files=/SHARED/FOLDER"
)
_BUCKET_FORM: Final = "s3://BUCKET/PREFIX?endpoint=https://HOST:PORT&region=REGION, percent-encoded"
_HOST: Final = r"(?:[\w.-]*|\[[\da-fA-F:.]+\])(?::\d{1,5})?"
_PLACE: Final = rf"//(?:[^@/?\s]+@)?(?P<place>{_HOST}(?:,{_HOST})*(?:/[^@/?\s]*)?)"
_SERVERS: Final = {
    "clickhouse": re.compile(rf"clickhouses?:{_PLACE}(?:\?[^@\s]*)?"),
    "catalog": re.compile(rf"postgres(?:ql)?:{_PLACE}(?:\?[^@/\s]*)?"),
}
_BUCKET: Final = re.compile(
    r"s3://(?:(?P<key>[^:@/?\s]+):(?P<secret>[^:@/?\s]+)@)?"
    r"(?P<name>[\w.-]{3,63})(?P<prefix>(?:/(?!\.{1,2}(?:[/?]|$))[\w.=-]+)*)/?(?:\?(?P<options>[^@\s]*))?"
)
_ENDPOINT: Final = re.compile(rf"https?://(?P<place>{_HOST}(?:/[\w./-]*)?)")
_OPTIONS: Final[Mapping[str, re.Pattern[str]]] = {
    "endpoint": _ENDPOINT,
    "region": re.compile(r"[\w-]+"),
    "addressing": re.compile("path|virtual"),
}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Bucket:
    """A bucket of an object store, and what stands before the name of each object: "" or parts that end with `/`.

    `endpoint`: "" is Amazon's. Without `region`, `key` and `secret` the library finds them where it usually does.
    `addressing`: whether the bucket is in the path or (virtual) in the host's name; auto, Amazon's way.
    """

    name: str
    prefix: str = ""
    endpoint: str = ""
    region: str = ""
    addressing: str = "auto"
    key: str = ""
    secret: str = ""

    @classmethod
    def of(cls, url: str) -> Self:
        """Raises Invalid for what is no such URL."""
        found = _BUCKET.fullmatch(url)
        options = parse_qs(found["options"] or "", keep_blank_values=True) if found else {}
        if found is None or not all(
            name in _OPTIONS and len(values) == 1 and _OPTIONS[name].fullmatch(values[0])
            for name, values in options.items()
        ):
            raise Invalid(f"'files' in the store's URL is no bucket: {_BUCKET_FORM}", field="store")
        given = {name: value for name, (value,) in options.items()}
        return cls(
            name=found["name"],
            prefix=found["prefix"].removeprefix("/") + "/" if found["prefix"] else "",
            endpoint=given.get("endpoint", "").rstrip("/"),
            region=given.get("region", ""),
            addressing=given.get("addressing", "path" if "endpoint" in given else "auto"),
            key=unquote(found["key"] or ""),
            secret=unquote(found["secret"] or ""),
        )

    @property
    def url(self) -> str:
        """All of it, with its secret."""
        options = {"endpoint": self.endpoint, "region": self.region, "addressing": self.addressing.replace("auto", "")}
        user = f"{quote(self.key, safe='')}:{quote(self.secret, safe='')}@" if self.key else ""
        query = urlencode({name: value for name, value in options.items() if value})
        return f"s3://{user}{self.name}/{self.prefix}" + (f"?{query}" if query else "")

    def __repr__(self) -> str:
        """For people: without key and secret."""
        found = _ENDPOINT.fullmatch(self.endpoint)
        return f"s3://{self.name}/{self.prefix}".rstrip("/") + (f" at {found['place']}" if found else "")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Address:
    """The servers of points and of the catalog, and the folder or bucket that all processes share for files."""

    clickhouse: str
    catalog: str
    files: Path | Bucket

    @classmethod
    def of(cls, url: str) -> Self:
        """Raises Invalid for what is no such URL."""
        scheme, _, query = url.partition("://?")
        if scheme != SCHEME:
            raise Invalid(f"the store's URL must have the form {_FORM}", field="store")
        given = parse_qs(query, keep_blank_values=True)
        if set(given) - set(_PARTS):
            raise Invalid(
                f"the store's URL has more than {', '.join(_PARTS)}: percent-encode what stands between them ({_FORM})",
                field="store",
            )
        for name in _PARTS:
            if len(given.get(name, ())) != 1 or not given[name][0]:
                raise Invalid(f"the store's URL must have {name!r} once: {_FORM}", field="store")
            if name in _SERVERS and not _SERVERS[name].fullmatch(given[name][0]):
                raise Invalid(
                    f"{name!r} in the store's URL is no URL of such a server; signs in a password are percent-encoded, "
                    f"and the whole once more: {_FORM}",
                    field="store",
                )
        return cls(clickhouse=given["clickhouse"][0], catalog=given["catalog"][0], files=_files(given["files"][0]))

    @property
    def url(self) -> str:
        """All of it, with its passwords."""
        files = self.files.url if isinstance(self.files, Bucket) else str(self.files)
        parts = (self.clickhouse, self.catalog, files)
        return f"{SCHEME}://?" + "&".join(f"{n}={quote(v, safe='/:@,')}" for n, v in zip(_PARTS, parts, strict=True))

    def __repr__(self) -> str:
        """For people: without users and passwords."""
        places = []
        for name, url in (("clickhouse", self.clickhouse), ("catalog", self.catalog)):
            found = _SERVERS[name].fullmatch(url)
            places.append(f"{name} {found['place'] if found else '...'}")
        return f"warehouse ({', '.join(places)}, files {self.files})"


def _files(given: str) -> Path | Bucket:
    if given.startswith("s3:"):
        return Bucket.of(given)
    files = Path(given)
    if not files.is_absolute() or "\0" in given:
        raise Invalid(
            f"'files' in the store's URL must be a whole path, of a folder that all servers share, or {_BUCKET_FORM}",
            field="store",
        )
    return files
