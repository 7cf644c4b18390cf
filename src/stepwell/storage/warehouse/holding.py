"""What holds the contents of a warehouse's files: a folder that all servers share, or a bucket."""

from __future__ import annotations

from pathlib import Path

from stepwell.core.errors import Invalid
from stepwell.storage.contents import Contents, Folder
from stepwell.storage.files import RealFiles
from stepwell.storage.warehouse.address import Bucket


def contents_of(place: Path | Bucket, *, reach: bool) -> Contents:
    """The contents in a folder, which is made, or in a bucket. `reach`: write to the bucket first and see whether it
    can be used, or Invalid; Busy: it does not answer. Also Invalid: a package is missing. OSError."""
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
    if reach:
        found.reach()
    return found
