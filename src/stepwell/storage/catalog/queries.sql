-- Statements of the catalog, by name. The one that is built is in search.py.

-- Workspaces and experiments ------------------------------------------------------------------------------------------

-- name: find_workspace
SELECT key, name, created_at FROM workspace WHERE name = ?;

-- name: list_workspaces
SELECT key, name, created_at FROM workspace ORDER BY name;

-- name: put_workspace_alias
INSERT OR REPLACE INTO workspace_alias (dialect, id, workspace) VALUES (:dialect, :id, :workspace);

-- name: list_workspace_aliases
SELECT dialect, id, workspace FROM workspace_alias ORDER BY dialect, id;

-- name: drop_workspace_alias
DELETE FROM workspace_alias WHERE dialect = :dialect AND id = :id RETURNING workspace;

-- name: add_workspace
INSERT INTO workspace (name, created_at, next_experiment) VALUES (:name, :at, :next_experiment) RETURNING key;

-- name: take_experiment_id
UPDATE workspace SET next_experiment = next_experiment + 1 WHERE key = ? RETURNING next_experiment - 1;

-- name: add_experiment
INSERT INTO experiment (workspace_key, id, name, artifact_location, deleted, created_at, updated_at, next_run)
VALUES (:workspace_key, :id, :name, :artifact_location, 0, :at, :at, 1);

-- name: find_experiment
SELECT id, name, artifact_location, deleted, created_at, updated_at
FROM experiment WHERE workspace_key = :workspace_key AND id = :id;

-- name: find_experiment_by_name
SELECT id, name, artifact_location, deleted, created_at, updated_at
FROM experiment WHERE workspace_key = :workspace_key AND name = :name;

-- name: change_experiment
UPDATE experiment SET name = :name, deleted = :deleted, updated_at = :at
WHERE workspace_key = :workspace_key AND id = :id;

-- name: mark_runs_of_experiment
UPDATE run SET deleted = :deleted, updated_at = :at
WHERE workspace_key = :workspace_key AND experiment_id = :id AND deleted <> :deleted;

-- name: set_experiment_tag
INSERT INTO experiment_tag (workspace_key, experiment_id, name, value) VALUES (:workspace_key, :id, :name, :value)
ON CONFLICT DO UPDATE SET value = excluded.value;

-- name: remove_experiment_tag
DELETE FROM experiment_tag WHERE workspace_key = :workspace_key AND experiment_id = :id AND name = :name;

-- name: find_run_of_experiment
SELECT 1 FROM run WHERE workspace_key = :workspace_key AND experiment_id = :id LIMIT 1;

-- name: purge_experiment_tags
DELETE FROM experiment_tag WHERE workspace_key = :workspace_key AND experiment_id = :id;

-- name: purge_experiment
DELETE FROM experiment WHERE workspace_key = :workspace_key AND id = :id;

-- name: experiment_tags
SELECT tag.experiment_id, tag.name, tag.value
FROM json_each(:ids) AS wanted
JOIN experiment_tag AS tag ON tag.workspace_key = :workspace_key AND tag.experiment_id = wanted.value
ORDER BY tag.experiment_id, tag.name;

-- Runs ----------------------------------------------------------------------------------------------------------------

-- name: find_run
SELECT run.key, run.experiment_id, run.deleted
FROM run JOIN workspace ON workspace.key = run.workspace_key
WHERE workspace.name = :workspace AND run.id = :id;

-- name: find_tombstone
SELECT 1 FROM tombstone WHERE run_key = ?;

-- name: read_runs
SELECT run.key, run.id, run.experiment_id, run.project_number, run.name, run.user, run.status, run.status_reason,
       run.deleted, run.artifact_uri, run.origin, run.start_time, run.end_time, run.created_at, run.updated_at
FROM json_each(:keys) AS wanted JOIN run ON run.key = wanted.value;

-- name: find_runs
SELECT id, key FROM run WHERE workspace_key = ? AND id = ?;

-- name: take_project_number
UPDATE experiment SET next_run = next_run + 1 WHERE workspace_key = :workspace_key AND id = :id
RETURNING next_run - 1, deleted;

-- name: add_run
INSERT INTO run (
    workspace_key, id, experiment_id, project_number, name, "user", status, status_reason, deleted, artifact_uri, origin,
    start_time, end_time, created_at, updated_at
)
VALUES (
    :workspace_key, :id, :experiment_id, :project_number, :name, :user, :status, '', 0, :artifact_uri, :origin,
    :start_time, NULL, :at, :at
)
ON CONFLICT (workspace_key, id) DO NOTHING
RETURNING key;

-- name: change_run
-- Columns that no index holds: to set another writes the index too, even where the value stays.
UPDATE run SET
    name = coalesce(:name, name),
    status = coalesce(:status, status),
    status_reason = coalesce(:status_reason, status_reason),
    end_time = coalesce(:end_time, end_time),
    updated_at = :at
WHERE key = :key;

-- name: move_run
UPDATE run SET start_time = coalesce(:start_time, start_time), deleted = coalesce(:deleted, deleted), updated_at = :at
WHERE key = :key;

-- name: run_id_of_key
SELECT id FROM run WHERE key = ? AND workspace_key = ?;

-- name: run_id_of_number
SELECT id FROM run INDEXED BY run_by_number WHERE workspace_key = ? AND experiment_id = ? AND project_number = ?;

-- name: names_of_metrics
SELECT DISTINCT metric.name
FROM run INDEXED BY run_by_experiment
CROSS JOIN series ON series.run_key = run.key
CROSS JOIN metric ON metric.id = series.metric_id
WHERE run.workspace_key = :workspace_key AND run.experiment_id = :experiment_id AND run.deleted = 0
    AND instr(lower(metric.name), lower(:contains)) > 0
ORDER BY metric.name LIMIT :limit;

-- name: names_of_metrics_in_runs
SELECT DISTINCT metric.name
FROM json_each(:run_ids) AS wanted
CROSS JOIN run ON run.workspace_key = :workspace_key AND run.id = wanted.value
CROSS JOIN series ON series.run_key = run.key
CROSS JOIN metric ON metric.id = series.metric_id
WHERE run.experiment_id = :experiment_id AND run.deleted = 0 AND instr(lower(metric.name), lower(:contains)) > 0
ORDER BY metric.name LIMIT :limit;

-- name: names_of_metrics_in
SELECT metric.name FROM metric
WHERE instr(lower(metric.name), lower(:contains)) > 0
    AND EXISTS (
        SELECT 1 FROM series INDEXED BY series_by_metric CROSS JOIN run ON run.key = series.run_key
        WHERE series.metric_id = metric.id AND run.workspace_key = :workspace_key AND run.deleted = 0
            AND (:experiment_ids IS NULL OR run.experiment_id IN (SELECT value FROM json_each(:experiment_ids)))
    )
ORDER BY metric.name LIMIT :limit;

-- name: names_of_params
WITH RECURSIVE walk(name) AS (
    SELECT min(name) FROM param
    UNION ALL
    SELECT (SELECT min(param.name) FROM param WHERE param.name > walk.name) FROM walk WHERE walk.name IS NOT NULL
)
SELECT name FROM walk
WHERE name IS NOT NULL AND instr(lower(name), lower(:contains)) > 0
    AND EXISTS (
        SELECT 1 FROM param INDEXED BY param_by_value CROSS JOIN run ON run.key = param.run_key
        WHERE param.name = walk.name AND run.workspace_key = :workspace_key AND run.deleted = 0
            AND (:experiment_ids IS NULL OR run.experiment_id IN (SELECT value FROM json_each(:experiment_ids)))
    )
LIMIT :limit;

-- name: names_of_tags
WITH RECURSIVE walk(name) AS (
    SELECT min(name) FROM tag
    UNION ALL
    SELECT (SELECT min(tag.name) FROM tag WHERE tag.name > walk.name) FROM walk WHERE walk.name IS NOT NULL
)
SELECT name FROM walk
WHERE name IS NOT NULL AND instr(lower(name), lower(:contains)) > 0
    AND EXISTS (
        SELECT 1 FROM tag INDEXED BY tag_by_value CROSS JOIN run ON run.key = tag.run_key
        WHERE tag.name = walk.name AND run.workspace_key = :workspace_key AND run.deleted = 0
            AND (:experiment_ids IS NULL OR run.experiment_id IN (SELECT value FROM json_each(:experiment_ids)))
    )
LIMIT :limit;

-- name: find_param
SELECT value FROM param WHERE run_key = ? AND name = ?;

-- name: add_param
INSERT INTO param (run_key, name, value) VALUES (?, ?, ?) ON CONFLICT DO NOTHING;

-- name: set_tag
INSERT INTO tag (run_key, name, value) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value;

-- name: remove_tag
DELETE FROM tag WHERE run_key = ? AND name = ?;

-- name: set_custom_info
INSERT INTO custom_info (run_key, name, value) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value;

-- name: add_event
INSERT INTO event (run_key, seq, time, kind, text, detail)
SELECT :run_key, 1 + ifnull(max(seq), 0), :time, :kind, :text, :detail FROM event WHERE run_key = :run_key
HAVING NOT ifnull(max(time = :time AND kind = :kind AND text = :text AND detail = :detail), 0);

-- name: read_events
SELECT time, kind, text, detail FROM event WHERE run_key = ? ORDER BY time, seq;

-- name: params_of
-- Of each run one JSON object, names rising: a row for each pair takes five times as long.
SELECT wanted.value AS run_key, (
    SELECT json_group_object(name, value)
    FROM (
        SELECT name, value FROM param
        WHERE run_key = wanted.value AND (:names IS NULL OR name IN (SELECT value FROM json_each(:names)))
        ORDER BY name
    )
) AS pairs
FROM json_each(:keys) AS wanted;

-- name: tags_of
SELECT wanted.value AS run_key, (
    SELECT json_group_object(name, value)
    FROM (
        SELECT name, value FROM tag
        WHERE run_key = wanted.value AND (:names IS NULL OR name IN (SELECT value FROM json_each(:names)))
        ORDER BY name
    )
) AS pairs
FROM json_each(:keys) AS wanted;

-- name: tag_value
SELECT value FROM tag WHERE run_key = ? AND name = ?;

-- name: custom_info_of
SELECT wanted.value AS run_key, (
    SELECT json_group_object(name, value)
    FROM (
        SELECT name, value FROM custom_info
        WHERE run_key = wanted.value AND (:names IS NULL OR name IN (SELECT value FROM json_each(:names)))
        ORDER BY name
    )
) AS pairs
FROM json_each(:keys) AS wanted;

-- name: bury
INSERT INTO tombstone (run_key, purged_at) VALUES (?, ?);

-- name: purge_run
DELETE FROM run WHERE key = ?;

-- name: purge_params
DELETE FROM param WHERE run_key = ?;

-- name: purge_tags
DELETE FROM tag WHERE run_key = ?;

-- name: purge_custom_info
DELETE FROM custom_info WHERE run_key = ?;

-- name: purge_events
DELETE FROM event WHERE run_key = ?;

-- name: purge_lines
DELETE FROM log_line WHERE run_key = ?;

-- name: purge_record_values
DELETE FROM record_value WHERE record_key IN (SELECT key FROM record WHERE run_key = ?);

-- name: purge_records
DELETE FROM record WHERE run_key = ?;

-- name: purge_blobs
DELETE FROM blob WHERE workspace_key = ? AND run_key = ? RETURNING file;

-- name: purge_run_metrics
DELETE FROM run_metric WHERE run_key = :key AND metric_id IN (SELECT metric_id FROM series WHERE run_key = :key);

-- name: purge_summaries
DELETE FROM summary WHERE series_key IN (SELECT key FROM series WHERE run_key = ?);

-- name: purge_series
DELETE FROM series WHERE run_key = ? RETURNING key;

-- Series and summaries ------------------------------------------------------------------------------------------------

-- name: find_series
SELECT (
    SELECT series.key
    FROM series
    WHERE series.run_key = ?
      AND series.metric_id = (SELECT id FROM metric WHERE name = ?)
      AND series.labels_id = (SELECT id FROM labels WHERE body = ?)
);

-- name: add_metric
INSERT INTO metric (name) VALUES (?) ON CONFLICT DO NOTHING;

-- name: mark_labelled
UPDATE metric SET labelled = 1 WHERE name = ? AND labelled = 0;

-- name: add_labels
INSERT INTO labels (body) VALUES (?) ON CONFLICT DO NOTHING;

-- name: add_series
INSERT INTO series (run_key, metric_id, labels_id)
SELECT ?, metric.id, labels.id FROM metric, labels WHERE metric.name = ? AND labels.body = ?
RETURNING key;

-- name: list_series
SELECT series.key, metric.name, labels.body
FROM series JOIN metric ON metric.id = series.metric_id JOIN labels ON labels.id = series.labels_id
WHERE series.run_key = :run_key AND (:metric IS NULL OR metric.name = :metric)
ORDER BY metric.name, labels.body;

-- name: list_series_within
SELECT DISTINCT series.key, metric.name, labels.body
FROM json_each(:ranges) AS wanted
CROSS JOIN metric ON metric.name >= wanted.value ->> 0
    AND (wanted.value ->> 1 IS NULL OR metric.name < wanted.value ->> 1)
CROSS JOIN series ON series.run_key = :run_key AND series.metric_id = metric.id
JOIN labels ON labels.id = series.labels_id;

-- name: series_of_runs
SELECT series.key, series.run_key, metric.name, labels.body
FROM json_each(?) AS wanted
JOIN series ON series.run_key = wanted.value
JOIN metric ON metric.id = series.metric_id
JOIN labels ON labels.id = series.labels_id;

-- name: label_sets
SELECT series.key, series.run_key, metric.name, labels.body,
    EXISTS (SELECT 1 FROM summary WHERE summary.series_key = series.key)
FROM metric CROSS JOIN json_each(?) AS wanted
CROSS JOIN series ON series.run_key = wanted.value AND series.metric_id = metric.id
JOIN labels ON labels.id = series.labels_id
WHERE metric.labelled = 1;

-- name: series_keys
SELECT key FROM series;

-- name: series_keys_of_runs
SELECT series.key FROM json_each(?) AS run JOIN series ON series.run_key = run.value;

-- name: series_keys_of_metrics
SELECT series.key
FROM json_each(?) AS name
CROSS JOIN metric ON metric.name = name.value
CROSS JOIN series INDEXED BY series_by_metric ON series.metric_id = metric.id;

-- name: series_keys_of_runs_and_metrics
SELECT series.key
FROM json_each(:metrics) AS name
CROSS JOIN metric ON metric.name = name.value
CROSS JOIN json_each(:runs) AS run
CROSS JOIN series ON series.run_key = run.value AND series.metric_id = metric.id;

-- name: describe_series
SELECT series.key, series.run_key, metric.name, labels.body
FROM json_each(?) AS wanted
JOIN series ON series.key = wanted.value
JOIN metric ON metric.id = series.metric_id
JOIN labels ON labels.id = series.labels_id;

-- name: describe_series_by_index
SELECT series.key, series.run_key, metric.name, labels.body
FROM series INDEXED BY sqlite_autoindex_series_1
JOIN metric ON metric.id = series.metric_id
JOIN labels ON labels.id = series.labels_id
WHERE series.key IN (SELECT value FROM json_each(?));

-- name: store_summary
INSERT OR REPLACE INTO summary (series_key, body) SELECT key, ? FROM series WHERE key = ?;

-- name: load_summaries
SELECT summary.series_key, summary.body
FROM json_each(?) AS wanted JOIN summary ON summary.series_key = wanted.value;

-- name: store_run_metric
INSERT OR REPLACE INTO run_metric (metric_id, run_key, last, min, max, mean, count) VALUES (?, ?, ?, ?, ?, ?, ?);

-- name: measured_by
SELECT series.key, series.metric_id, series.run_key, metric.labelled
FROM json_each(?) AS wanted
JOIN series ON series.key = wanted.value
JOIN metric ON metric.id = series.metric_id;

-- name: summaries_of_metric
SELECT labels.body, summary.body
FROM series
JOIN labels ON labels.id = series.labels_id
JOIN summary ON summary.series_key = series.key
WHERE series.run_key = ? AND series.metric_id = ?;

-- name: summaries_of_runs
-- Of each run one row, what it lists in one order: a row for each summary takes as long again. Bodies are equally long.
SELECT series.run_key, json_group_array(metric.name), json_group_array(series.labels_id),
       CAST(group_concat(summary.body, '') AS BLOB)
FROM series
CROSS JOIN summary ON summary.series_key = series.key
CROSS JOIN metric ON metric.id = series.metric_id
WHERE series.run_key IN (SELECT value FROM json_each(:keys))
GROUP BY series.run_key;

-- name: summaries_of_runs_and_metrics
SELECT series.run_key, json_group_array(metric.name), json_group_array(series.labels_id),
       CAST(group_concat(summary.body, '') AS BLOB)
FROM series
CROSS JOIN summary ON summary.series_key = series.key
CROSS JOIN metric ON metric.id = series.metric_id
WHERE series.run_key IN (SELECT value FROM json_each(:keys))
    AND series.metric_id IN (SELECT metric.id FROM json_each(:names) AS wanted CROSS JOIN metric ON metric.name = wanted.value)
GROUP BY series.run_key;

-- name: labels_bodies
SELECT labels.id, labels.body FROM json_each(?) AS wanted JOIN labels ON labels.id = wanted.value;

-- name: labelled_metrics
SELECT name FROM metric WHERE labelled = 1 AND name IN (SELECT value FROM json_each(?));

-- name: metric_id
SELECT id FROM metric WHERE name = ?;

-- Searching -----------------------------------------------------------------------------------------------------------

-- name: runs_of_param
SELECT run_key, value = :value FROM param INDEXED BY param_by_value
WHERE name = :name AND substr(value, 1, 64) = substr(:value, 1, 64)
LIMIT :most;

-- name: runs_of_tag
SELECT run_key, value = :value FROM tag INDEXED BY tag_by_value
WHERE name = :name AND substr(value, 1, 64) = substr(:value, 1, 64)
LIMIT :most;

-- name: read_experiments
SELECT experiment.id, experiment.name, experiment.artifact_location, experiment.deleted, experiment.created_at,
       experiment.updated_at
FROM json_each(:ids) AS wanted
JOIN experiment ON experiment.workspace_key = :workspace_key AND experiment.id = wanted.value;

-- Records -------------------------------------------------------------------------------------------------------------

-- name: find_record
SELECT key FROM record WHERE workspace_key = ? AND kind = ? AND id = ?;

-- name: put_record
INSERT INTO record (workspace_key, kind, id, run_key, body, created_at, updated_at)
VALUES (:workspace_key, :kind, :id, :run_key, :body, :created_at, :updated_at)
ON CONFLICT (workspace_key, kind, id) DO UPDATE SET
    run_key = excluded.run_key,
    body = excluded.body,
    created_at = excluded.created_at,
    updated_at = excluded.updated_at
RETURNING key;

-- name: add_record_value
INSERT INTO record_value (record_key, is_unique, name, value, workspace_key, kind)
VALUES (:record_key, :is_unique, :name, :value, :workspace_key, :kind);

-- name: find_unique_value
SELECT 1 FROM record_value
WHERE workspace_key = :workspace_key AND kind = :kind AND name = :name AND value = :value AND is_unique = 1;

-- name: drop_record_values
DELETE FROM record_value WHERE record_key = ?;

-- name: drop_record
DELETE FROM record WHERE key = ?;

-- name: read_records
SELECT record.key, record.kind, record.id, run.id, record.body, record.created_at, record.updated_at
FROM json_each(?) AS wanted
JOIN record ON record.key = wanted.value
LEFT JOIN run ON run.key = record.run_key;

-- name: read_record_values
SELECT record_value.record_key, record_value.is_unique, record_value.name, record_value.value
FROM json_each(?) AS wanted JOIN record_value ON record_value.record_key = wanted.value
ORDER BY record_value.record_key, record_value.is_unique, record_value.name;

-- name: find_records
SELECT key, created_at, id
FROM record
WHERE workspace_key = :workspace_key AND kind = :kind AND (:created_at IS NULL OR (created_at, id) > (:created_at, :id))
ORDER BY created_at, id
LIMIT :limit;

-- name: find_records_of_run
SELECT key, created_at, id
FROM record INDEXED BY record_by_run
WHERE run_key = :run_key AND kind = :kind AND (:created_at IS NULL OR (created_at, id) > (:created_at, :id))
ORDER BY created_at, id
LIMIT :limit;

-- name: find_kinds
SELECT 1
FROM json_each(:kinds) AS of_kind
CROSS JOIN record
    ON record.workspace_key = (SELECT key FROM workspace WHERE name = :workspace) AND record.kind = of_kind.value
LIMIT 1;

-- name: find_records_of_runs
SELECT record.key, run.id
FROM workspace
CROSS JOIN json_each(:run_ids) AS wanted
CROSS JOIN run ON run.workspace_key = workspace.key AND run.id = wanted.value
CROSS JOIN json_each(:kinds) AS of_kind
CROSS JOIN record INDEXED BY record_by_run ON record.run_key = run.key AND record.kind = of_kind.value
WHERE workspace.name = :workspace
ORDER BY record.created_at, record.kind, record.id;

-- name: find_records_by_value
SELECT record.key, record.created_at, record.id
FROM record
WHERE record.key IN (
        SELECT found.record_key
        FROM json_each(:values) AS wanted
        CROSS JOIN record_value AS found INDEXED BY record_value_find
            ON found.workspace_key = :workspace_key
            AND found.kind = :kind
            AND found.name = wanted.value ->> 0
            AND found.value = wanted.value ->> 1
        GROUP BY found.record_key
        HAVING count(DISTINCT found.name) = :names
    )
    AND (:run_key IS NULL OR record.run_key = :run_key)
    AND (:created_at IS NULL OR (record.created_at, record.id) > (:created_at, :id))
ORDER BY record.created_at, record.id
LIMIT :limit;

-- Console lines -------------------------------------------------------------------------------------------------------

-- name: put_line
INSERT OR REPLACE INTO log_line (run_key, stream, line, time, text, level) VALUES (?, ?, ?, ?, ?, ?);

-- name: read_lines
SELECT stream, line, time, text, level
FROM log_line
WHERE run_key = :run_key AND (stream, line) > (:after_stream, :after_line)
ORDER BY stream, line
LIMIT :limit;

-- name: read_lines_of_stream
SELECT stream, line, time, text, level
FROM log_line
WHERE run_key = :run_key AND stream = :stream AND (stream, line) > (:after_stream, :after_line)
ORDER BY line
LIMIT :limit;

-- name: read_newest_lines_of_stream
SELECT stream, line, time, text, level
FROM log_line
WHERE run_key = :run_key AND stream = :stream AND line <= :last
ORDER BY line DESC
LIMIT :limit;

-- name: read_numbered_lines
SELECT log_line.stream, log_line.line, time, text, level
FROM (
    SELECT stream, line
    FROM log_line
    WHERE run_key = :run_key
    ORDER BY line, stream
    LIMIT :limit OFFSET :skip
) AS page
CROSS JOIN log_line
    ON log_line.run_key = :run_key AND log_line.stream = page.stream AND log_line.line = page.line
ORDER BY log_line.line, log_line.stream;

-- name: read_numbered_lines_of_stream
SELECT stream, line, time, text, level
FROM log_line
WHERE run_key = :run_key AND stream = :stream
ORDER BY line
LIMIT :limit OFFSET :skip;

-- name: count_lines
SELECT count(*) FROM log_line WHERE run_key = :run_key;

-- name: count_lines_of_stream
SELECT count(*) FROM log_line WHERE run_key = :run_key AND stream = :stream;

-- Credentials ---------------------------------------------------------------------------------------------------------

-- name: add_credential
INSERT INTO credential (id, secret_hash, workspace, role, name, created_at, expires_at, revoked_at)
VALUES (:id, :secret_hash, :workspace, :role, :name, :created_at, :expires_at, :revoked_at);

-- name: add_credential_key
INSERT INTO credential_key (credential_id, sealed_secret, key_id, public_key)
VALUES (:id, :sealed_secret, :key_id, :public_key);

-- name: find_credential
SELECT id, secret_hash, workspace, role, name, created_at, expires_at, revoked_at, sealed_secret, key_id, public_key
FROM credential LEFT JOIN credential_key ON credential_id = id
WHERE id = ?;

-- name: find_credential_by_secret
SELECT id, secret_hash, workspace, role, name, created_at, expires_at, revoked_at, sealed_secret, key_id, public_key
FROM credential LEFT JOIN credential_key ON credential_id = id
WHERE secret_hash = ?;

-- name: find_credential_by_key
SELECT id, secret_hash, workspace, role, name, created_at, expires_at, revoked_at, sealed_secret, key_id, public_key
FROM credential LEFT JOIN credential_key ON credential_id = id
WHERE key_id = ?;

-- name: list_credentials
SELECT id, secret_hash, workspace, role, name, created_at, expires_at, revoked_at, sealed_secret, key_id, public_key
FROM credential LEFT JOIN credential_key ON credential_id = id
ORDER BY created_at, id;

-- name: revoke_credential
UPDATE credential SET revoked_at = :at WHERE id = :id;

-- Files ---------------------------------------------------------------------------------------------------------------

-- name: put_blob
INSERT OR REPLACE INTO blob (workspace_key, run_key, path, size, sha256, stored_at, file)
VALUES (:workspace_key, :run_key, :path, :size, :sha256, :stored_at, :file);

-- name: find_blob
SELECT path, size, sha256, stored_at, file
FROM blob WHERE workspace_key = :workspace_key AND run_key = :run_key AND path = :path;

-- name: first_blob
SELECT 1 FROM blob
WHERE workspace_key = :workspace_key AND run_key = :run_key AND path >= :start AND path < :end
LIMIT 1;

-- name: blobs_from
SELECT path, size, sha256, stored_at, file
FROM blob
WHERE workspace_key = :workspace_key AND run_key = :run_key AND path >= :start AND (:end IS NULL OR path < :end)
ORDER BY path
LIMIT :limit;

-- name: drop_blobs
DELETE FROM blob WHERE workspace_key = :workspace_key AND run_key = :run_key RETURNING file;

-- name: drop_blobs_at
DELETE FROM blob
WHERE workspace_key = :workspace_key AND run_key = :run_key
    AND (path = :path OR (path >= :start AND path < :end))
RETURNING file;

-- name: blobs_after
SELECT path, size, sha256, stored_at, file FROM blob WHERE file > ? ORDER BY file LIMIT ?;

-- name: find_content
SELECT file FROM blob WHERE file = ?;

-- The audit log -------------------------------------------------------------------------------------------------------

-- name: add_audit
INSERT INTO audit (at, action, workspace, subject, details, via, credential_id, address, request_id)
VALUES (:at, :action, :workspace, :subject, :details, :via, :credential_id, :address, :request_id);

-- name: find_audit
SELECT number, at, action, workspace, subject, details, via, credential_id, address, request_id
FROM audit
WHERE number < :before
    AND (:credential_id IS NULL OR credential_id = :credential_id)
    AND (:action IS NULL OR action = :action OR substr(action, 1, length(:action) + 1) = :action || '.')
    AND at BETWEEN :since AND :until
ORDER BY number DESC
LIMIT :limit;

-- name: find_audit_in
SELECT number, at, action, workspace, subject, details, via, credential_id, address, request_id
FROM audit
WHERE workspace = :workspace AND number < :before
    AND (:credential_id IS NULL OR credential_id = :credential_id)
    AND (:action IS NULL OR action = :action OR substr(action, 1, length(:action) + 1) = :action || '.')
    AND at BETWEEN :since AND :until
ORDER BY number DESC
LIMIT :limit;

-- Bounds --------------------------------------------------------------------------------------------------------------

-- name: bounds_of_place
SELECT name, value FROM bound WHERE workspace = :workspace AND experiment_id = :experiment_id ORDER BY name;

-- name: drop_bound
DELETE FROM bound WHERE workspace = :workspace AND experiment_id = :experiment_id AND name = :name;

-- name: add_bound
INSERT INTO bound (workspace, experiment_id, name, value) VALUES (:workspace, :experiment_id, :name, :value);

-- name: list_bounds
SELECT workspace, experiment_id, name, value FROM bound ORDER BY workspace, experiment_id, name;

-- name: runs_deleted_before
SELECT run.id
FROM run JOIN workspace ON workspace.key = run.workspace_key
WHERE workspace.name = :workspace AND run.experiment_id = :experiment_id AND run.deleted = 1
    AND run.updated_at < :before AND run.id > :after
ORDER BY run.id LIMIT :limit;

-- name: is_deleted_before
SELECT 1 FROM run WHERE key = :key AND deleted = 1 AND updated_at < :before;

-- name: run_keys_of_experiment
SELECT run.key
FROM run JOIN workspace ON workspace.key = run.workspace_key
WHERE workspace.name = :workspace AND run.experiment_id = :experiment_id
ORDER BY run.key;

-- name: count_holdings
SELECT
    (
        SELECT count(*) FROM workspace JOIN run ON run.workspace_key = workspace.key JOIN series ON series.run_key = run.key
        WHERE workspace.name = :workspace
    ),
    (SELECT count(*) FROM workspace JOIN run ON run.workspace_key = workspace.key WHERE workspace.name = :workspace),
    (
        SELECT coalesce(sum(blob.size), 0) FROM workspace JOIN blob ON blob.workspace_key = workspace.key
        WHERE workspace.name = :workspace
    );

-- name: run_keys_of_workspace
SELECT run.key FROM workspace JOIN run ON run.workspace_key = workspace.key WHERE workspace.name = :workspace;

-- name: run_and_workspace
SELECT workspace.name, run.id, run.name FROM run JOIN workspace ON workspace.key = run.workspace_key WHERE run.key = ?;
