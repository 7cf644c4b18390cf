"""Where a warehouse is: warehouse://?clickhouse=URL&catalog=URL&files=FOLDER (ADR 24).

It has passwords: no error and no text for people repeats any part of it that was not understood.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self
from urllib.parse import parse_qs, quote

from stepwell.core.errors import Invalid

SCHEME: Final = "warehouse"
_PARTS: Final = ("clickhouse", "catalog", "files")
_FORM: Final = (
    "warehouse://?clickhouse=clickhouse://USER:PASSWORD@HOST:PORT/DATABASE&"
    "catalog=postgresql://USER:PASSWORD@HOST:PORT/DATABASE&files=/SHARED/FOLDER"
)
_HOST: Final = r"(?:[\w.-]*|\[[\da-fA-F:.]+\])(?::\d{1,5})?"
_PLACE: Final = rf"//(?:[^@/?\s]+@)?(?P<place>{_HOST}(?:,{_HOST})*(?:/[^@/?\s]*)?)"
_SERVERS: Final = {
    "clickhouse": re.compile(rf"clickhouse:{_PLACE}(?:\?cluster=\w+)?"),
    "catalog": re.compile(rf"postgres(?:ql)?:{_PLACE}(?:\?[^@/\s]*)?"),
}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Address:
    """The servers of points and of the catalog, and the folder that all processes share for files."""

    clickhouse: str
    catalog: str
    files: Path

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
        files = Path(given["files"][0])
        if not files.is_absolute() or "\0" in given["files"][0]:
            raise Invalid(
                "'files' in the store's URL must be a whole path: all servers share that folder", field="store"
            )
        return cls(clickhouse=given["clickhouse"][0], catalog=given["catalog"][0], files=files)

    @property
    def url(self) -> str:
        """All of it, with its passwords."""
        parts = (self.clickhouse, self.catalog, str(self.files))
        return f"{SCHEME}://?" + "&".join(f"{n}={quote(v, safe='/:@,')}" for n, v in zip(_PARTS, parts, strict=True))

    def __repr__(self) -> str:
        """For people: without users and passwords."""
        places = []
        for name, url in (("clickhouse", self.clickhouse), ("catalog", self.catalog)):
            found = _SERVERS[name].fullmatch(url)
            places.append(f"{name} {found['place'] if found else '...'}")
        return f"warehouse ({', '.join(places)}, files {self.files})"
