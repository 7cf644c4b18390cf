"""What the tests of crashes share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("crash.story", "crash.reopening")

from crash.powerloss import PowerLossDisk  # noqa: E402


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[PowerLossDisk]:
    """A recorded disk on an empty folder."""
    live = tmp_path / "live"
    live.mkdir()
    with PowerLossDisk(live) as disk:
        yield disk
