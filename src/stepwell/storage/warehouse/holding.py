"""What holds the contents of a warehouse's files: a folder that all servers share, or a bucket."""

from __future__ import annotations

from pathlib import Path

from stepwell.core.errors import Invalid
from stepwell.storage.contents import Contents, Folder
from stepwell.storage.files import RealFiles
from stepwell.storage.warehouse.address import Bucket


def contents_of(place: Path | Bucket) -> Contents:
    """The contents in a folder, which is made, or in a bucket, which was reached and written to. Invalid: it cannot be
    used, or a package is missing; Busy: it does not answer; OSError."""
    if isinstance(place, Path):
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        return Folder(RealFiles(place), alone=False)
    try:
        from stepwell.storage.warehouse import objects  # noqa: PLC0415  an extra: loaded where it is asked for
    except ImportError as error:
        raise Invalid(
            f"files in a bucket need a package that is not here ({error}): pip install 'stepwell[s3]'", field="store"
        ) from None
    found = objects.Objects(place)
    found.reach()
    return found
