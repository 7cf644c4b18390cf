"""Samples of resource usage: milliseconds as they were written, and what was not measured."""

from __future__ import annotations

import math

import numpy as np
import pytest

from stepwell.core.errors import Invalid
from stepwell.core.resources import Resource
from stepwell.dialects.native import translate, wire
from stepwell.dialects.native.decoding import Decoder

READ = Decoder(wire.ResourcesWrite)


@pytest.mark.parametrize(
    ("written", "microseconds"),
    [
        ("0", 0),
        ("0.0009", 0),
        ("1700000000000", 1_700_000_000_000_000),
        ("1700000000000.0", 1_700_000_000_000_000),
        ("1700000000000.001", 1_700_000_000_000_001),  # its double lies below
        ("1700000000000.123", 1_700_000_000_000_123),
        ("1700000000000.9995", 1_700_000_000_000_999),
        ("9223372036854774", 9_223_372_036_854_774_000),
    ],
)
def test_milliseconds_are_floored_as_they_are_written(written: str, microseconds: int):
    body = READ.body(f'{{"start_time": {written}, "samples": [{{"time": {written}}}]}}'.encode())
    assert translate.milliseconds(body.start_time) == microseconds
    assert translate.samples(body.samples).time.tolist() == [microseconds]


def test_every_resource_has_a_field():
    fields = {name for name in wire.ResourceSample.__struct_fields__ if name not in ("time", "device")}
    assert fields == {resource.value for resource in Resource}


def test_what_was_not_measured_is_no_number():
    body = READ.body(b'{"samples": [{"time": 1, "cpu": 0}, {"time": 2, "device": "1", "cpu": null, "gpu": 5}]}')
    found = translate.samples(body.samples)
    assert found.device == ("", "1")
    assert np.array_equal(found.usage[Resource.CPU], [0, math.nan], equal_nan=True)
    assert np.array_equal(found.usage[Resource.GPU], [math.nan, 5], equal_nan=True)
    assert np.isnan(found.usage[Resource.NPU]).all()
    assert len(translate.samples([])) == 0


@pytest.mark.parametrize(
    ("sample", "field"),
    [
        ('{"time": 1, "cpu": NaN}', "samples[0].cpu"),
        ('{"time": NaN}', "samples[0].time"),
        ('{"time": 1, "device": ""}', "samples[0].device"),
    ],
)
def test_what_cannot_be_stored_is_named(sample: str, field: str):
    with pytest.raises(Invalid) as caught:
        translate.samples(READ.body(f'{{"samples": [{sample}]}}'.encode()).samples)
    assert caught.value.field == field


def test_a_start_that_is_no_number():
    with pytest.raises(Invalid) as caught:
        translate.milliseconds(READ.body(b'{"start_time": NaN}').start_time)
    assert caught.value.field == "start_time"
