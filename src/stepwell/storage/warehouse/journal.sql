-- Statements of the journal of acknowledged points, by name.

-- name: lock_runs
SELECT run.key
FROM each_pair(?) AS wanted
JOIN workspace ON workspace.name = wanted.first
JOIN run ON run.workspace_key = workspace.key AND run.id = wanted.second
ORDER BY run.key
FOR UPDATE OF run;

-- The runs that are to be written to, by their place in the list, locked in the order in which `lock_runs` does it; and
-- a number that PostgreSQL has from one start to the next.
-- name: find_to_write
SELECT wanted.number, run.key, run.experiment_id, run.deleted,
       CAST(extract(epoch FROM pg_postmaster_start_time()) * 1000000 AS bigint)
FROM each_pair(:runs) WITH ORDINALITY AS wanted(first, second, number)
JOIN workspace ON workspace.name = wanted.first
JOIN run ON run.workspace_key = workspace.key AND run.id = wanted.second
ORDER BY run.key
FOR UPDATE OF run;

-- What is known of some series, and with each row the first of so many arrival numbers, taken once for all of them. Only
-- for who has locked the rows of the runs that they are for.
-- name: stored
SELECT series.key, series.metric_id, metric.labelled, summary.body, taken.first
FROM (SELECT take_arrivals(:count) AS first) AS taken
CROSS JOIN unnest(CAST(:keys AS bigint[])) AS wanted(key)
JOIN series ON series.key = wanted.key
JOIN metric ON metric.id = series.metric_id
LEFT JOIN summary ON summary.series_key = series.key;

-- Points of some runs, and what they change of the summaries, and of the numbers by which is searched.
-- name: add
WITH
    ends AS (
        UPDATE run SET next_arrival = given.next_arrival
        FROM unnest(CAST(:runs AS bigint[]), CAST(:ends AS bigint[])) AS given(key, next_arrival)
        WHERE run.key = given.key
    ),
    points AS (
        INSERT INTO journal (run_key, first_arrival, count, payload)
        SELECT * FROM unnest(
            CAST(:runs AS bigint[]), CAST(:firsts AS bigint[]), CAST(:counts AS bigint[]), CAST(:payloads AS bytea[]))
    ),
    sums AS (
        INSERT INTO summary (series_key, body)
        SELECT * FROM unnest(CAST(:series AS bigint[]), CAST(:bodies AS bytea[]))
        ON CONFLICT (series_key) DO UPDATE SET body = excluded.body
    )
INSERT INTO run_metric (metric_id, run_key, last, min, max, mean, count)
SELECT * FROM unnest(
    CAST(:metrics AS bigint[]), CAST(:metric_runs AS bigint[]), CAST(:lasts AS bigint[]), CAST(:mins AS bigint[]),
    CAST(:maxs AS bigint[]), CAST(:means AS bigint[]), CAST(:metric_counts AS bigint[]))
ON CONFLICT (metric_id, run_key) DO UPDATE SET
    last = excluded.last, min = excluded.min, max = excluded.max, mean = excluded.mean, count = excluded.count;

-- name: of_runs
SELECT run_key, first_arrival, payload FROM journal
WHERE run_key = ANY (CAST(:run_keys AS bigint[])) AND moved_at IS NULL
UNION ALL
SELECT run_key, first_arrival, payload FROM journal
WHERE run_key = ANY (CAST(:run_keys AS bigint[])) AND moved_at > now()
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

-- name: named_to_move
SELECT journal.run_key, journal.first_arrival, journal.count
FROM unnest(CAST(:run_keys AS bigint[]), CAST(:first_arrivals AS bigint[])) AS wanted(run_key, first_arrival)
JOIN journal ON journal.run_key = wanted.run_key AND journal.first_arrival = wanted.first_arrival
WHERE journal.moved_at IS NULL
ORDER BY journal.run_key, journal.first_arrival
FOR UPDATE OF journal SKIP LOCKED;

-- Nobody else moves until the end of the transaction.
-- name: lock_moves
SELECT pg_advisory_xact_lock(1836021349);

-- name: mark_moved
UPDATE journal SET moved_at = now()
FROM unnest(CAST(:run_keys AS bigint[]), CAST(:first_arrivals AS bigint[])) AS moved(run_key, first_arrival)
WHERE journal.run_key = moved.run_key AND journal.first_arrival = moved.first_arrival;

-- Some replicas may not have them before that.
-- name: mark_inserted
UPDATE journal SET moved_at = now() + interval '300 seconds'
FROM unnest(CAST(:run_keys AS bigint[]), CAST(:first_arrivals AS bigint[])) AS moved(run_key, first_arrival)
WHERE journal.run_key = moved.run_key AND journal.first_arrival = moved.first_arrival;

-- name: moved_after
SELECT run_key, first_arrival, count FROM journal
WHERE moved_at IS NOT NULL AND (run_key, first_arrival) > (:run_key, :first_arrival)
ORDER BY run_key, first_arrival LIMIT :limit;

-- name: next_to_drop
SELECT run_key, first_arrival, count FROM journal
WHERE moved_at < now() - make_interval(secs => :seconds)
ORDER BY moved_at LIMIT :limit
FOR UPDATE SKIP LOCKED;

-- name: rows
SELECT journal.run_key, journal.first_arrival, journal.payload
FROM unnest(CAST(:run_keys AS bigint[]), CAST(:first_arrivals AS bigint[])) AS wanted(run_key, first_arrival)
JOIN journal ON journal.run_key = wanted.run_key AND journal.first_arrival = wanted.first_arrival
ORDER BY journal.run_key, journal.first_arrival;

-- Before which number nothing of a run waits to be moved, of some runs.
-- name: settled
SELECT key, least(
    (SELECT min(first_arrival) FROM journal WHERE journal.run_key = run.key AND moved_at IS NULL),
    (SELECT min(first_arrival) FROM journal WHERE journal.run_key = run.key AND moved_at > now()),
    next_arrival)
FROM run WHERE key IN (SELECT value FROM each_number(?));

-- Those of some runs of whose series nobody else sums up any, until the end of the transaction.
-- name: lock_tiles
SELECT value FROM each_number(?)
WHERE pg_try_advisory_xact_lock(1953066085, CAST(value % 2147483647 AS integer));

-- name: drop
DELETE FROM journal
USING unnest(CAST(:run_keys AS bigint[]), CAST(:first_arrivals AS bigint[])) AS dropped(run_key, first_arrival)
WHERE journal.run_key = dropped.run_key AND journal.first_arrival = dropped.first_arrival;

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
SELECT run_key, CAST(sum(count) AS bigint) FROM journal
WHERE moved_at IS NULL AND (CAST(:workspace AS text) IS NULL OR run_key IN (
    SELECT run.key FROM run JOIN workspace ON workspace.key = run.workspace_key WHERE workspace.name = :workspace
))
GROUP BY run_key
ORDER BY sum(count) DESC, run_key
LIMIT :limit;
