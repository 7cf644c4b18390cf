"""The dictionary of series, the bytes of summaries, and the named statements."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from apsw.ext import query_info
from hypothesis import given
from hypothesis import strategies as st

from catalogs import database, new_run, summary_of
from stepwell.core.errors import Corrupt
from stepwell.core.series import Labels, value_key
from stepwell.core.summary import Summary, columns_of
from stepwell.storage.catalog import run_rows, runs, series, summaries
from stepwell.storage.catalog.live import Live
from stepwell.storage.catalog.sql import Statements
from stepwell.storage.embedded import tables

INT64 = st.integers(-(2**63), 2**63 - 1)
FLOAT = st.floats()
PACKAGE = Path(series.__file__).parent


def bits(summary: Summary) -> list[object]:
    """All numbers of a summary so that NaN equals itself and -0.0 differs from 0.0."""
    fields = [getattr(summary, name) for name in Summary.__slots__]
    flat = [part for field in fields for part in (field if isinstance(field, tuple) else (field,))]
    return [value_key(part) if isinstance(part, float) else part for part in flat]


ROWS = st.lists(st.tuples(INT64, INT64, FLOAT), min_size=1, max_size=5)


@given(rows=ROWS, mean=FLOAT, m2=FLOAT)
def test_a_summary_survives_its_bytes(rows: list[tuple[int, int, float]], mean: float, m2: float):
    summary = replace(summary_of(*rows), mean=mean, m2=m2)
    assert bits(summaries.decode(summaries.encode(summary))) == bits(summary)


@given(series=st.lists(ROWS, max_size=4))
def test_many_summaries_are_decoded_as_one_is(series: list[list[tuple[int, int, float]]]):
    given = [summary_of(*rows) for rows in series]
    columns, repeated = summaries.decode_all(list(map(summaries.encode, given)))
    assert list(map(bits, Summary.rows(columns, repeated))) == list(map(bits, given))
    again = Summary.rows(columns_of(given), np.array([one.repeated_steps for one in given], np.bool_))
    assert list(map(bits, again)) == list(map(bits, given))


def test_one_damaged_summary_among_many_is_told():
    sound = summaries.encode(summary_of((1, 2, 3.0)))
    for place in range(len(sound)):
        for damaged in (sound[:place] + bytes([sound[place] ^ 1]) + sound[place + 1 :], sound[:place]):
            with pytest.raises(Corrupt):
                summaries.decode_all([sound, damaged, sound])


def test_summaries_in_one_piece_are_what_they_are_one_by_one():
    bodies = [summaries.encode(summary_of((n, 2, n / 3), (n + 1, 5, -0.0))) for n in range(7)]
    alone, joined = summaries.decode_last(bodies), summaries.decode_last([b"".join(bodies[:3]), b"".join(bodies[3:])])
    assert joined == alone
    columns, _ = summaries.decode_all([b"".join(bodies)], order=np.array([6, 0, 3]))
    assert columns.last.step.tolist() == [7, 1, 4]


def test_damage_in_a_piece_is_told():
    whole = b"".join(summaries.encode(summary_of((n, 2, 3.0))) for n in range(4))
    for place in range(len(whole)):
        for damaged in (whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :], whole[:place]):
            if damaged and not len(damaged) % summaries.BODY.size and whole.startswith(damaged):
                continue  # fewer of them, all sound: who reads them knows how many there must be
            with pytest.raises(Corrupt):
                summaries.decode_last([damaged])


def test_a_body_of_another_length_is_told():
    conn = database()
    (run,) = runs.create(conn, "w", [new_run("r")])
    for key in series.ensure(conn, run.key, [("loss", ()), ("acc", ())]):
        summaries.store(conn, [(key, summary_of((1, 1, 1.0)))])
    for body in ("x''", "substr(body, 2)", "body || body", "CAST(body || x'00' AS BLOB)"):
        conn.execute("SAVEPOINT before")
        conn.execute(f"UPDATE summary SET body = CAST({body} AS BLOB) WHERE series_key = {key}")
        with pytest.raises(Corrupt):
            summaries.bodies_of_runs(conn, [run.key])
        conn.execute("ROLLBACK TO before")
    ((stored,), _) = summaries.bodies_of_runs(conn, [run.key])
    assert sorted(stored.metrics) == ["acc", "loss"]


def test_a_changed_byte_is_never_a_number():
    body = summaries.encode(summary_of((1, 2, 3.0)))
    for place in range(len(body)):
        for damaged in (body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :], body[:place]):
            with pytest.raises(Corrupt):
                summaries.decode(damaged)


def test_a_summary_of_a_later_release_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(summaries, "VERSION", 2)
    body = summaries.encode(summary_of((1, 2, 3.0)))
    monkeypatch.undo()
    with pytest.raises(Corrupt, match="version 2"):
        summaries.decode(body)
    with pytest.raises(Corrupt, match="version 2"):
        summaries.decode_all([body])


def test_a_wide_run_costs_two_statements_and_no_object_a_metric(monkeypatch: pytest.MonkeyPatch):
    """So it stays a pass over columns, however many metrics there are; but for those with labels or live points."""
    conn = database()
    (run,) = runs.create(conn, "w", [new_run("r")])
    names: list[tuple[str, Labels]] = [(f"m{number:03d}", ()) for number in range(200)]
    keys = series.ensure(conn, run.key, [*names, ("m007", (("w", "1"),))])
    summaries.store(conn, [(key, summary_of((1, number, number / 4))) for number, key in enumerate(keys)])
    live = [Live(run.key, "m009", (), summary_of((2, 2, -1.0))), Live(run.key, "m999", (), summary_of((3, 3, -2.0)))]
    asked, made = list[str](), list[bytes]()
    decode = summaries.decode

    def counted(body: bytes) -> Summary:
        made.append(body)
        return decode(body)

    def traced(cursor: object, sql: str, bindings: object) -> bool:
        asked.append(sql)
        return True

    monkeypatch.setattr(summaries, "decode", counted)
    conn.exec_trace = traced
    table = run_rows.summary_table(conn, {run.key: "r"}, None, live)
    assert len(asked) == 2
    assert len(made) == 3  # both of m007, and what is stored of m009
    assert list(table.metrics) == [*(name for name, _ in names), "m999"]
    assert set(table.run_ids) == {"r"}
    wanted = [number / 4 for number in range(200)] + [-2.0]
    wanted[7], wanted[9] = 50.0, -1.0
    assert table.rows.last.value.tolist() == wanted
    assert table.rows.count.tolist() == [2 if number == 7 else 1 for number in range(201)]
    made.clear()
    asked.clear()
    (last,) = run_rows.last_of(conn, [run.key], None, live).values()
    assert (len(asked), len(made)) == (2, 3)
    assert list(last.metrics) == list(table.metrics)
    assert last.values == wanted


def test_the_names_of_a_wide_run_are_sorted_once(monkeypatch: pytest.MonkeyPatch):
    """Of runs with other orders of other metrics, some of which wait in memory, each row is that of its metric."""
    conn = database()
    made = runs.create(conn, "w", [new_run(run_id) for run_id in "ca0b"])
    expected = []
    for number, run in enumerate(made[:3]):
        names: list[tuple[str, Labels]] = [(f"m{place * 7919 % 50:02d}", ()) for place in range(10 * number, 45)]
        keys = series.ensure(conn, run.key, names)
        summaries.store(conn, [(key, summary_of((1, 1, run.key * 1e6 + key))) for key in keys])
        expected += [(run.key, name, run.key * 1e6 + key) for (name, _), key in zip(names, keys, strict=True)]
    live = [Live(run.key, "m30x", (), summary_of((2, 2, -run.key))) for run in reversed(made[1:])]
    expected += [(each.run_key, each.metric, each.summary.last.value) for each in live]
    ids = {run.key: run.id for run in reversed(made)}
    for many in (run_rows.MANY, 0):
        monkeypatch.setattr(run_rows, "MANY", many)
        for hits in (0, 4):
            if not hits:
                run_rows._sorted.cache_clear()
            table = run_rows.summary_table(conn, ids, None, live)
            rows = zip(table.run_ids, table.metrics, table.rows.last.value.tolist(), strict=True)
            assert list(rows) == [(ids[key], name, value) for key, name, value in sorted(expected)]
            assert run_rows._sorted.cache_info().hits == (hits if many else 0)


def test_series_keep_their_keys():
    conn = database()
    names = [("loss", ()), ("loss", (("w", "ü"), ("x", '"'))), ("acc", ()), ("loss", ())]
    assert series.find(conn, 1, names) == [None, None, None, None]
    keys = series.ensure(conn, 1, names)
    assert keys[0] == keys[3]
    assert len(set(keys)) == 3
    assert series.find(conn, 1, names) == keys
    assert series.ensure(conn, 1, [*reversed(names), ("new", ())])[:4] == keys[::-1]
    assert not set(series.ensure(conn, 2, names)) & set(keys)
    described = series.of_run(conn, 1)
    assert [(one.metric, one.labels) for one in described] == [
        ("acc", ()),
        ("loss", ()),
        ("loss", (("w", "ü"), ("x", '"'))),
        ("new", ()),
    ]
    assert series.of_run(conn, 1, "acc") == [described[0]]
    assert series.describe(conn, [keys[1], -1]) == {keys[1]: described[2]}


def test_the_key_of_a_purged_series_is_not_given_again():
    conn = database()
    (run,) = runs.create(conn, "w", [new_run("r")])
    (old,) = series.ensure(conn, run.key, [("loss", ())])
    gone = runs.purge(conn, "w", ["r"], at=1)
    assert gone.series_keys == (old,)
    (new,) = series.ensure(conn, run.key + 1, [("loss", ())])
    assert new > old
    summaries.store(conn, [(old, summary_of((1, 1, 1.0))), (new, summary_of((1, 1, 2.0)))])
    assert list(summaries.load(conn, [old, new])) == [new]


def test_summaries_are_replaced_and_read_by_series_and_by_run():
    conn = database()
    one, two = (series.ensure(conn, run, [("loss", ()), ("acc", ())]) for run in (1, 2))
    first, second, third = summary_of((1, 1, 1.0)), summary_of((1, 1, math.nan)), summary_of((2, 1, -0.0))
    summaries.store(conn, [(one[0], second), (one[1], first), (two[0], third)])
    summaries.store(conn, [(one[0], first)])
    assert summaries.load(conn, [one[0], two[1]]) == {one[0]: first}
    assert summaries.load_runs(conn, [1, 2, 3]) == {
        (1, "loss"): {(): first},
        (1, "acc"): {(): first},
        (2, "loss"): {(): third},
    }
    assert summaries.load_runs(conn, [1, 2], ["acc", "none"]) == {(1, "acc"): {(): first}}


def test_what_a_search_sees_is_the_union_of_the_label_sets():
    conn = database()
    labels = [(), (("w", "0"),), (("w", "1"),)]
    plain, *labelled = series.ensure(conn, 1, [("loss", each) for each in labels])
    parts = [summary_of((1, 1, 4.0)), summary_of((3, 1, -0.0)), summary_of((2, 1, math.inf))]
    summaries.store(conn, [(plain, parts[0])])
    assert numbers(conn) == summaries.searched(parts[0])
    summaries.store(conn, list(zip(labelled, parts[1:], strict=True)))
    assert numbers(conn) == summaries.searched(summaries.union(dict(zip(labels, parts, strict=True))))
    last, least, greatest, _, count = numbers(conn)
    assert (last, least, greatest, count) == (value_key(-0.0), value_key(-0.0), value_key(4.0), 3)


def numbers(conn: object) -> tuple[int, ...]:
    ((*found,),) = conn.execute("SELECT last, min, max, mean, count FROM run_metric")  # type: ignore[attr-defined]
    return tuple(found)


def test_the_tables_are_made_once_and_those_of_a_later_release_refused():
    conn = database()
    tables.create(conn)
    conn.execute("UPDATE meta SET value = '2' WHERE name = 'catalog_format'")
    with pytest.raises(Corrupt, match="format '2'"):
        tables.create(conn)


def test_every_statement_is_used_and_every_used_one_exists():
    known = set(Statements.load("queries.sql"))
    code = "\n".join(path.read_text("utf-8") for path in PACKAGE.glob("*.py"))
    used = set(re.findall(r'"(\w+)"', code)) & known
    called = set(re.findall(r'_SQL\.(?:all|one|run|each)\(\s*conn,\s*"(\w+)"', code))
    assert called <= known
    assert used == known


def test_every_statement_compiles():
    conn = database()
    statements = Statements.load("queries.sql")
    for name in statements:
        assert query_info(conn, statements[name]).query == statements[name]


def test_statements_have_names_of_their_own():
    assert list(Statements("-- name: a\nSELECT 1;\n-- name: b\n-- why\nSELECT 2;\n")) == ["a", "b"]
    with pytest.raises(ValueError, match="twice"):
        Statements("-- name: a\nSELECT 1;\n-- name: a\nSELECT 2;")
    with pytest.raises(KeyError):
        Statements("")["a"]
