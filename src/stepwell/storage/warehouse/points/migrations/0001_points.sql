-- What the columns mean, and why they stand in this order, is in FORMAT.md.
CREATE TABLE IF NOT EXISTS points
(
    run Int64 {rising},
    series Int64 {rising},
    step Int64 {rising},
    time Int64 {rising},
    value_key Int64 {any},
    occurrence Int64 {any},
    age Int64 {rising}
)
ENGINE = ReplacingMergeTree(age)
PARTITION BY intDiv(age, 134217728)
ORDER BY (run, series, step, time, value_key, occurrence)
{settings}
