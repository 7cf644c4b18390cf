"""Parquet where pyarrow is not installed. Where it is: tests/contract/stepwell."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from transfer.conftest import Program


def test_a_missing_library_is_named(program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    path = tmp_path / "train.parquet"
    path.write_bytes(b"PAR1")
    done = program("import", "parquet", path)
    assert (done.status, done.err) == (2, "stepwell: Parquet needs pyarrow: pip install 'stepwell[parquet]'\n")
