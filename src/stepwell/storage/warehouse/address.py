"""Where a warehouse is: warehouse://?clickhouse=URL&catalog=URL&files=FOLDER (ADR 22)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, quote, urlsplit

from stepwell.core.errors import Invalid

SCHEME = "warehouse"
_PARTS = ("clickhouse", "catalog", "files")
_FORM = "warehouse://?clickhouse=clickhouse://HOST/DATABASE&catalog=postgresql://HOST/DATABASE&files=/SHARED/FOLDER"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """The servers of points and of the catalog, and the folder that all processes share for files."""

    clickhouse: str
    catalog: str
    files: Path

    @classmethod
    def of(cls, url: str) -> Self:
        """Raises Invalid for what is no such URL."""
        parts = urlsplit(url)
        if parts.scheme != SCHEME or parts.netloc or parts.path.strip("/") or parts.fragment:
            raise Invalid(f"the store's URL must have the form {_FORM}", field="store")
        given = parse_qs(parts.query, keep_blank_values=True)
        for name in given:
            if name not in _PARTS:
                raise Invalid(f"the store's URL has {name!r}, which is none of {', '.join(_PARTS)}", field="store")
        for name in _PARTS:
            if len(given.get(name, ())) != 1 or not given[name][0]:
                raise Invalid(f"the store's URL must have {name!r} once: {_FORM}", field="store")
        return cls(clickhouse=given["clickhouse"][0], catalog=given["catalog"][0], files=Path(given["files"][0]))

    def __str__(self) -> str:
        parts = (self.clickhouse, self.catalog, str(self.files))
        return f"{SCHEME}://?" + "&".join(f"{n}={quote(v, safe='/:@,')}" for n, v in zip(_PARTS, parts, strict=True))
