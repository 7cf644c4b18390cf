-- Tables of the catalog. What each column means is in ../FORMAT.md, "Tables of the catalog"; change that first.

CREATE TABLE IF NOT EXISTS meta (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS workspace (
    key INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    next_experiment INTEGER NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS workspace_alias (
    dialect TEXT NOT NULL,
    id TEXT NOT NULL,
    workspace TEXT NOT NULL,
    PRIMARY KEY (dialect, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS experiment (
    workspace_key INTEGER NOT NULL,
    id INTEGER NOT NULL,
    name TEXT NOT NULL,
    artifact_location TEXT NOT NULL,
    deleted INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    next_run INTEGER NOT NULL,
    PRIMARY KEY (workspace_key, id),
    UNIQUE (workspace_key, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS experiment_tag (
    workspace_key INTEGER NOT NULL,
    experiment_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (workspace_key, experiment_id, name)
) STRICT, WITHOUT ROWID;

-- start_rank rises while start_time falls and puts the missing last, so that the usual order of a search is one walk up an
-- index; start_missing parts the missing from the one time whose rank is theirs.
CREATE TABLE IF NOT EXISTS run (
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_key INTEGER NOT NULL,
    id TEXT NOT NULL,
    experiment_id INTEGER NOT NULL,
    project_number INTEGER NOT NULL,
    name TEXT NOT NULL,
    user TEXT NOT NULL,
    status TEXT NOT NULL,
    status_reason TEXT NOT NULL,
    deleted INTEGER NOT NULL,
    artifact_uri TEXT NOT NULL,
    origin TEXT NOT NULL,
    start_time INTEGER,
    end_time INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    start_rank INTEGER NOT NULL GENERATED ALWAYS AS (ifnull(~start_time, 9223372036854775807)) VIRTUAL,
    start_missing INTEGER NOT NULL GENERATED ALWAYS AS (start_time IS NULL) VIRTUAL,
    UNIQUE (workspace_key, id)
) STRICT;

CREATE INDEX IF NOT EXISTS run_by_start ON run (workspace_key, deleted, start_rank, start_missing, id);
CREATE INDEX IF NOT EXISTS run_by_experiment ON run (workspace_key, experiment_id, deleted, start_rank, start_missing, id);

CREATE INDEX IF NOT EXISTS run_by_number ON run (workspace_key, experiment_id, project_number);

CREATE TABLE IF NOT EXISTS tombstone (
    run_key INTEGER PRIMARY KEY,
    purged_at INTEGER NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS param (
    run_key INTEGER NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (run_key, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS tag (
    run_key INTEGER NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (run_key, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS custom_info (
    run_key INTEGER NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    UNIQUE (run_key, name)
) STRICT;

-- Values may be long; their beginning is enough to find the few runs that equal one.
CREATE INDEX IF NOT EXISTS param_by_value ON param (name, substr(value, 1, 64), run_key);
CREATE INDEX IF NOT EXISTS tag_by_value ON tag (name, substr(value, 1, 64), run_key);

CREATE TABLE IF NOT EXISTS event (
    run_key INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    time INTEGER NOT NULL,
    kind TEXT NOT NULL,
    text TEXT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (run_key, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS log_line (
    run_key INTEGER NOT NULL,
    stream TEXT NOT NULL,
    line INTEGER NOT NULL,
    time INTEGER NOT NULL,
    text TEXT NOT NULL,
    level TEXT NOT NULL,
    PRIMARY KEY (run_key, stream, line)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS metric (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    labelled INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE IF NOT EXISTS labels (
    id INTEGER PRIMARY KEY,
    body TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE IF NOT EXISTS series (
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    run_key INTEGER NOT NULL,
    metric_id INTEGER NOT NULL,
    labels_id INTEGER NOT NULL,
    UNIQUE (run_key, metric_id, labels_id)
) STRICT;

CREATE INDEX IF NOT EXISTS series_by_metric ON series (metric_id, run_key);

CREATE TABLE IF NOT EXISTS summary (
    series_key INTEGER PRIMARY KEY,
    body BLOB NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS run_metric (
    metric_id INTEGER NOT NULL,
    run_key INTEGER NOT NULL,
    last INTEGER NOT NULL,
    min INTEGER NOT NULL,
    max INTEGER NOT NULL,
    mean INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (metric_id, run_key)
) STRICT, WITHOUT ROWID;

-- With `last` beside its order the index tells all that a walk asks; else SQLite looks every row up in the table.
CREATE INDEX IF NOT EXISTS run_metric_by_value ON run_metric (metric_id, CASE last WHEN -1 THEN 0 ELSE last END, last);
DROP INDEX IF EXISTS run_metric_by_last;

CREATE TABLE IF NOT EXISTS record (
    key INTEGER PRIMARY KEY,
    workspace_key INTEGER NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    run_key INTEGER,
    body TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (workspace_key, kind, id)
) STRICT;

CREATE INDEX IF NOT EXISTS record_by_creation ON record (workspace_key, kind, created_at, id);
CREATE INDEX IF NOT EXISTS record_by_run ON record (run_key, kind) WHERE run_key IS NOT NULL;

CREATE TABLE IF NOT EXISTS record_value (
    record_key INTEGER NOT NULL,
    is_unique INTEGER NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    workspace_key INTEGER NOT NULL,
    kind TEXT NOT NULL,
    PRIMARY KEY (record_key, is_unique, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS record_value_find ON record_value (workspace_key, kind, name, value, record_key);
CREATE UNIQUE INDEX IF NOT EXISTS record_value_unique ON record_value (workspace_key, kind, name, value) WHERE is_unique = 1;

CREATE TABLE IF NOT EXISTS credential (
    id TEXT PRIMARY KEY,
    secret_hash BLOB NOT NULL UNIQUE,
    workspace TEXT NOT NULL,
    role INTEGER NOT NULL,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS credential_key (
    credential_id TEXT PRIMARY KEY,
    sealed_secret BLOB,
    key_id TEXT UNIQUE,
    public_key BLOB
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS blob (
    workspace_key INTEGER NOT NULL,
    run_key INTEGER NOT NULL,
    path TEXT NOT NULL,
    size INTEGER NOT NULL,
    sha256 BLOB NOT NULL,
    stored_at INTEGER NOT NULL,
    file TEXT NOT NULL UNIQUE,
    PRIMARY KEY (workspace_key, run_key, path)
) STRICT, WITHOUT ROWID;

INSERT OR IGNORE INTO labels (id, body) VALUES (0, '[]');
INSERT OR IGNORE INTO meta (name, value) VALUES ('catalog_format', '1');

CREATE TABLE IF NOT EXISTS audit (
    number INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    action TEXT NOT NULL,
    workspace TEXT NOT NULL,
    subject TEXT NOT NULL,
    details TEXT NOT NULL,
    via TEXT NOT NULL,
    credential_id TEXT NOT NULL,
    address TEXT NOT NULL,
    request_id TEXT NOT NULL
) STRICT;

CREATE INDEX IF NOT EXISTS audit_by_workspace ON audit (workspace, number);

CREATE TRIGGER IF NOT EXISTS audit_is_not_changed BEFORE UPDATE ON audit
BEGIN SELECT raise(ABORT, 'the audit log is only added to'); END;

CREATE TRIGGER IF NOT EXISTS audit_is_not_removed BEFORE DELETE ON audit
BEGIN SELECT raise(ABORT, 'the audit log is only added to'); END;

CREATE TABLE IF NOT EXISTS bound (
    workspace TEXT NOT NULL,
    experiment_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    value INTEGER NOT NULL,
    PRIMARY KEY (workspace, experiment_id, name)
) STRICT, WITHOUT ROWID;
