"""Conditions of a search: whatever part of them the store judges, they find what they say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.core.errors import Invalid
from stepwell.core.filter_match import RowValues, matches
from stepwell.core.model import Run, Status
from stepwell.dialects.modelarts import conditions, decoding, wire
from stepwell.dialects.modelarts.translate import PHASES
from unit.dialects.modelarts.test_translate import MS, NOW, run

TEXTS = ("", "Train.5", "train", "%", "t_ain", "TRAIN", "id", "me", "Running", "run", "job", "é", "É", "a\0b")


def found(*asked: tuple[str, str, list[str]], job: Run, **more: Any) -> bool:
    """Whether a search finds the job, as the store and the test behind it decide."""
    filters = [wire.Condition(key=key, operator=operator, value=value) for key, operator, value in asked]
    comparisons, wanted = conditions.sought(wire.Search(filters=filters, **more))
    attributes = {
        "run_id": job.id,
        "run_name": job.name,
        "user_id": job.user,
        "status": job.status.value,
        "start_time": job.start_time,
        "end_time": job.end_time,
    }
    return matches(comparisons, RowValues(attributes=attributes)) and (wanted is None or wanted(job))


def meant(operator: str, values: list[str], text: str) -> bool:
    if operator == "like":
        return any(value.lower() in text.lower() for value in values)
    return (text in values) is (operator == "in")


@given(
    key=st.sampled_from([*conditions.TEXTS, *conditions.PHASE_KEYS, *conditions.KIND_KEYS]),
    operator=st.sampled_from(["like", "in", "not"]),
    values=st.lists(st.sampled_from(TEXTS) | st.text("aeT%_5", max_size=3), max_size=3),
    name=st.sampled_from(TEXTS) | st.text("aeT%_5", max_size=6),
    status=st.sampled_from(Status),
)
def test_texts(key: str, operator: str, values: list[str], name: str, status: Status):
    job = run(name=name, status=status)
    text = {
        "name": name,
        "user_name": job.user,
        "phase": PHASES[status][0],
        "status": PHASES[status][0],
        "kind": "job",
        "job_type": "job",
    }.get(key, job.id)
    assert found((key, operator, values), job=job) is meant(operator, values, text)


@pytest.mark.parametrize("key", ["create_time", "start_time", "end_time"])
@pytest.mark.parametrize(("low", "high"), [(0, 0), (0, 1), (-1, 0), (1, 2), (-2, -1), (1, -1), (-(10**18), 10**18)])
def test_times_count_as_their_millisecond(key: str, low: int, high: int):
    for microseconds in (0, 999):
        job = run(start_time=NOW + microseconds, end_time=NOW + microseconds)
        assert found((key, "between", [str(MS + low), str(MS + high)]), job=job) is (low <= 0 <= high)


def test_a_job_without_a_start_was_created_when_it_was_made_and_one_that_runs_has_no_end():
    job = run(start_time=None)
    made = str(job.created_at // 1000)
    assert found(("create_time", "between", [made, made]), job=job)
    assert not found(("end_time", "between", ["0", "9" * 19]), job=job)
    assert found(("end_time", "between", ["-" + "9" * 19, "9" * 19]), job=replace(job, end_time=2**63 - 1))


def test_all_conditions_must_hold():
    job = run(name="a_b", status=Status.FAILED)
    name, phase, id_ = ("name", "like", ["A_B"]), ("phase", "in", ["Failed"]), ("id", "in", ["id"])
    assert found(name, phase, id_, job=job)
    assert not found(name, phase, id_, job=run(name="axb", status=Status.FAILED))
    assert not found(name, phase, id_, job=run(name="a_b"))
    assert not found(name, phase, ("id", "not", ["id"]), job=job)
    assert found(job=job, train_type="job")
    assert not found(job=job, train_type="fine-tuning")


@pytest.mark.parametrize("operator", ["in", "not", "like"])
def test_the_store_judges_alone_where_it_can(operator: str):
    for key in (*conditions.TEXTS, *conditions.PHASE_KEYS, *conditions.KIND_KEYS):
        search = wire.Search(filters=[wire.Condition(key=key, operator=operator, value=["text"])])
        assert conditions.sought(search)[1] is None


def test_what_is_refused_names_its_field():
    def search(key: str, operator: str, *values: str) -> wire.Search:
        return wire.Search(filters=[wire.Condition(key=key, operator=operator, value=list(values))])

    for asked, field in (
        (wire.Search(host_ips=["1"]), "host_ips"),
        (wire.Search(tags=["1"]), "tags"),
        (wire.Search(group_by="x"), "group_by"),
        (search("duration", "in", "1"), "filters[0].key"),
        (search("create_time", "in", "1"), "filters[0].key"),
        (search("end_time", "like", "1"), "filters[0].key"),
        (search("name", "between", "1", "2"), "filters[0].operator"),
        (search("name", "is", "1"), "filters[0].operator"),
        (search("create_time", "between", "1"), "filters[0].value"),
        (search("end_time", "between", "1", "x"), "filters[0].value"),
    ):
        with pytest.raises(Invalid) as caught:
            conditions.sought(asked)
        assert caught.value.field == field
    for asked, field in ((wire.Search(sort_by="x"), "sort_by"), (wire.Search(order="x"), "order")):
        with pytest.raises(Invalid) as caught:
            conditions.order_of(asked)
        assert caught.value.field == field


def test_there_may_be_a_hundred_conditions():
    one = b'{"key":"name","operator":"in","value":["x"]}'
    decoding.body(b'{"filters":[' + b",".join([one] * 100) + b"]}", wire.Search)
    with pytest.raises(Invalid, match="100"):
        decoding.body(b'{"filters":[' + b",".join([one] * 101) + b"]}", wire.Search)
