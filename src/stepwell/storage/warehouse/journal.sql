-- Statements of the journal of acknowledged points, by name.

-- name: lock_run
SELECT next_arrival FROM run WHERE key = :run_key FOR UPDATE;

-- name: take_arrivals
UPDATE run SET next_arrival = next_arrival + :count WHERE key = :run_key RETURNING next_arrival - :count;

-- name: add
INSERT INTO journal (run_key, first_arrival, count, payload) VALUES (:run_key, :first_arrival, :count, :payload);

-- name: of_runs
SELECT run_key, first_arrival, payload FROM journal
WHERE run_key IN (SELECT value FROM each_number(?))
ORDER BY run_key, first_arrival;

-- name: ends
SELECT key, next_arrival FROM run WHERE key IN (SELECT value FROM each_number(?));

-- name: next_to_move
SELECT run_key, first_arrival, payload FROM journal
ORDER BY run_key, first_arrival LIMIT ?
FOR UPDATE SKIP LOCKED;

-- name: next_to_move_waiting
SELECT run_key, first_arrival, payload FROM journal
ORDER BY run_key, first_arrival LIMIT ?
FOR UPDATE;

-- name: drop
DELETE FROM journal WHERE run_key = :run_key AND first_arrival = :first_arrival;

-- name: drop_of_run
DELETE FROM journal WHERE run_key = ?;

-- name: waiting
SELECT count(*), coalesce(CAST(sum(count) AS bigint), 0) FROM journal;

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
