-- From format 1 to 2: blocks can stand below tiles. None does yet.

ALTER TABLE block RENAME TO block_of_format_1;

CREATE TABLE block (
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

INSERT INTO block
SELECT series_key, 0, id, 0, count, min_step, max_step, min_time, max_time, min_arrival, max_arrival
FROM block_of_format_1;

DROP TABLE block_of_format_1;
