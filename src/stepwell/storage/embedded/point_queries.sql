-- Statements of the points, by name.

-- name: tables
SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name;

-- name: add_journal
INSERT INTO journal (first_arrival, count, payload) VALUES (?, ?, ?);

-- name: read_journal
SELECT first_arrival, payload FROM journal ORDER BY first_arrival;

-- name: touch_journal
SELECT sum(hex(substr(payload, -1)) = '') FROM journal;

-- name: journal_forth
SELECT first_arrival, count, payload FROM journal ORDER BY first_arrival;

-- name: journal_back
SELECT first_arrival, count, payload FROM journal ORDER BY first_arrival DESC;

-- name: journal_schema
SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = 'journal';

-- name: journal_counts
SELECT first_arrival, count FROM journal;

-- name: journal_row
SELECT max(first_arrival) FROM journal WHERE first_arrival <= ?;

-- name: journal_end
SELECT first_arrival + count FROM journal ORDER BY first_arrival DESC LIMIT 1;

-- name: arrivals_end
SELECT max(value, ifnull((SELECT first_arrival + count FROM journal ORDER BY first_arrival DESC LIMIT 1), 0))
FROM counter WHERE name = 'next_arrival';

-- name: trim_journal
DELETE FROM journal
WHERE first_arrival IN (SELECT first_arrival FROM journal WHERE first_arrival < ? ORDER BY first_arrival LIMIT ?);

-- name: set_journal_aside
INSERT INTO journal_damaged SELECT * FROM journal WHERE first_arrival = ?;

-- name: drop_journal
DELETE FROM journal WHERE first_arrival = ?;

-- name: damaged_journal
SELECT first_arrival, count FROM journal_damaged ORDER BY first_arrival;

-- name: series_asked
SELECT :place, series.key
FROM metric
CROSS JOIN series ON series.run_key = :run_key AND series.metric_id = metric.id
JOIN labels ON labels.id = series.labels_id
WHERE metric.name = :metric AND (:labels IS NULL OR labels.body = :labels);

-- name: headers
SELECT series_key, id, count, min_step, max_step, min_time, max_time, min_arrival, max_arrival, parent, level
FROM block WHERE series_key = ? AND parent = 0 ORDER BY id;

-- name: headers_below
SELECT series_key, id, count, min_step, max_step, min_time, max_time, min_arrival, max_arrival, parent, level
FROM block WHERE series_key = ? AND parent = ? ORDER BY id;

-- name: headers_of_many
SELECT block.series_key, block.id, block.count, block.min_step, block.max_step, block.min_time, block.max_time,
       block.min_arrival, block.max_arrival, block.parent, block.level
FROM json_each(?) AS wanted JOIN block ON block.series_key = wanted.value AND block.parent = 0;

-- name: headers_after
SELECT series_key, id, count, min_step, max_step, min_time, max_time, min_arrival, max_arrival, parent, level
FROM block WHERE (series_key, parent, id) > (?, ?, ?) ORDER BY series_key, parent, id LIMIT ?;

-- name: block_data
SELECT data FROM block_data WHERE id = ?;

-- name: block_nodes
SELECT nodes FROM block_nodes WHERE id = ?;

-- name: add_block_data
INSERT INTO block_data (data) VALUES (?) RETURNING id;

-- name: add_block_nodes
INSERT INTO block_nodes (id, nodes) VALUES (?, ?);

-- name: add_block
INSERT INTO block (series_key, id, count, min_step, max_step, min_time, max_time, min_arrival, max_arrival,
    parent, level)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: set_parent
UPDATE block SET parent = ? WHERE series_key = ? AND parent = ? AND id = ?;

-- name: drop_block
DELETE FROM block WHERE series_key = ? AND parent = ? AND id = ?;

-- name: drop_block_data
DELETE FROM block_data WHERE id = ?;

-- name: drop_block_nodes
DELETE FROM block_nodes WHERE id = ?;

-- name: points_in_blocks
SELECT coalesce(sum(count), 0) FROM block WHERE series_key = ? AND level = 0;

-- name: points_of_workspace
SELECT coalesce(sum(block.count), 0)
FROM workspace
JOIN run ON run.workspace_key = workspace.key
JOIN series ON series.run_key = run.key
JOIN block ON block.series_key = series.key AND block.parent = 0
WHERE workspace.name = ?;

-- name: series_with_blocks
SELECT series_key FROM block WHERE parent = 0 GROUP BY series_key HAVING count(*) > 1;

-- name: existing_series
SELECT key FROM series WHERE key IN (SELECT value FROM json_each(?));

-- name: summaries_after
SELECT series_key, body FROM summary WHERE series_key > ? ORDER BY series_key LIMIT ?;

-- name: mend_summary
UPDATE summary SET body = ? WHERE series_key = ?;

-- name: run_id
SELECT id FROM run WHERE key = ?;

-- name: counters
SELECT name, value FROM counter;

-- name: flushes
SELECT value FROM counter WHERE name = 'flushes';

-- name: count_flush
UPDATE counter SET value = value + 1 WHERE name = 'flushes';

-- name: raise_next_arrival
UPDATE counter SET value = max(value, ?) WHERE name = 'next_arrival';

-- name: raise_above_blocks
UPDATE counter SET value = max(value, (SELECT ifnull(max(max_arrival) + 1, 0) FROM block)) WHERE name = 'next_arrival';

-- name: add_garbage
INSERT OR IGNORE INTO garbage (series_key) VALUES (?);

-- name: any_garbage
SELECT 1 FROM garbage LIMIT 1;

-- name: garbage_blocks
SELECT block.series_key, block.id, block.count, block.min_step, block.max_step, block.min_time, block.max_time,
       block.min_arrival, block.max_arrival, block.parent, block.level
FROM garbage JOIN block USING (series_key) LIMIT ?;

-- name: drop_garbage
DELETE FROM garbage;

-- name: blob_files
SELECT file FROM blob ORDER BY file;

-- name: blob_bytes
SELECT ifnull(sum(size), 0) FROM blob;

-- name: drop_credentials
DELETE FROM credential;

-- name: drop_credential_keys
DELETE FROM credential_key;

-- name: drop_blob_file
DELETE FROM blob WHERE file = ?;

-- name: all_series
SELECT key FROM series ORDER BY key;

-- name: all_runs
SELECT key FROM run ORDER BY key;

-- name: all_series_with_blocks
SELECT DISTINCT series_key FROM block ORDER BY series_key;

-- name: all_blobs
SELECT path, size, sha256, file FROM blob ORDER BY file;

-- name: drop_tiles
DELETE FROM block WHERE level > 0;

-- name: make_roots
UPDATE block SET parent = 0 WHERE parent <> 0;

-- name: keep_block_data
INSERT INTO block_data (id, data) VALUES (?, ?);

-- name: least_sequences
SELECT 'run', coalesce(max(run_key), 0) FROM tombstone
UNION ALL SELECT 'series', coalesce(max(series_key), 0) FROM block
UNION ALL SELECT 'block_data', coalesce(max(id), 0) FROM block;

-- name: raise_sequence
UPDATE sqlite_sequence SET seq = max(seq, :number) WHERE name = :name;
