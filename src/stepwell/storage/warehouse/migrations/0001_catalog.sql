-- Tables of the catalog and of the acknowledged journal. What each column means is in ../FORMAT.md.

-- The server's encoding never changes, so the bytes of a text do not either.
CREATE FUNCTION digest(given text) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT sha256(convert_to(given, 'UTF8'))
$$;

CREATE FUNCTION escaped(list text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE
        WHEN strpos(list, '\u000') = 0 THEN list
        ELSE regexp_replace(
            regexp_replace(list, '(?<!\\)((?:\\\\)*)\\u0001', '\1\\u0001\\u0002', 'g'),
            '(?<!\\)((?:\\\\)*)\\u0000', '\1\\u0001\\u0001', 'g')
    END
$$;

CREATE FUNCTION each_text(list text) RETURNS TABLE (value text) LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE ROWS 100 AS $$
    SELECT item COLLATE "C" FROM json_array_elements_text(CAST(escaped(list) AS json)) AS item
$$;

CREATE FUNCTION each_number(list text) RETURNS TABLE (value bigint) LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE ROWS 100 AS $$
    SELECT CAST(item AS bigint) FROM json_array_elements_text(CAST(list AS json)) AS item
$$;

CREATE FUNCTION each_pair(list text) RETURNS TABLE (first text, second text)
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE ROWS 100 AS $$
    SELECT (item ->> 0) COLLATE "C", (item ->> 1) COLLATE "C"
    FROM json_array_elements(CAST(escaped(list) AS json)) AS item
$$;

CREATE FUNCTION text_like(pattern text, value text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(value LIKE pattern ESCAPE '', false)
$$;

CREATE FUNCTION text_ilike(pattern text, value text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(
        lower(value COLLATE "und-x-icu") COLLATE "C" LIKE lower(pattern COLLATE "und-x-icu") COLLATE "C" ESCAPE '', false)
$$;

CREATE TABLE workspace (
    key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE,
    created_at bigint NOT NULL,
    next_experiment bigint NOT NULL
);

CREATE TABLE workspace_alias (
    dialect text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    workspace text COLLATE "C" NOT NULL,
    PRIMARY KEY (dialect, id)
);

CREATE TABLE experiment (
    workspace_key bigint NOT NULL,
    id bigint NOT NULL,
    name text COLLATE "C" NOT NULL,
    artifact_location text COLLATE "C" NOT NULL,
    deleted smallint NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    next_run bigint NOT NULL,
    PRIMARY KEY (workspace_key, id),
    UNIQUE (workspace_key, name)
);

CREATE TABLE experiment_tag (
    workspace_key bigint NOT NULL,
    experiment_id bigint NOT NULL,
    name text COLLATE "C" NOT NULL,
    value text COLLATE "C" NOT NULL,
    PRIMARY KEY (workspace_key, experiment_id, name)
);

-- start_rank rises while start_time falls and puts the missing last, so that the usual order of a search is one walk up an
-- index; start_missing parts the missing from the one time whose rank is theirs. next_arrival changes with every write of
-- points and stands in no index, so that such a write adds to none.
CREATE TABLE run (
    key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace_key bigint NOT NULL,
    id text COLLATE "C" NOT NULL,
    experiment_id bigint NOT NULL,
    project_number bigint NOT NULL,
    name text COLLATE "C" NOT NULL,
    "user" text COLLATE "C" NOT NULL,
    status text COLLATE "C" NOT NULL,
    status_reason text COLLATE "C" NOT NULL,
    deleted smallint NOT NULL,
    artifact_uri text COLLATE "C" NOT NULL,
    origin text COLLATE "C" NOT NULL,
    start_time bigint,
    end_time bigint,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    next_arrival bigint NOT NULL DEFAULT 0,
    start_rank bigint NOT NULL GENERATED ALWAYS AS (coalesce(~start_time, 9223372036854775807)) STORED,
    start_missing integer NOT NULL GENERATED ALWAYS AS (CAST(start_time IS NULL AS integer)) STORED,
    UNIQUE (workspace_key, id)
) WITH (fillfactor = 70);

CREATE INDEX run_by_start ON run (workspace_key, deleted, start_rank, start_missing, id);
CREATE INDEX run_by_experiment ON run (workspace_key, experiment_id, deleted, start_rank, start_missing, id);
CREATE INDEX run_by_number ON run (workspace_key, experiment_id, project_number);

CREATE TABLE tombstone (
    run_key bigint PRIMARY KEY,
    purged_at bigint NOT NULL
);

CREATE TABLE param (
    run_key bigint NOT NULL,
    name text COLLATE "C" NOT NULL,
    value text COLLATE "C" NOT NULL,
    PRIMARY KEY (run_key, name)
);

CREATE TABLE tag (
    run_key bigint NOT NULL,
    name text COLLATE "C" NOT NULL,
    value text COLLATE "C" NOT NULL,
    PRIMARY KEY (run_key, name)
);

CREATE TABLE custom_info (
    run_key bigint NOT NULL,
    name text COLLATE "C" NOT NULL,
    value text COLLATE "C" NOT NULL,
    PRIMARY KEY (run_key, name)
);

-- Values may be long; their beginning is enough to find the few runs that equal one.
CREATE INDEX param_by_value ON param (name, substr(value, 1, 64), run_key);
CREATE INDEX tag_by_value ON tag (name, substr(value, 1, 64), run_key);

CREATE TABLE event (
    run_key bigint NOT NULL,
    seq bigint NOT NULL,
    time bigint NOT NULL,
    kind text COLLATE "C" NOT NULL,
    text text COLLATE "C" NOT NULL,
    detail text COLLATE "C" NOT NULL,
    PRIMARY KEY (run_key, seq)
);

CREATE TABLE log_line (
    run_key bigint NOT NULL,
    stream text COLLATE "C" NOT NULL,
    line bigint NOT NULL,
    time bigint NOT NULL,
    text text COLLATE "C" NOT NULL,
    level text COLLATE "C" NOT NULL,
    PRIMARY KEY (run_key, stream, line)
);

CREATE TABLE metric (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE,
    labelled smallint NOT NULL DEFAULT 0
);

CREATE TABLE labels (
    id bigint GENERATED ALWAYS AS IDENTITY (MINVALUE 0) PRIMARY KEY,
    body text COLLATE "C" NOT NULL,
    body_hash bytea NOT NULL GENERATED ALWAYS AS (digest(body)) STORED UNIQUE
);

INSERT INTO labels (body) VALUES ('[]');

CREATE TABLE series (
    key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_key bigint NOT NULL,
    metric_id bigint NOT NULL,
    labels_id bigint NOT NULL,
    UNIQUE (run_key, metric_id, labels_id)
);

CREATE INDEX series_by_metric ON series (metric_id, run_key);

CREATE TABLE summary (
    series_key bigint PRIMARY KEY,
    body bytea NOT NULL
) WITH (fillfactor = 70);

CREATE TABLE run_metric (
    metric_id bigint NOT NULL,
    run_key bigint NOT NULL,
    last bigint NOT NULL,
    min bigint NOT NULL,
    max bigint NOT NULL,
    mean bigint NOT NULL,
    count bigint NOT NULL,
    PRIMARY KEY (metric_id, run_key)
) WITH (fillfactor = 70);

CREATE INDEX run_metric_by_last ON run_metric (metric_id, (CASE last WHEN -1 THEN 0 ELSE last END));

CREATE TABLE record (
    key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace_key bigint NOT NULL,
    kind text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    run_key bigint,
    body text COLLATE "C" NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    UNIQUE (workspace_key, kind, id)
);

CREATE INDEX record_by_creation ON record (workspace_key, kind, created_at, id);
CREATE INDEX record_by_run ON record (run_key, kind) WHERE run_key IS NOT NULL;

CREATE TABLE record_value (
    record_key bigint NOT NULL,
    is_unique smallint NOT NULL,
    name text COLLATE "C" NOT NULL,
    value text COLLATE "C" NOT NULL,
    workspace_key bigint NOT NULL,
    kind text COLLATE "C" NOT NULL,
    PRIMARY KEY (record_key, is_unique, name)
);

-- Values may be longer than an index entry can be.
CREATE INDEX record_value_find ON record_value (workspace_key, kind, name, substr(value, 1, 64), record_key);
CREATE UNIQUE INDEX record_value_unique ON record_value (workspace_key, kind, name, digest(value))
    WHERE is_unique = 1;

CREATE TABLE credential (
    id text COLLATE "C" PRIMARY KEY,
    secret_hash bytea NOT NULL UNIQUE,
    workspace text COLLATE "C" NOT NULL,
    role bigint NOT NULL,
    name text COLLATE "C" NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint,
    revoked_at bigint
);

CREATE TABLE credential_key (
    credential_id text COLLATE "C" PRIMARY KEY,
    sealed_secret bytea,
    key_id text COLLATE "C" UNIQUE,
    public_key bytea
);

CREATE TABLE blob (
    workspace_key bigint NOT NULL,
    run_key bigint NOT NULL,
    path text COLLATE "C" NOT NULL,
    size bigint NOT NULL,
    sha256 bytea NOT NULL,
    stored_at bigint NOT NULL,
    file text COLLATE "C" NOT NULL UNIQUE,
    PRIMARY KEY (workspace_key, run_key, path)
);

CREATE TABLE audit (
    number bigint PRIMARY KEY,
    at bigint NOT NULL,
    action text COLLATE "C" NOT NULL,
    workspace text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    details text COLLATE "C" NOT NULL,
    via text COLLATE "C" NOT NULL,
    credential_id text COLLATE "C" NOT NULL,
    address text COLLATE "C" NOT NULL,
    request_id text COLLATE "C" NOT NULL
);

CREATE INDEX audit_by_workspace ON audit (workspace, number);

-- How many entries there are: its one row is locked by whoever adds one.
CREATE TABLE audit_entries (
    count bigint NOT NULL
);

INSERT INTO audit_entries (count) VALUES (0);

CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'the audit log is only added to'; END
$$;

CREATE TRIGGER audit_is_only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
FOR EACH STATEMENT EXECUTE FUNCTION refuse();

CREATE TABLE journal (
    run_key bigint NOT NULL,
    first_arrival bigint NOT NULL,
    count bigint NOT NULL,
    payload bytea NOT NULL,
    moved_at timestamptz,
    PRIMARY KEY (run_key, first_arrival)
);

CREATE TABLE bound (
    workspace text COLLATE "C" NOT NULL,
    experiment_id bigint NOT NULL,
    name text COLLATE "C" NOT NULL,
    value bigint NOT NULL,
    PRIMARY KEY (workspace, experiment_id, name)
);

CREATE SEQUENCE arrival MINVALUE 0 START 0;

-- The first of some arrival numbers that nobody else gets. The lock is held while they are taken, not until the commit.
CREATE FUNCTION take_arrivals(wanted bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    first_one bigint;
BEGIN
    PERFORM pg_advisory_lock(1634890361);
    first_one := nextval('arrival');
    PERFORM setval('arrival', first_one + wanted - 1);
    PERFORM pg_advisory_unlock(1634890361);
    RETURN first_one;
END
$$;

-- Numbers that are read once are not worth compressing.
ALTER TABLE journal ALTER COLUMN payload SET STORAGE EXTERNAL;

CREATE INDEX journal_to_move ON journal (run_key, first_arrival) WHERE moved_at IS NULL;
CREATE INDEX journal_moved ON journal (moved_at) WHERE moved_at IS NOT NULL;

-- Purged runs whose points are still to be removed from ClickHouse.
CREATE TABLE garbage (
    run_key bigint PRIMARY KEY
);
