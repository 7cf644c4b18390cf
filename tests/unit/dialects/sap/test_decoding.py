"""Bytes to a metric resource: what is read, and how the place of a mistake is told."""

from __future__ import annotations

import pytest

from stepwell.core.errors import Invalid
from stepwell.dialects.sap import decoding, wire


def test_what_is_there_is_read_and_the_rest_ignored() -> None:
    found = decoding.metric_resource(
        '{"executionId":"exec","metrics":[{"name":"ü","value":1,"step":null,"timestamp":null,"more":[1]}],'
        '"createdAt":5,"tags":[{"name":"t","value":"v","x":{}}]}'.encode()
    )
    assert found == wire.MetricResource(
        executionId="exec",
        metrics=[wire.Metric(name="ü", value=1.0)],
        tags=[wire.Pair(name="t", value="v")],
    )


@pytest.mark.parametrize(
    ("body", "field", "told"),
    [
        (b"{}", "executionId", "executionId is missing"),
        (b'{"executionId":1}', "executionId", "executionId: Expected str, got int"),
        (b'{"executionId":"e","metrics":[{"value":1}]}', "metrics[0].name", "metrics[0].name is missing"),
        (b'{"executionId":"e","metrics":[{"name":"m"}]}', "metrics[0].value", "metrics[0].value is missing"),
        (
            b'{"executionId":"e","metrics":[{"name":"m","value":1e999}]}',
            "metrics[0].value",
            "metrics[0].value: Number out of range",
        ),
        (
            b'{"executionId":"e","metrics":[{"name":"m","value":1,"labels":[{"name":"l","value":null}]}]}',
            "metrics[0].labels[0].value",
            "metrics[0].labels[0].value: Expected str, got null",
        ),
        (b'{"executionId":"e","tags":{}}', "tags", "tags: Expected array, got object"),
        (b"[]", None, "the request body is not a metric resource: Expected object, got array"),
        (b"", None, "the request body is not JSON in UTF-8"),
        (b"{", None, "the request body is not JSON in UTF-8"),
        (b'{"executionId":NaN}', None, "the request body is not JSON in UTF-8"),
        (b'{"executionId":"e","x":"\xff"}', None, "the request body is not JSON in UTF-8"),
        (b'{"executionId":"\\ud800"}', None, "the request body is not JSON in UTF-8"),
        (b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", None, "the request body nests too deeply"),
    ],
    ids=range(14),
)
def test_what_is_wrong_is_told_by_its_place(body: bytes, field: str | None, told: str) -> None:
    with pytest.raises(Invalid) as caught:
        decoding.metric_resource(body)
    assert caught.value.field == field
    assert caught.value.message.startswith(told)
