-- Tables of the points. Their meaning is in FORMAT.md.

CREATE TABLE IF NOT EXISTS journal (
    first_arrival INTEGER PRIMARY KEY,
    count INTEGER NOT NULL,
    payload BLOB NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS journal_damaged (
    first_arrival INTEGER PRIMARY KEY,
    count INTEGER NOT NULL,
    payload BLOB NOT NULL
) STRICT;

-- Blocks, and tiles above them (level 1 and more). A root has the parent 0.
CREATE TABLE IF NOT EXISTS block (
    series_key INTEGER NOT NULL,
    parent INTEGER NOT NULL,
    id INTEGER NOT NULL,
    level INTEGER NOT NULL,
    count INTEGER NOT NULL,
    min_step INTEGER NOT NULL,
    max_step INTEGER NOT NULL,
    min_time INTEGER NOT NULL,
    max_time INTEGER NOT NULL,
    min_arrival INTEGER NOT NULL,
    max_arrival INTEGER NOT NULL,
    PRIMARY KEY (series_key, parent, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS block_data (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    data BLOB NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS block_nodes (
    id INTEGER PRIMARY KEY,
    nodes BLOB NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS counter (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Series of purged runs whose blocks are still to be removed.
CREATE TABLE IF NOT EXISTS garbage (
    series_key INTEGER PRIMARY KEY
) STRICT;

INSERT OR IGNORE INTO counter (name, value) VALUES ('flushes', 0), ('next_arrival', 0);
