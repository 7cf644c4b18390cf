CREATE TABLE IF NOT EXISTS nodes
(
    run Int64,
    series Int64,
    level Int64,
    tile Int64,
    number Int64,
    made Int64,
    end_step Int64,
    repeated Int64,
    count Int64,
    first_step Int64,
    first_time Int64,
    first_value Int64,
    last_step Int64,
    last_time Int64,
    last_value Int64,
    min_step Int64,
    min_at Int64,
    min_value Int64,
    max_step Int64,
    max_at Int64,
    max_value Int64,
    finite_count Int64,
    mean Int64,
    m2 Int64,
    nan_count Int64,
    pos_inf_count Int64,
    neg_inf_count Int64,
    min_time Int64,
    max_time Int64
)
ENGINE = ReplacingMergeTree(made)
ORDER BY (run, series, level, tile, number)
{settings};
CREATE TABLE IF NOT EXISTS tilings
(
    run Int64,
    series Int64,
    end_step Int64,
    checked Int64
)
ENGINE = ReplacingMergeTree(checked)
ORDER BY (run, series)
{settings}
