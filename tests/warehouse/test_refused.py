"""What a warehouse does not do it refuses, and says what to do instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stepwell.core.errors import Conflict
from stepwell.core.store import Store
from stores import Shelf

REFUSED: dict[str, tuple[Callable[[Store, Path], object], str]] = {
    "a backup": (lambda store, folder: store.backup(target=folder / "copy"), "warehouse.md"),
}


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    shelf = Shelf(tmp_path / "shelf", engine="warehouse")
    yield shelf
    shelf.close()


@pytest.mark.parametrize(("call", "words"), REFUSED.values(), ids=REFUSED)
def test_it_is_refused_in_words(
    shelf: Shelf, tmp_path: Path, call: Callable[[Store, Path], object], words: str
) -> None:
    with pytest.raises(Conflict, match=words):
        call(shelf.store, tmp_path)
    assert shelf.store.list_bounds() == []
    assert not (tmp_path / "copy").exists()
