"""Records, console lines and credentials of the embedded catalog."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from catalogs import Bench, new_run
from stepwell.core.access import Credential, Role, hash_secret
from stepwell.core.errors import AlreadyExists, Invalid, NotFound
from stepwell.core.model import LogLine, Record
from stepwell.core.page import Position


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def record(number: str, **given: Any) -> Record:
    return Record(**{"kind": "model", "id": number, "body": "{}", "created_at": 1, "updated_at": 1, **given})


def found(bench: Bench, *, limit: int = 2, kind: str = "model", **where: str) -> list[str]:
    """The ids of all pages."""
    ids: list[str] = []
    after: Position | None = None
    while True:
        page = bench.catalog.find_records(workspace="w", kind=kind, where=where, after=after, limit=limit)
        assert len(page.items) <= limit
        ids += [item.id for item in page.items]
        if page.after is None:
            return ids
        after = page.after


def test_a_record_is_got_as_it_was_put(bench: Bench):
    bench.catalog.create_runs(workspace="w", new=[new_run("r")])
    one = record("a", body='{"x": 1}', parent="r", unique={"name": "n"}, indexed={"s": "1", "t": ""}, updated_at=7)
    bench.catalog.put_records(workspace="w", records=[one])
    assert bench.catalog.get_records(workspace="w", kind="model", ids=["x", "a"]) == [None, one]
    assert bench.catalog.get_records(workspace="w", kind="other", ids=["a"]) == [None]
    assert bench.catalog.get_records(workspace="v", kind="model", ids=["a"]) == [None]


def test_putting_again_replaces_all_of_a_record(bench: Bench):
    put = bench.catalog.put_records
    put(workspace="w", records=[record("a", unique={"name": "n"}, indexed={"s": "1"})])
    new = record("a", body="[]", indexed={"t": "2"}, updated_at=3)
    put(workspace="w", records=[new])
    assert bench.catalog.get_records(workspace="w", kind="model", ids=["a"]) == [new]
    assert (found(bench, s="1"), found(bench, name="n"), found(bench, t="2")) == ([], [], ["a"])
    put(workspace="w", records=[record("b", indexed={"t": "1"}), record("b", indexed={"t": "2"})])
    assert found(bench, t="2") == ["a", "b"]


def test_a_unique_value_has_one_owner_in_its_kind_and_workspace(bench: Bench):
    put = bench.catalog.put_records
    put(workspace="w", records=[record("a", unique={"name": "n"}), record("b", unique={"name": "m"})])
    with pytest.raises(AlreadyExists, match="a model with name 'n' exists already"):
        put(workspace="w", records=[record("c"), record("d", unique={"name": "n"})])
    assert found(bench) == ["a", "b"]
    put(workspace="v", records=[record("a", unique={"name": "n"})])
    put(workspace="w", records=[record("a", kind="other", unique={"name": "n"})])
    put(workspace="w", records=[record("c", indexed={"name": "n"})])
    assert found(bench, name="n") == ["a", "c"]


def test_two_records_may_exchange_their_unique_values(bench: Bench):
    put = bench.catalog.put_records
    put(workspace="w", records=[record("a", unique={"name": "n"}), record("b", unique={"name": "m"})])
    put(workspace="w", records=[record("a", unique={"name": "m"}), record("b", unique={"name": "n"})])
    assert (found(bench, name="n"), found(bench, name="m")) == (["b"], ["a"])


def test_records_are_found_by_all_of_the_values_in_the_order_of_creation(bench: Bench):
    bench.catalog.create_runs(workspace="w", new=[new_run("r"), new_run("s")])
    bench.catalog.put_records(
        workspace="w",
        records=[
            record("c", created_at=1, parent="r", indexed={"stage": "x", "tier": "1"}),
            record("a", created_at=2, parent="s", indexed={"stage": "x", "tier": "2"}),
            record("b", created_at=2, parent="r", indexed={"stage": "x", "tier": "1"}),
            record("d", created_at=0, indexed={"stage": "y", "tier": "1"}),
        ],
    )
    for limit in (1, 2, 10):
        assert found(bench, limit=limit) == ["d", "c", "a", "b"]
        assert found(bench, limit=limit, stage="x") == ["c", "a", "b"]
        assert found(bench, limit=limit, stage="x", tier="1") == ["c", "b"]
        assert found(bench, limit=limit, parent="r") == ["c", "b"]
        assert found(bench, limit=limit, parent="s", stage="x", tier="1") == []
        assert found(bench, limit=limit, parent="s", tier="2") == ["a"]
    assert found(bench, stage="x", none="1") == found(bench, parent="none") == found(bench, kind="none") == []
    with pytest.raises(Invalid, match="position"):
        bench.catalog.find_records(workspace="w", kind="model", where={}, after=("a", 1), limit=1)


def test_records_are_deleted_with_their_values(bench: Bench):
    bench.catalog.put_records(workspace="w", records=[record(i, unique={"name": i}) for i in "ab"])
    assert bench.catalog.delete_records(workspace="v", kind="model", ids=["a"]) == 0
    assert bench.catalog.delete_records(workspace="w", kind="model", ids=["a", "a", "x"]) == 1
    assert found(bench) == ["b"]
    bench.catalog.put_records(workspace="w", records=[record("c", unique={"name": "a"})])
    assert bench.count("record_value") == 2


def test_a_parent_must_be_a_run_of_the_workspace(bench: Bench):
    bench.catalog.create_runs(workspace="v", new=[new_run("r")])
    with pytest.raises(NotFound, match="no run 'r'"):
        bench.catalog.put_records(workspace="w", records=[record("a"), record("b", parent="r")])
    assert bench.count("record") == 0


def line(stream: str, number: int, text: str = "", level: str = "") -> LogLine:
    return LogLine(stream=stream, line=number, time=number * 10, text=text, level=level)


def test_lines_are_read_by_stream_and_number_page_by_page(bench: Bench):
    bench.catalog.create_runs(workspace="w", new=[new_run("r"), new_run("s")])
    lines = [line("err", 2, "b", "warn"), line("out", 1, "ü"), line("err", 1, "a"), line("out", -5)]
    bench.catalog.append_lines(workspace="w", run_id="r", lines=lines)
    bench.catalog.append_lines(workspace="w", run_id="r", lines=[line("err", 2, "new")])
    expected = [line("err", 1, "a"), line("err", 2, "new"), line("out", -5), line("out", 1, "ü")]
    for limit in (1, 3, 4):
        assert lines_of(bench, None, limit) == expected
        assert lines_of(bench, "out", limit) == expected[2:]
    assert bench.catalog.read_lines(workspace="v", run_id="r", stream=None, after=None, limit=1).items == []
    assert bench.catalog.read_lines(workspace="w", run_id="s", stream=None, after=None, limit=1).items == []
    with pytest.raises(Invalid, match="position"):
        bench.catalog.read_lines(workspace="w", run_id="r", stream=None, after=(1, "a"), limit=1)
    with pytest.raises(NotFound):
        bench.catalog.append_lines(workspace="w", run_id="x", lines=lines)


def lines_of(bench: Bench, stream: str | None, limit: int) -> list[LogLine]:
    lines: list[LogLine] = []
    after: Position | None = None
    while True:
        page = bench.catalog.read_lines(workspace="w", run_id="r", stream=stream, after=after, limit=limit)
        lines += page.items
        if page.after is None:
            return lines
        after = page.after


def credential(number: str, **given: Any) -> Credential:
    fixed: dict[str, Any] = {"workspace": "w", "role": Role.WRITER, "secret_hash": hash_secret(number)}
    return Credential(**{"id": number, **fixed, **given})


def test_credentials_are_found_by_id_and_by_secret(bench: Bench):
    one = credential("b", name="n", created_at=2, expires_at=9)
    two = credential("a", workspace="*", role=Role.ADMIN, created_at=2, revoked_at=3)
    three = credential("c", role=Role.READER, created_at=1)
    for each in (one, two, three):
        bench.catalog.put_credential(credential=each)
    assert bench.catalog.list_credentials() == [three, two, one]
    assert bench.catalog.get_credential(id="b") == one
    assert bench.catalog.get_credential(secret_hash=hash_secret("a")) == two
    assert bench.catalog.get_credential(id="x") is None
    assert bench.catalog.get_credential(secret_hash=b"") is None
    assert bench.catalog.get_credential() is None
    assert [w.name for w in bench.catalog.list_workspaces()] == ["w"]


def test_ids_and_secrets_are_taken_once(bench: Bench):
    bench.catalog.put_credential(credential=credential("a"))
    with pytest.raises(AlreadyExists, match="'a'"):
        bench.catalog.put_credential(credential=credential("a", secret_hash=hash_secret("other"), workspace="v"))
    with pytest.raises(AlreadyExists, match="secret"):
        bench.catalog.put_credential(credential=credential("b", secret_hash=hash_secret("a")))
    assert len(bench.catalog.list_credentials()) == 1


def test_revoking_twice_keeps_the_first_time(bench: Bench):
    bench.catalog.put_credential(credential=credential("a"))
    assert bench.catalog.revoke_credential(id="a", at=5).revoked_at == 5
    assert bench.catalog.revoke_credential(id="a", at=9).revoked_at == 5
    assert bench.catalog.get_credential(id="a") == credential("a", revoked_at=5)
    with pytest.raises(NotFound):
        bench.catalog.revoke_credential(id="x", at=1)
