"""The toy program that the power-loss tests run, and what they look for on the disks that are left."""

from pathlib import Path

import apsw

from crash.powerloss import CrashImage, PowerLossDisk


def connect(disk: PowerLossDisk, *, synchronous: str = "full") -> apsw.Connection:
    db = apsw.Connection(str(disk.root / "toy.db"))
    db.pragma("journal_mode", "wal")
    db.pragma("synchronous", synchronous)
    db.pragma("wal_autocheckpoint", 0)
    return db


def numbers_in(path: Path) -> set[int]:
    """The committed rows of a disk; none when the power went before the table was there."""
    db = apsw.Connection(str(path / "toy.db"))
    try:
        assert db.pragma("integrity_check") == "ok"
        if not db.table_exists("main", "t"):
            return set()
        return {number for (number,) in db.execute("SELECT n FROM t")}
    finally:
        db.close()


def acknowledged_rows_are_there(image: CrashImage) -> None:
    lost = set(image.marks) - numbers_in(image.path)
    assert not lost, f"lost {sorted(lost)}"


def toy(disk: PowerLossDisk, *, synchronous: str = "full", early: bool = False, rows: int = 24) -> None:
    """Rows 1, 2, ... each in a commit of its own, acknowledged by a mark; checkpoints of both kinds between them."""
    db = connect(disk, synchronous=synchronous)
    db.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, filling BLOB)")
    for n in range(1, rows + 1):
        if early:
            disk.mark(n)
        db.execute("INSERT INTO t VALUES (?, ?)", (n, bytes(500 * (n % 5))))
        if not early:
            disk.mark(n)
        if n % 8 == 0:
            db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE if n % 16 else apsw.SQLITE_CHECKPOINT_PASSIVE)
    db.close()


def numbers_in_live(disk: PowerLossDisk) -> set[int]:
    db = connect(disk)
    rows = {number for (number,) in db.execute("SELECT n FROM t")}
    db.close()
    return rows


def content_of(path: Path) -> dict[str, bytes]:
    return {str(p.relative_to(path)): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}
