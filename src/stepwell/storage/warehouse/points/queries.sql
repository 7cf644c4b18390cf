-- Statements that ClickHouse 18.16 and every later version answer alike. Windows are closed; `age` is what arrival lacks
-- to the greatest int64, so `age > ...` leaves out what arrived from some number on. A cursor names a row: what lies at
-- it or behind it is answered, for rows that repeat the one named stand beside it. `{alive}` leaves out what is cut.

-- name: by_key
SELECT series, step, time, value_key, occurrence, age
FROM points
WHERE run = %(run)s AND series IN %(series)s {alive}
    AND step >= %(min_step)s AND step <= %(max_step)s AND time >= %(min_time)s AND time <= %(max_time)s
    AND age > %(end_age)s
    AND (step > %(a)s OR (step = %(a)s AND (time > %(b)s OR (time = %(b)s AND (value_key > %(c)s OR (value_key = %(c)s
        AND occurrence >= %(d)s))))))
ORDER BY step, time, value_key, occurrence, age DESC
LIMIT %(limit)s

-- name: by_time
SELECT series, step, time, value_key, occurrence, age
FROM points
PREWHERE time >= %(min_time)s AND time <= %(max_time)s
WHERE run = %(run)s AND series IN %(series)s {alive}
    AND step >= %(min_step)s AND step <= %(max_step)s AND age > %(end_age)s
    AND (time > %(a)s OR (time = %(a)s AND (step > %(b)s OR (step = %(b)s AND (value_key > %(c)s OR (value_key = %(c)s
        AND occurrence >= %(d)s))))))
ORDER BY time, step, value_key, occurrence, age DESC
LIMIT %(limit)s

-- name: by_arrival
SELECT series, step, time, value_key, occurrence, age
FROM points
PREWHERE age > %(end_age)s AND age <= %(begin_age)s
WHERE run = %(run)s AND series IN %(series)s {alive}
    AND step >= %(min_step)s AND step <= %(max_step)s AND time >= %(min_time)s AND time <= %(max_time)s
ORDER BY age DESC
LIMIT %(limit)s

-- name: of_run
SELECT series, step, time, value_key, occurrence, age
FROM points
PREWHERE age > %(end_age)s AND age <= %(begin_age)s
WHERE run = %(run)s
ORDER BY age DESC
LIMIT %(limit)s

-- name: of_window
SELECT series, step, time, value_key, occurrence, age
FROM points
WHERE run = %(run)s AND series IN %(series)s {alive}
    AND step >= %(min_step)s AND step <= %(max_step)s AND time >= %(min_time)s AND time <= %(max_time)s
    AND age > %(end_age)s

-- name: extent
SELECT count(), min(step), max(step), min(time), max(time)
FROM points
WHERE run = %(run)s AND series IN %(series)s {alive}
    AND step >= %(min_step)s AND step <= %(max_step)s AND time >= %(min_time)s AND time <= %(max_time)s
    AND age > %(end_age)s

-- name: grown
SELECT count(), sum(9223372036854775807 - age) FROM points
WHERE run = %(run)s AND series IN %(series)s {alive} AND step >= %(min_step)s AND step <= %(max_step)s
    AND age > %(end_age)s

-- name: least_time
SELECT count(), min(time)
FROM points
WHERE run = %(run)s AND series IN %(series)s {alive} AND step >= %(min_step)s AND step <= %(max_step)s
    AND time >= %(min_time)s AND time <= %(max_time)s

-- name: oldest
SELECT count(), max(age) FROM points WHERE run = %(run)s AND series IN %(series)s {alive}

-- name: oldest_of_run
SELECT count(), max(age) FROM points WHERE run = %(run)s

-- Differences of two int64 fit into uint64 alone; the result of `-` is taken as signed, so it is turned back.
-- name: steps_spread
SELECT bitShiftRight(toUInt64(toUInt64(step) - %(low)s), %(shift)s) AS cell, count()
FROM points
WHERE run = %(run)s AND series IN %(series)s {alive}
    AND step >= %(min_step)s AND step <= %(max_step)s AND time >= %(min_time)s AND time <= %(max_time)s
    AND age > %(end_age)s
GROUP BY cell
ORDER BY cell

-- name: times_spread
SELECT bitShiftRight(toUInt64(toUInt64(time) - %(low)s), %(shift)s) AS cell, count()
FROM points
WHERE run = %(run)s AND series IN %(series)s {alive}
    AND step >= %(min_step)s AND step <= %(max_step)s AND time >= %(min_time)s AND time <= %(max_time)s
    AND age > %(end_age)s
GROUP BY cell
ORDER BY cell

-- name: steps
SELECT step
FROM points
WHERE run = %(run)s AND series IN %(series)s {alive}
    AND step >= %(min_step)s AND step <= %(max_step)s AND time >= %(min_time)s AND time <= %(max_time)s
    AND age > %(end_age)s
GROUP BY step
ORDER BY step

-- name: latest_times
SELECT step, max(time)
FROM points
WHERE run = %(run)s AND series IN %(series)s {alive}
    AND step >= %(min_step)s AND step <= %(max_step)s AND time >= %(min_time)s AND time <= %(max_time)s
    AND age > %(end_age)s AND step IN %(steps)s
GROUP BY step
ORDER BY step

-- name: of_moments
SELECT series, step, time, value_key, occurrence, age
FROM points
WHERE run = %(run)s AND series IN %(series)s {alive} AND step IN %(steps)s
    AND age > %(end_age)s AND (step, time) IN %(moments)s

-- name: counts
SELECT series, count()
FROM points
WHERE run IN %(runs)s AND series IN %(series)s AND age > %(end_age)s
GROUP BY series

-- name: of_series
SELECT run, series, step, time, value_key, occurrence, age
FROM points
WHERE run IN %(runs)s AND series IN %(series)s AND age > %(end_age)s

-- name: at_steps
SELECT series, step, time, value_key, occurrence, age
FROM points
WHERE run IN %(runs)s AND series IN %(series)s AND step >= %(min_step)s AND step <= %(max_step)s AND step IN %(steps)s
LIMIT %(limit)s

-- name: oldest_rows
SELECT series, step, time, value_key, occurrence, max(age)
FROM points
WHERE run IN %(runs)s AND series IN %(series)s AND step >= %(min_step)s AND step <= %(max_step)s
    AND (series, step, time, value_key, occurrence) IN %(identities)s
GROUP BY series, step, time, value_key, occurrence

-- name: rows_at_places
SELECT series, step, time, value_key, occurrence, max(age)
FROM points
WHERE run IN %(runs)s AND series IN %(series)s AND step >= %(min_step)s AND step <= %(max_step)s
    AND (series, step, time, value_key) IN %(identities)s
GROUP BY series, step, time, value_key, occurrence

-- name: greatest_occurrences
SELECT series, step, time, value_key, max(occurrence)
FROM points
WHERE run IN %(runs)s AND series IN %(series)s AND step >= %(min_step)s AND step <= %(max_step)s
    AND (series, step, time, value_key) IN %(places)s
GROUP BY series, step, time, value_key

-- name: there
SELECT age
FROM points
PREWHERE age >= %(end_age)s AND age <= %(begin_age)s
WHERE run IN %(runs)s

-- name: delete_runs
ALTER TABLE points DELETE WHERE run IN (%(runs)s)

-- name: hidden
SELECT count() FROM points WHERE {hidden}

-- name: delete_hidden
ALTER TABLE points DELETE WHERE %(hidden)s

-- name: delete_tiles
ALTER TABLE nodes DELETE
WHERE run = %(run)s AND series = %(series)s AND made <= %(made)s AND tile IN (%(tiles)s)

-- name: count
SELECT count() FROM points

-- name: tidy
OPTIMIZE TABLE points FINAL

-- name: tiling
SELECT series, argMax(end_step, checked), max(checked)
FROM tilings
WHERE run IN %(runs)s AND series IN %(series)s
GROUP BY series

-- name: tiled
SELECT series FROM tilings WHERE run IN %(runs)s AND series IN %(series)s GROUP BY series

-- name: tiles
SELECT tile, made, end_step, count, first_step, min_time, max_time
FROM nodes
PREWHERE level = 0 AND tile >= %(begin)s AND tile <= %(end)s
WHERE run = %(run)s AND series IN %(series)s

-- name: nodes
SELECT tile, number, made, end_step, repeated, count, first_step, first_time, first_value, last_step, last_time,
    last_value, min_step, min_at, min_value, max_step, max_at, max_value, finite_count, mean, m2, nan_count,
    pos_inf_count, neg_inf_count, min_time, max_time
FROM nodes
PREWHERE level = %(level)s AND tile >= %(begin)s AND tile <= %(end)s
WHERE run = %(run)s AND series IN %(series)s

-- name: late
SELECT step
FROM points
PREWHERE age <= %(begin_age)s
WHERE run = %(run)s AND series IN %(series)s AND step >= %(min_step)s AND step <= %(max_step)s AND age > %(end_age)s
GROUP BY step
LIMIT %(limit)s

-- name: late_extent
SELECT min(step), max(step)
FROM points
PREWHERE age <= %(begin_age)s
WHERE run = %(run)s AND series IN %(series)s AND step >= %(min_step)s AND step <= %(max_step)s AND age > %(end_age)s

-- name: late_spread
SELECT bitShiftRight(toUInt64(toUInt64(step) - %(low)s), %(shift)s) AS cell
FROM points
PREWHERE age <= %(begin_age)s
WHERE run = %(run)s AND series IN %(series)s AND step >= %(min_step)s AND step <= %(max_step)s AND age > %(end_age)s
GROUP BY cell

-- name: delete_nodes
ALTER TABLE nodes DELETE WHERE run IN (%(runs)s)

-- name: delete_tilings
ALTER TABLE tilings DELETE WHERE run IN (%(runs)s)

-- name: delete_tilings_of_series
ALTER TABLE tilings DELETE WHERE run = %(run)s AND series IN (%(series)s)

-- name: delete_nodes_of_series
ALTER TABLE nodes DELETE WHERE run = %(run)s AND series IN (%(series)s)

-- name: nodes_and_tilings
SELECT sum(found) FROM
(
    SELECT count() AS found FROM nodes WHERE run = %(run)s AND series IN %(series)s
    UNION ALL
    SELECT count() AS found FROM tilings WHERE run = %(run)s AND series IN %(series)s
)
