"""The certificate that a server shows: read at the start, and again when its files change. No sockets here."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path
from typing import Final

from stepwell.core.errors import Invalid

LOOK_SECONDS: Final = 5.0  # between two looks at the files
_log = logging.getLogger("stepwell.tls")

_Seen = tuple[tuple[int, int, int], ...]


class Certificate:
    """A certificate chain and its key, both PEM. `context` is for the listening socket: what it shows changes with the
    files, for connections that begin later.
    """

    def __init__(self, chain: Path, key: Path) -> None:
        """OSError: a file cannot be read. Invalid: they are no certificate and its key."""
        self._chain = chain
        self._key = key
        self._seen = self._stat()
        self.context = self._made()

    def look(self) -> None:
        """Take the files as they are now, when they changed. What cannot be used is logged, and the old one stays."""
        try:
            seen = self._stat()
            if seen == self._seen:
                return
            self._made()  # a chain and a key that do not fit must not come into the context that is in use
            self.context.load_cert_chain(self._chain, self._key, password=_no_password)
        except (OSError, Invalid) as error:
            told = error.message if isinstance(error, Invalid) else str(error)
            _log.error("the certificate stays as it was: %s", told, extra={"action": "certificate_refused"})
            return
        self._seen = seen
        _log.info("took a new certificate", extra={"action": "certificate_changed", "file": str(self._chain)})

    def _made(self) -> ssl.SSLContext:
        for path in (self._chain, self._key):
            path.read_bytes()  # what cannot be read names itself, unlike in the error of the next line
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self._chain, self._key, password=_no_password)
        except (ssl.SSLError, ValueError) as error:
            pair = f"{self._chain} and {self._key}"
            told = f"{pair} are not a certificate and its key, PEM and unencrypted: {_reason(error)}"
            raise Invalid(told, field="tls_cert") from None
        return context

    def _stat(self) -> _Seen:
        found = [path.stat() for path in (self._chain, self._key)]
        return tuple((each.st_mtime_ns, each.st_size, each.st_ino) for each in found)


def _no_password() -> str:
    raise ValueError("the key is encrypted")  # else the server would ask at its terminal, and wait


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", None) or error)
