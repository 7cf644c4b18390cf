"""Links to files that work without a credential: bound to method, run, path, size and time by a code of this server."""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import quote, urlencode

from stepwell.core.errors import Forbidden
from stepwell.services.sealing import ServerKey

PREFIX: Final = "/storage"
_PURPOSE: Final = b"signed link"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What one link allows: `method` on a file of a run. `size` is that of the upload, None for a download."""

    method: str
    workspace: str
    run_key: int
    path: str
    size: int | None
    expires: int  # seconds since 1970

    def url(self, origin: str, key: ServerKey) -> str:
        """The link."""
        place = "/".join(quote(part, safe="") for part in (self.workspace, str(self.run_key), *self.path.split("/")))
        query = {"expires": self.expires, **({} if self.size is None else {"size": self.size})}
        return f"{origin}{PREFIX}/{place}?{urlencode({**query, 'signature': self._code(key)})}"

    @classmethod
    def of(cls, method: str, place: str, query: dict[str, str], key: ServerKey, *, now: int) -> Self:
        """The link behind a request for `place`, the path behind the prefix. Forbidden: it is none of
        ours, was changed, or is too old."""
        workspace, _, rest = place.partition("/")
        run_key, _, path = rest.partition("/")
        size, expires = query.get("size"), query.get("expires", "")
        if not (_is_number(run_key) and path and _is_number(expires) and (size is None or _is_number(size))):
            raise Forbidden("this is not a link that this server gave")
        link = cls(
            method="GET" if method == "HEAD" else method,
            workspace=workspace,
            run_key=int(run_key),
            path=path,
            size=None if size is None else int(size),
            expires=int(expires),
        )
        if not hmac.compare_digest(link._code(key).encode(), query.get("signature", "").encode("utf-8", "replace")):
            raise Forbidden("the signature does not fit the link: it was changed, or is meant for another request")
        if now >= link.expires * 1_000_000:
            raise Forbidden("the link has expired; ask for a new one")
        return link

    def _code(self, key: ServerKey) -> str:
        parts = (self.method, self.workspace, self.run_key, self.path, self.size, self.expires)
        code = key.code(_PURPOSE, repr(parts).encode("utf-8", "surrogatepass"))
        return base64.urlsafe_b64encode(code).decode("ascii").rstrip("=")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18
