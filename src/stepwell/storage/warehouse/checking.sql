-- Statements of the check of a warehouse, by name.

-- name: journal_after
SELECT run_key, first_arrival, count, payload, moved_at <= now() FROM journal
WHERE (run_key, first_arrival) > (:run_key, :first_arrival)
ORDER BY run_key, first_arrival LIMIT :limit;

-- All that the journal has of some runs, whether it was moved or not.
-- name: journal_of_runs
SELECT run_key, first_arrival, payload, moved_at <= now() FROM journal
WHERE run_key IN (SELECT value FROM each_number(?))
ORDER BY run_key, first_arrival;

-- name: make_aside
CREATE TABLE IF NOT EXISTS journal_damaged (LIKE journal);

-- name: set_aside
INSERT INTO journal_damaged SELECT * FROM journal WHERE run_key = ? AND first_arrival = ?;

-- name: drop_row
DELETE FROM journal WHERE run_key = ? AND first_arrival = ?;

-- name: series_after
SELECT series.key, series.run_key, summary.body
FROM series LEFT JOIN summary ON summary.series_key = series.key
WHERE series.key > :after
ORDER BY series.key LIMIT :limit;

-- name: bodies
SELECT series.key, summary.body
FROM series LEFT JOIN summary ON summary.series_key = series.key
WHERE series.key IN (SELECT value FROM each_number(?));

-- name: drop_summary
DELETE FROM summary WHERE series_key = ?;

-- What searches see of a metric of a run that has no points any more.
-- name: drop_searched
DELETE FROM run_metric USING series
WHERE series.key = ? AND run_metric.run_key = series.run_key AND run_metric.metric_id = series.metric_id;

-- Another series of the same metric of the same run, with other labels.
-- name: sibling
SELECT other.key, summary.body
FROM series
JOIN series AS other ON other.run_key = series.run_key AND other.metric_id = series.metric_id
JOIN summary ON summary.series_key = other.key
WHERE series.key = ?
ORDER BY other.key LIMIT 1;
