-- Those statements of storage/catalog/queries.sql that need other words in PostgreSQL, and nothing else.

-- Workspaces and experiments ------------------------------------------------------------------------------------------

-- name: put_workspace_alias
INSERT INTO workspace_alias (dialect, id, workspace) VALUES (:dialect, :id, :workspace)
ON CONFLICT (dialect, id) DO UPDATE SET workspace = excluded.workspace;

-- name: set_experiment_tag
INSERT INTO experiment_tag (workspace_key, experiment_id, name, value) VALUES (:workspace_key, :id, :name, :value)
ON CONFLICT (workspace_key, experiment_id, name) DO UPDATE SET value = excluded.value;

-- name: experiment_tags
SELECT tag.experiment_id, tag.name, tag.value
FROM each_number(:ids) AS wanted
JOIN experiment_tag AS tag ON tag.workspace_key = :workspace_key AND tag.experiment_id = wanted.value
ORDER BY tag.experiment_id, tag.name;

-- Runs ----------------------------------------------------------------------------------------------------------------

-- name: read_runs
SELECT run.key, run.id, run.experiment_id, run.project_number, run.name, run."user", run.status, run.status_reason,
       run.deleted, run.artifact_uri, run.origin, run.start_time, run.end_time, run.created_at, run.updated_at
FROM each_number(:keys) AS wanted JOIN run ON run.key = wanted.value;

-- name: run_id_of_number
SELECT id FROM run WHERE workspace_key = ? AND experiment_id = ? AND project_number = ?;

-- name: names_of_metrics
SELECT DISTINCT metric.name
FROM run
JOIN series ON series.run_key = run.key
JOIN metric ON metric.id = series.metric_id
WHERE run.workspace_key = :workspace_key AND run.experiment_id = :experiment_id AND run.deleted = 0
    AND strpos(lower(metric.name), lower(:contains)) > 0
ORDER BY metric.name LIMIT :limit;

-- name: names_of_metrics_in_runs
SELECT DISTINCT metric.name
FROM each_text(:run_ids) AS wanted
JOIN run ON run.workspace_key = :workspace_key AND run.id = wanted.value
JOIN series ON series.run_key = run.key
JOIN metric ON metric.id = series.metric_id
WHERE run.experiment_id = :experiment_id AND run.deleted = 0 AND strpos(lower(metric.name), lower(:contains)) > 0
ORDER BY metric.name LIMIT :limit;

-- name: names_of_metrics_in
SELECT metric.name FROM metric
WHERE strpos(lower(metric.name), lower(:contains)) > 0
    AND EXISTS (
        SELECT 1 FROM series JOIN run ON run.key = series.run_key
        WHERE series.metric_id = metric.id AND run.workspace_key = :workspace_key AND run.deleted = 0
            AND (:experiment_ids IS NULL OR run.experiment_id IN (SELECT value FROM each_number(:experiment_ids)))
    )
ORDER BY metric.name LIMIT :limit;

-- name: names_of_params
WITH RECURSIVE walk(name) AS (
    SELECT min(name) FROM param
    UNION ALL
    SELECT (SELECT min(param.name) FROM param WHERE param.name > walk.name) FROM walk WHERE walk.name IS NOT NULL
)
SELECT name FROM walk
WHERE name IS NOT NULL AND strpos(lower(name), lower(:contains)) > 0
    AND EXISTS (
        SELECT 1 FROM param JOIN run ON run.key = param.run_key
        WHERE param.name = walk.name AND run.workspace_key = :workspace_key AND run.deleted = 0
            AND (:experiment_ids IS NULL OR run.experiment_id IN (SELECT value FROM each_number(:experiment_ids)))
    )
LIMIT :limit;

-- name: names_of_tags
WITH RECURSIVE walk(name) AS (
    SELECT min(name) FROM tag
    UNION ALL
    SELECT (SELECT min(tag.name) FROM tag WHERE tag.name > walk.name) FROM walk WHERE walk.name IS NOT NULL
)
SELECT name FROM walk
WHERE name IS NOT NULL AND strpos(lower(name), lower(:contains)) > 0
    AND EXISTS (
        SELECT 1 FROM tag JOIN run ON run.key = tag.run_key
        WHERE tag.name = walk.name AND run.workspace_key = :workspace_key AND run.deleted = 0
            AND (:experiment_ids IS NULL OR run.experiment_id IN (SELECT value FROM each_number(:experiment_ids)))
    )
LIMIT :limit;

-- name: set_tag
INSERT INTO tag (run_key, name, value) VALUES (?, ?, ?) ON CONFLICT (run_key, name) DO UPDATE SET value = excluded.value;

-- name: set_custom_info
INSERT INTO custom_info (run_key, name, value) VALUES (?, ?, ?)
ON CONFLICT (run_key, name) DO UPDATE SET value = excluded.value;

-- name: add_event
INSERT INTO event (run_key, seq, time, kind, text, detail)
SELECT :run_key, 1 + coalesce(max(seq), 0), :time, :kind, :text, :detail FROM event WHERE run_key = :run_key
HAVING NOT coalesce(bool_or(time = :time AND kind = :kind AND text = :text AND detail = :detail), false);

-- name: params_of
SELECT param.run_key, json_object_agg(param.name, param.value ORDER BY param.name) AS pairs
FROM each_number(:keys) AS wanted JOIN param ON param.run_key = wanted.value
WHERE :names IS NULL OR param.name IN (SELECT value FROM each_text(:names))
GROUP BY param.run_key;

-- name: tags_of
SELECT tag.run_key, json_object_agg(tag.name, tag.value ORDER BY tag.name) AS pairs
FROM each_number(:keys) AS wanted JOIN tag ON tag.run_key = wanted.value
WHERE :names IS NULL OR tag.name IN (SELECT value FROM each_text(:names))
GROUP BY tag.run_key;

-- name: custom_info_of
SELECT info.run_key, json_object_agg(info.name, info.value ORDER BY info.name) AS pairs
FROM each_number(:keys) AS wanted JOIN custom_info AS info ON info.run_key = wanted.value
WHERE :names IS NULL OR info.name IN (SELECT value FROM each_text(:names))
GROUP BY info.run_key;

-- Series and summaries ------------------------------------------------------------------------------------------------

-- name: find_series
SELECT (
    SELECT series.key
    FROM series
    WHERE series.run_key = ?
      AND series.metric_id = (SELECT id FROM metric WHERE name = ?)
      AND series.labels_id = (SELECT id FROM labels WHERE body_hash = digest(?))
);

-- name: add_series
INSERT INTO series (run_key, metric_id, labels_id)
SELECT CAST(? AS bigint), metric.id, labels.id FROM metric, labels
WHERE metric.name = ? AND labels.body_hash = digest(?)
RETURNING key;

-- name: list_series_within
SELECT DISTINCT series.key, metric.name, labels.body
FROM each_pair(:ranges) AS wanted
JOIN metric ON metric.name >= wanted.first
    AND (wanted.second IS NULL OR metric.name < wanted.second)
JOIN series ON series.run_key = :run_key AND series.metric_id = metric.id
JOIN labels ON labels.id = series.labels_id;

-- name: series_of_runs
SELECT series.key, series.run_key, metric.name, labels.body
FROM each_number(?) AS wanted
JOIN series ON series.run_key = wanted.value
JOIN metric ON metric.id = series.metric_id
JOIN labels ON labels.id = series.labels_id;

-- name: label_sets
SELECT series.key, series.run_key, metric.name, labels.body,
    EXISTS (SELECT 1 FROM summary WHERE summary.series_key = series.key)
FROM each_number(?) AS wanted
JOIN series ON series.run_key = wanted.value
JOIN metric ON metric.id = series.metric_id AND metric.labelled = 1
JOIN labels ON labels.id = series.labels_id;

-- name: series_keys_of_runs
SELECT series.key FROM each_number(?) AS run JOIN series ON series.run_key = run.value;

-- name: series_keys_of_metrics
SELECT series.key
FROM each_text(?) AS name
JOIN metric ON metric.name = name.value
JOIN series ON series.metric_id = metric.id;

-- name: series_keys_of_runs_and_metrics
SELECT series.key
FROM each_text(:metrics) AS name
JOIN metric ON metric.name = name.value
CROSS JOIN each_number(:runs) AS run
JOIN series ON series.run_key = run.value AND series.metric_id = metric.id;

-- name: describe_series
SELECT series.key, series.run_key, metric.name, labels.body
FROM each_number(?) AS wanted
JOIN series ON series.key = wanted.value
JOIN metric ON metric.id = series.metric_id
JOIN labels ON labels.id = series.labels_id;

-- name: describe_series_by_index
SELECT series.key, series.run_key, metric.name, labels.body
FROM series
JOIN metric ON metric.id = series.metric_id
JOIN labels ON labels.id = series.labels_id
WHERE series.key IN (SELECT value FROM each_number(?));

-- name: store_summary
INSERT INTO summary (series_key, body) SELECT key, CAST(? AS bytea) FROM series WHERE key = ?
ON CONFLICT (series_key) DO UPDATE SET body = excluded.body;

-- name: load_summaries
SELECT summary.series_key, summary.body
FROM each_number(?) AS wanted JOIN summary ON summary.series_key = wanted.value;

-- name: store_run_metric
INSERT INTO run_metric (metric_id, run_key, last, min, max, mean, count) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (metric_id, run_key) DO UPDATE SET
    last = excluded.last, min = excluded.min, max = excluded.max, mean = excluded.mean, count = excluded.count;

-- name: measured_by
SELECT series.key, series.metric_id, series.run_key, metric.labelled
FROM each_number(?) AS wanted
JOIN series ON series.key = wanted.value
JOIN metric ON metric.id = series.metric_id;

-- name: summaries_of_runs
SELECT series.run_key, json_agg(metric.name ORDER BY series.key), json_agg(series.labels_id ORDER BY series.key),
       string_agg(summary.body, ''::bytea ORDER BY series.key)
FROM each_number(:keys) AS wanted
JOIN series ON series.run_key = wanted.value
JOIN summary ON summary.series_key = series.key
JOIN metric ON metric.id = series.metric_id
GROUP BY series.run_key;

-- name: summaries_of_runs_and_metrics
SELECT series.run_key, json_agg(metric.name ORDER BY series.key), json_agg(series.labels_id ORDER BY series.key),
       string_agg(summary.body, ''::bytea ORDER BY series.key)
FROM each_number(:keys) AS wanted
CROSS JOIN metric
JOIN series ON series.run_key = wanted.value AND series.metric_id = metric.id
JOIN summary ON summary.series_key = series.key
WHERE metric.name IN (SELECT value FROM each_text(:names))
GROUP BY series.run_key;

-- name: labels_bodies
SELECT labels.id, labels.body FROM each_number(?) AS wanted JOIN labels ON labels.id = wanted.value;

-- name: labelled_metrics
SELECT name FROM metric WHERE labelled = 1 AND name IN (SELECT value FROM each_text(?));

-- Searching -----------------------------------------------------------------------------------------------------------

-- name: runs_of_param
SELECT run_key, value = :value FROM param
WHERE name = :name AND substr(value, 1, 64) = substr(:value, 1, 64)
LIMIT :most;

-- name: runs_of_tag
SELECT run_key, value = :value FROM tag
WHERE name = :name AND substr(value, 1, 64) = substr(:value, 1, 64)
LIMIT :most;

-- name: read_experiments
SELECT experiment.id, experiment.name, experiment.artifact_location, experiment.deleted, experiment.created_at,
       experiment.updated_at
FROM each_number(:ids) AS wanted
JOIN experiment ON experiment.workspace_key = :workspace_key AND experiment.id = wanted.value;

-- Records -------------------------------------------------------------------------------------------------------------

-- name: find_unique_value
SELECT 1 FROM record_value
WHERE workspace_key = :workspace_key AND kind = :kind AND name = :name AND is_unique = 1
    AND digest(value) = digest(:value);

-- name: read_records
SELECT record.key, record.kind, record.id, run.id, record.body, record.created_at, record.updated_at
FROM each_number(?) AS wanted
JOIN record ON record.key = wanted.value
LEFT JOIN run ON run.key = record.run_key;

-- name: read_record_values
SELECT record_value.record_key, record_value.is_unique, record_value.name, record_value.value
FROM each_number(?) AS wanted JOIN record_value ON record_value.record_key = wanted.value
ORDER BY record_value.record_key, record_value.is_unique, record_value.name;

-- name: find_records_of_run
SELECT key, created_at, id
FROM record
WHERE run_key = :run_key AND kind = :kind AND (:created_at IS NULL OR (created_at, id) > (:created_at, :id))
ORDER BY created_at, id
LIMIT :limit;

-- name: find_kinds
SELECT 1
FROM each_text(:kinds) AS of_kind
JOIN record ON record.workspace_key = (SELECT key FROM workspace WHERE name = :workspace) AND record.kind = of_kind.value
LIMIT 1;

-- name: find_records_of_runs
SELECT record.key, run.id
FROM workspace
CROSS JOIN each_text(:run_ids) AS wanted
JOIN run ON run.workspace_key = workspace.key AND run.id = wanted.value
CROSS JOIN each_text(:kinds) AS of_kind
JOIN record ON record.run_key = run.key AND record.kind = of_kind.value
WHERE workspace.name = :workspace
ORDER BY record.created_at, record.kind, record.id;

-- name: find_records_by_value
SELECT record.key, record.created_at, record.id
FROM record
WHERE record.key IN (
        SELECT found.record_key
        FROM each_pair(:values) AS wanted
        JOIN record_value AS found
            ON found.workspace_key = :workspace_key
            AND found.kind = :kind
            AND found.name = wanted.first
            AND substr(found.value, 1, 64) = substr(wanted.second, 1, 64)
            AND found.value = wanted.second
        GROUP BY found.record_key
        HAVING count(DISTINCT found.name) = :names
    )
    AND (:run_key IS NULL OR record.run_key = :run_key)
    AND (:created_at IS NULL OR (record.created_at, record.id) > (:created_at, :id))
ORDER BY record.created_at, record.id
LIMIT :limit;

-- Console lines -------------------------------------------------------------------------------------------------------

-- name: put_line
INSERT INTO log_line (run_key, stream, line, time, text, level) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (run_key, stream, line) DO UPDATE SET time = excluded.time, text = excluded.text, level = excluded.level;

-- name: read_numbered_lines
SELECT log_line.stream, log_line.line, time, text, level
FROM (
    SELECT stream, line
    FROM log_line
    WHERE run_key = :run_key
    ORDER BY line, stream
    LIMIT :limit OFFSET :skip
) AS page
JOIN log_line
    ON log_line.run_key = :run_key AND log_line.stream = page.stream AND log_line.line = page.line
ORDER BY log_line.line, log_line.stream;

-- Files ---------------------------------------------------------------------------------------------------------------

-- name: put_blob
INSERT INTO blob (workspace_key, run_key, path, size, sha256, stored_at, file)
VALUES (:workspace_key, :run_key, :path, :size, :sha256, :stored_at, :file)
ON CONFLICT (workspace_key, run_key, path) DO UPDATE SET
    size = excluded.size, sha256 = excluded.sha256, stored_at = excluded.stored_at, file = excluded.file;

-- The audit log -------------------------------------------------------------------------------------------------------

-- Numbers follow one another in the order of the commits, whoever adds: who reads on from a number misses nothing.
-- name: add_audit
WITH taken AS (UPDATE audit_entries SET count = count + 1 RETURNING count)
INSERT INTO audit (number, at, action, workspace, subject, details, via, credential_id, address, request_id)
SELECT count, :at, :action, :workspace, :subject, :details, :via, :credential_id, :address, :request_id FROM taken;

-- Bounds --------------------------------------------------------------------------------------------------------------

-- name: count_holdings
SELECT
    (
        SELECT count(*) FROM workspace JOIN run ON run.workspace_key = workspace.key JOIN series ON series.run_key = run.key
        WHERE workspace.name = :workspace
    ),
    (SELECT count(*) FROM workspace JOIN run ON run.workspace_key = workspace.key WHERE workspace.name = :workspace),
    (
        SELECT CAST(coalesce(sum(blob.size), 0) AS bigint) FROM workspace JOIN blob ON blob.workspace_key = workspace.key
        WHERE workspace.name = :workspace
    );
