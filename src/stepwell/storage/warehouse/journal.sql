-- Statements of the journal of acknowledged points, by name.

-- name: lock_runs
SELECT run.key
FROM each_pair(?) AS wanted
JOIN workspace ON workspace.name = wanted.first
JOIN run ON run.workspace_key = workspace.key AND run.id = wanted.second
ORDER BY run.key
FOR UPDATE OF run;

-- name: take_arrivals
UPDATE run SET next_arrival = taken.first + :count
FROM (SELECT take_arrivals(:count) AS first) AS taken
WHERE key = :run_key
RETURNING taken.first;

-- name: add
INSERT INTO journal (run_key, first_arrival, count, payload) VALUES (?, ?, ?, ?);

-- name: of_runs
SELECT run_key, first_arrival, payload FROM journal
WHERE run_key IN (SELECT value FROM each_number(?)) AND moved_at IS NULL
ORDER BY run_key, first_arrival;

-- name: ends
SELECT key, next_arrival FROM run WHERE key IN (SELECT value FROM each_number(?));

-- name: arrivals_given
SELECT last_value + 1 FROM arrival;

-- name: next_to_move
SELECT run_key, first_arrival, count FROM journal
WHERE moved_at IS NULL AND first_arrival < :before
ORDER BY run_key, first_arrival LIMIT :limit
FOR UPDATE SKIP LOCKED;

-- name: next_to_move_waiting
SELECT run_key, first_arrival, count FROM journal
WHERE moved_at IS NULL AND first_arrival < :before
ORDER BY run_key, first_arrival LIMIT :limit
FOR UPDATE;

-- name: mark_moved
UPDATE journal SET moved_at = now() WHERE run_key = ? AND first_arrival = ?;

-- name: moved_after
SELECT run_key, first_arrival, count FROM journal
WHERE moved_at IS NOT NULL AND (run_key, first_arrival) > (:run_key, :first_arrival)
ORDER BY run_key, first_arrival LIMIT :limit;

-- name: next_to_drop
SELECT run_key, first_arrival, count FROM journal
WHERE moved_at < now() - make_interval(secs => :seconds)
ORDER BY moved_at LIMIT :limit
FOR UPDATE SKIP LOCKED;

-- name: row
SELECT run_key, first_arrival, payload FROM journal WHERE run_key = ? AND first_arrival = ?;

-- Before which number nothing of a run waits to be moved.
-- name: settled
SELECT coalesce(
    (SELECT min(first_arrival) FROM journal WHERE journal.run_key = run.key AND moved_at IS NULL), next_arrival)
FROM run WHERE key = ?;

-- name: drop
DELETE FROM journal WHERE run_key = ? AND first_arrival = ?;

-- name: drop_of_run
DELETE FROM journal WHERE run_key = ?;

-- name: waiting
SELECT count(*), coalesce(CAST(sum(count) AS bigint), 0) FROM journal WHERE moved_at IS NULL;

-- name: add_garbage
INSERT INTO garbage (run_key) VALUES (?);

-- name: garbage
SELECT garbage.run_key FROM garbage JOIN tombstone USING (run_key)
WHERE tombstone.purged_at < :before
ORDER BY garbage.run_key LIMIT :limit
FOR UPDATE OF garbage SKIP LOCKED;

-- name: drop_garbage
DELETE FROM garbage WHERE run_key = ?;

-- name: database_bytes
SELECT pg_database_size(current_database());

-- name: journal_after
SELECT run_key, first_arrival, payload FROM journal
WHERE (run_key, first_arrival) > (:run_key, :first_arrival)
ORDER BY run_key, first_arrival LIMIT :limit;

-- name: summaries_after
SELECT series_key, body FROM summary WHERE series_key > ? ORDER BY series_key LIMIT ?;

-- name: points_of_workspace
SELECT CAST(coalesce(sum(run_metric.count), 0) AS bigint)
FROM workspace
JOIN run ON run.workspace_key = workspace.key
JOIN run_metric ON run_metric.run_key = run.key
WHERE workspace.name = ?;

-- name: busiest
SELECT run_key, CAST(sum(count) AS bigint) FROM journal WHERE moved_at IS NULL
GROUP BY run_key
ORDER BY sum(count) DESC, run_key
LIMIT ?;
