"""What the tests of crashes share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from crash.powerloss import PowerLossDisk


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[PowerLossDisk]:
    """A recorded disk on an empty folder."""
    live = tmp_path / "live"
    live.mkdir()
    with PowerLossDisk(live) as disk:
        yield disk
