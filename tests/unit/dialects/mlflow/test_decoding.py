"""Bodies and query arguments to shapes: the fast decoder and the patient one agree, and errors say where."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.dialects.mlflow import registry_wire, wire
from stepwell.dialects.mlflow.decoding import DEPTH, Reader, parse
from stepwell.dialects.mlflow.forms import Unreadable

BATCH = Reader(wire.LogBatch)
METRIC = Reader(wire.LogMetric)


def sentence(reader: Reader[Any], body: bytes) -> str:
    """Why the body is refused; "" when it is not."""
    try:
        reader.body(body)
    except Unreadable as error:
        return error.message
    return ""


def refusal(reader: Reader[Any], body: bytes | str) -> Unreadable:
    with pytest.raises(Unreadable) as caught:
        reader.body(body.encode() if isinstance(body, str) else body)
    return caught.value


def metric(**changes: str) -> str:
    fields = {"run_id": '"r"', "key": '"k"', "value": "1.5", "timestamp": "7"} | changes
    return "{" + ",".join(f'"{name}":{text}' for name, text in fields.items()) + "}"


def test_a_plain_message() -> None:
    assert METRIC.body(metric().encode()) == wire.LogMetric(run_id="r", key="k", value=1.5, timestamp=7, step=0)


def test_unknown_fields_are_ignored_and_null_is_absent() -> None:
    body = metric(step="null", model_id="null", extra='{"a":[1,2]}', run_uuid="null")
    assert METRIC.body(body.encode()) == METRIC.body(metric().encode())


@pytest.mark.parametrize("token", ["NaN", "Infinity", "-Infinity"])
def test_bare_tokens_are_the_numbers_that_they_name(token: str) -> None:
    found = METRIC.body(metric(value=token).encode()).value
    assert math.isnan(found) if token == "NaN" else found == float(token)
    assert refusal(METRIC, metric(key=token)).field == "key"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('{"run_id":', "not valid JSON: Expecting value at line 1 column 11"),
        ("", "not valid JSON: Expecting value at line 1 column 1"),
        ('{"a" 1}', "Expecting ':' delimiter at line 1 column 6"),
        ("[]", "must be a JSON object"),
        ('"text"', "must be a JSON object"),
        ("null", "must be a JSON object"),
        ("{}{}", "Extra data at line 1 column 3"),
        (b'{"key":"\xff"}', "not UTF-8 text: byte 8"),
        ("\ufeff{}", "not valid JSON"),
    ],
)
def test_what_is_not_a_json_object_says_where(body: str | bytes, message: str) -> None:
    assert message in refusal(METRIC, body).message


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"key": "k", "value": 1}, "timestamp"),
        ({"key": "k", "value": None, "timestamp": 1}, "value"),
        ({"key": None, "value": 1, "timestamp": 1}, "key"),
        ({"key": 5, "value": 1, "timestamp": 1}, "key"),
        ({"key": "k", "value": "abc", "timestamp": 1}, "value"),
        ({"key": "k", "value": 1, "timestamp": 12.5}, "timestamp"),
        ({"key": "k", "value": 1, "timestamp": 1, "step": 2**63}, "step"),
        ({"key": "k", "value": 1, "timestamp": 1, "step": True}, "step"),
        ({"run_id": 31, "key": "k", "value": 1, "timestamp": 1}, "run_id"),
    ],
)
def test_a_field_that_cannot_be_read_is_named(body: dict[str, Any], field: str) -> None:
    error = refusal(METRIC, json.dumps(body))
    assert error.field == field
    assert f"'{field}'" in error.message


@pytest.mark.parametrize(
    ("item", "field"),
    [
        ({"value": 1, "timestamp": 1}, "metrics[2].key"),
        ({"key": "k", "value": "abc", "timestamp": 1}, "metrics[2].value"),
        ({"key": "k", "value": 1, "timestamp": "foo"}, "metrics[2].timestamp"),
        ({"key": "k", "value": 1, "timestamp": 1, "step": -(2**63) - 1}, "metrics[2].step"),
        (7, "metrics[2]"),
        (None, "metrics[2]"),
    ],
)
def test_an_item_that_cannot_be_read_is_named_with_its_place(item: object, field: str) -> None:
    good = {"key": "k", "value": 1, "timestamp": 1}
    assert refusal(BATCH, json.dumps({"run_id": "r", "metrics": [good, good, item, good]})).field == field


def test_numbers_beyond_a_double_or_int64_are_refused_in_any_length() -> None:
    assert refusal(METRIC, metric(value="1e400")).field == "value"
    assert refusal(METRIC, metric(value="-1e400")).field == "value"
    assert refusal(METRIC, metric(value="9" * 400)).field == "value"
    assert refusal(METRIC, metric(step="9" * 400)).field == "step"
    assert "too many digits at character" in refusal(METRIC, metric(step="9" * 5000)).message


def test_half_of_a_surrogate_pair_is_not_text() -> None:
    error = refusal(METRIC, metric(key='"\\ud800"'))
    assert error.field == "key"
    assert error.message.isprintable()


def test_depth_is_bounded_wherever_it_is() -> None:
    def nested(levels: int) -> str:
        return "[" * levels + "]" * levels

    assert METRIC.body(metric(extra=nested(DEPTH - 1)).encode()).key == "k"
    assert "levels" in refusal(METRIC, metric(extra=nested(DEPTH))).message
    assert "levels" in refusal(METRIC, metric(extra=nested(100_000))).message
    assert "levels" in refusal(METRIC, '{"a":' * 100_000).message
    assert "levels" in refusal(METRIC, metric(value="NaN", extra=nested(DEPTH))).message


def test_a_big_batch_is_not_taken_for_a_deep_one() -> None:
    items = [{"key": "{[", "value": i, "timestamp": i} for i in range(1000)]
    assert len(BATCH.body(json.dumps({"run_id": "r", "metrics": items}).encode()).metrics) == 1000


def test_messages_stay_short() -> None:
    assert len(refusal(METRIC, metric(value=json.dumps("x" * 100_000))).message) < 200


def test_query_arguments() -> None:
    reader = Reader(wire.GetHistoryInterval)
    found = reader.query({"run_ids": ["a", "b"], "metric_key": ["x", "loss"], "start_step": ["-5"], "end_step": ["9"]})
    assert found == wire.GetHistoryInterval(metric_key="loss", run_ids=["a", "b"], start_step=-5, end_step=9)
    with pytest.raises(Unreadable, match="metric_key"):
        reader.query({"run_ids": ["a"]})


def test_enumerations_come_as_words_or_numbers() -> None:
    reader = Reader(wire.UpdateRun)
    assert reader.body(b'{"status":"FAILED"}').status == "FAILED"
    assert reader.body(b'{"status":3}').status == 3
    assert refusal(reader, '{"status":true}').field == "status"


values = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**63 - 1)
items = st.fixed_dictionaries(
    {"key": st.text(max_size=5), "value": values, "timestamp": st.integers(-(2**63), 2**63 - 1)},
    optional={"step": st.integers(-(2**63), 2**63 - 1), "other": st.none() | st.lists(st.integers())},
)
batches = st.fixed_dictionaries(
    {"run_id": st.text(max_size=5)},
    optional={
        "metrics": st.lists(items, max_size=4),
        "params": st.lists(
            st.fixed_dictionaries({"key": st.text(max_size=3)}, optional={"value": st.text(max_size=3)})
        ),
    },
)


@given(batches)
def test_both_decoders_read_the_same(batch: dict[str, Any]) -> None:
    body = json.dumps(batch).encode()
    assert BATCH.body(body) == BATCH._patient(parse(body), "")


anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["run_id", "key", "value", "timestamp", "step", "metrics", "x"]), inner, max_size=6
        )
    ),
)


@given(anything)
def test_anything_is_read_or_refused_with_a_sentence(value: object) -> None:
    for reader in (METRIC, BATCH):
        message = sentence(reader, json.dumps(value).encode())
        assert message == "" or message.startswith(("Invalid value", "Missing value", "The request body"))


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    message = sentence(METRIC, body)
    assert message == "" or message.startswith(("Invalid value", "Missing value", "The request body"))


@pytest.mark.parametrize("shape", [wire.LogMetric, wire.SearchRuns, registry_wire.TransitionStage])
def test_a_refused_value_can_be_told_whatever_it_holds(shape: type[msgspec.Struct]) -> None:
    good = {"key": "k", "value": 1, "timestamp": 1, "name": "n", "version": 1, "stage": "s"}
    for field in msgspec.structs.fields(shape):
        if field.type is not str:
            with pytest.raises(Unreadable) as caught:
                Reader(shape).body(json.dumps({**good, field.name: "\ud800x" * 50}).encode())
            caught.value.message.encode()
