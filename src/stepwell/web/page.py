"""The files of the web page, which `ui/` is built into. What it shows is made there, from the native API's answers."""

from __future__ import annotations

import gzip
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath
from typing import Final

from stepwell.web.call import Call
from stepwell.web.errors import not_found
from stepwell.web.response import Response

_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
# No inline code, no foreign address, no frame: what a user logged can never become a program in the page.
# Previews are blobs that the page itself fetched.
_HEADERS: Final = (
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("vary", "accept-encoding"),
)
_HASHED: Final = (("cache-control", "public, max-age=31536000, immutable"),)
_FRESH: Final = (("cache-control", "no-cache"),)
_NOT_BUILT: Final = b"The web page is not built: run `make ui`. The API answers all the same: ../api/v1/docs\n"


class Page:
    """The page's files, read and compressed once. Names are looked up, never joined to a path."""

    def __init__(self, folder: Traversable | None = None) -> None:
        self._plain: dict[str, Response] = {}
        self._packed: dict[str, Response] = {}
        for name, content in _walk(folder or files("stepwell.web").joinpath("static"), ""):
            kind = _TYPES.get(PurePosixPath(name).suffix)
            if kind is None:
                continue
            headers = _HEADERS + (_HASHED if name.startswith("assets/") else _FRESH)
            self._plain[name] = Response(200, content, kind, headers)
            packed = gzip.compress(content, mtime=0)
            self._packed[name] = Response(200, packed, kind, (*headers, ("content-encoding", "gzip")))

    async def index(self, call: Call) -> Response:
        """The one document; which view it shows is in the fragment of the address."""
        if "index.html" not in self._plain:
            return Response(503, _NOT_BUILT, "text/plain; charset=utf-8")
        return self._file("index.html", call)

    async def file(self, call: Call) -> Response:
        """A script, style or picture of the page."""
        return self._file(call.params["name"], call)

    def _file(self, name: str, call: Call) -> Response:
        takes_gzip = "gzip" in (call.header("accept-encoding") or "")
        response = (self._packed if takes_gzip else self._plain).get(name)
        if response is None:
            raise not_found(f"/ui/{name}")
        return response


def _walk(folder: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    """Every file below `folder`, by its path; nothing where the page was not built."""
    if not folder.is_dir():
        return []
    found: list[tuple[str, bytes]] = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _walk(entry, f"{prefix}{entry.name}/")
        else:
            found.append((prefix + entry.name, entry.read_bytes()))
    return found
