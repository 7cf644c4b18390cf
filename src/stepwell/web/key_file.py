"""The file that holds the server's key: read, or made when it is missing. Nobody but its owner may read it."""

from __future__ import annotations

import logging
import os
import re
import secrets
from pathlib import Path
from typing import Final

from stepwell.core.errors import Invalid
from stepwell.services.sealing import ServerKey, new_key

_KEY: Final = re.compile(r"[0-9a-fA-F]{64}\s*")
_OTHERS: Final = 0o007
_log = logging.getLogger("stepwell.key")


def load(path: Path, *, make: bool = True) -> ServerKey:
    """The key in the file, which is made when it is missing. Invalid: the file holds something else, or everybody may
    read it; without `make` also: it is missing. OSError."""
    try:
        text = _read(path)
    except FileNotFoundError:
        if not make:
            raise Invalid(f"there is no key file {path}: all servers need the same", field="key_file") from None
        _make(path, new_key().hex() + "\n")
        text = _read(path)
    if not _KEY.fullmatch(text):
        raise Invalid(f"the key file {path} does not hold 64 hexadecimal digits", field="key_file")
    return ServerKey(bytes.fromhex(text.strip()))


def carry(source: Path, target: Path) -> None:
    """Make a file with the same key elsewhere; nothing without a source. Invalid: another key is there; OSError."""
    if not source.exists():
        return
    text = _read(source)
    if not target.exists():
        _make(target, text)
    if _read(target).split() != text.split():
        raise Invalid(f"the key file {target} holds another key than {source}", field="key_file")


def _read(path: Path) -> str:
    with path.open("r", encoding="latin-1") as file:
        if os.fstat(file.fileno()).st_mode & _OTHERS:
            raise Invalid(f"everybody may read the key file {path}; take that right away: chmod 600", field="key_file")
        return file.read(1024)


def _make(path: Path, text: str) -> None:
    """Write a key under another name, durably, and give it its own unless somebody was faster."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
        _log.info("made a new server key", extra={"action": "key_made", "file": str(path)})
    except FileExistsError:
        return
    finally:
        draft.unlink(missing_ok=True)
        _sync(path.parent)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
