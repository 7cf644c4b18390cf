-- What of a series is not to be read any more, until ClickHouse has removed it. What each column means is in ../FORMAT.md.
CREATE TABLE cut (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_key bigint NOT NULL,
    series_key bigint NOT NULL,
    before bigint NOT NULL,
    made bigint NOT NULL,
    since bigint NOT NULL,
    last_step bigint NOT NULL,
    last_time bigint NOT NULL,
    last_value bigint NOT NULL,
    pivot_step bigint NOT NULL,
    pivot_time bigint NOT NULL,
    pivot_value bigint NOT NULL,
    pivot_occurrence bigint NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now(),
    asked_at timestamptz
);

CREATE INDEX cut_by_series ON cut (series_key);
CREATE INDEX cut_by_run ON cut (run_key);
