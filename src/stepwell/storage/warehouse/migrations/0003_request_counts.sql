-- What each process let through lately, told to the others. Nothing that has to outlast a crash.
CREATE UNLOGGED TABLE request_counts (
    process bigint PRIMARY KEY,
    told text COLLATE "C" NOT NULL,
    told_at timestamptz NOT NULL
);
