"""What tells the contents of files apart."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

_PIECE: Final = 1024 * 1024  # bytes


def digest(place: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal. OSError."""
    found = hashlib.sha256()
    with place.open("rb") as file:
        while piece := file.read(_PIECE):
            found.update(piece)
    return found.hexdigest()
