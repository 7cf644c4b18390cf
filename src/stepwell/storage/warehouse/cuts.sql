-- Statements about cuts (points/cuts.py), by name.

-- name: of_series
SELECT number, run_key, series_key, before, made, since, last_step, last_time, last_value,
    pivot_step, pivot_time, pivot_value, pivot_occurrence
FROM cut WHERE series_key IN (SELECT value FROM each_number(?))
ORDER BY number;

-- name: of_runs
SELECT number, run_key, series_key, before, made, since, last_step, last_time, last_value,
    pivot_step, pivot_time, pivot_value, pivot_occurrence
FROM cut WHERE run_key IN (SELECT value FROM each_number(?))
ORDER BY number;

-- name: add
INSERT INTO cut (run_key, series_key, before, made, since, last_step, last_time, last_value,
    pivot_step, pivot_time, pivot_value, pivot_occurrence)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: drop
DELETE FROM cut WHERE number = ?;

-- name: drop_of_run
DELETE FROM cut WHERE run_key = ?;

-- name: lock_runs
SELECT key FROM run WHERE key IN (SELECT value FROM each_number(?)) ORDER BY key FOR UPDATE;

-- name: take_number
UPDATE run SET next_arrival = taken.first + 1
FROM (SELECT take_arrivals(1) AS first) AS taken
WHERE key = ?
RETURNING taken.first;

-- name: arrived_since
SELECT run_key, first_arrival, payload FROM journal WHERE run_key = ? AND first_arrival >= ?;

-- Whose hidden points can be removed: no row of the journal has any, so none comes again, and no read goes on that began
-- before. A cut that was asked for is left alone for a while.
-- name: to_remove
SELECT number, run_key, series_key, before, made, since, last_step, last_time, last_value,
    pivot_step, pivot_time, pivot_value, pivot_occurrence
FROM cut
WHERE number > :after AND made_at < now() - make_interval(secs => :age)
    AND (asked_at IS NULL OR asked_at < now() - make_interval(secs => :again))
    AND NOT EXISTS (SELECT 1 FROM journal WHERE journal.run_key = cut.run_key AND first_arrival < cut.made)
ORDER BY number LIMIT :limit
FOR UPDATE OF cut SKIP LOCKED;

-- name: asked
UPDATE cut SET asked_at = now() WHERE number = ?;
