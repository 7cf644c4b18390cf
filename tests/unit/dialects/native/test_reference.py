"""The reference page tells of every operation, error code and limit that the code has."""

from __future__ import annotations

import re
from pathlib import Path

from stepwell.core import errors, limits
from stepwell.dialects.native.operations import OPERATIONS, POINTS_BODY, SMALL_BODY

PAGE = (Path(__file__).resolve().parents[4] / "docs/reference/native-api.md").read_text()


def test_every_operation_is_there_and_no_other():
    rows = re.findall(r"^\| `([A-Z]+)` \| `([^`]+)` \| (.+) \| (\w+) \|$", PAGE, re.MULTILINE)
    assert rows == [(o.verb, o.path.replace(":path", ""), o.summary, o.role.word) for o in OPERATIONS]


def test_every_error_code_is_there():
    def codes(kind: type[errors.StepwellError]) -> set[str]:
        return {kind.code}.union(*(codes(each) for each in kind.__subclasses__()))

    told = set(re.findall(r"`(\w+)`", PAGE))
    assert codes(errors.StepwellError) - {errors.Unavailable.code} <= told


def test_the_limits_are_the_codes():
    for number in (
        limits.POINTS_PER_WRITE,
        limits.RUNS_PER_PAGE,
        limits.SERIES_PER_READ,
        limits.BUCKETS,
        limits.BUCKETS_PER_READ,
        limits.NAME_LENGTH,
        limits.PARAM_VALUE_LENGTH,
        limits.LABELS_PER_SERIES,
    ):
        assert f"{number:,}" in PAGE
    assert f"{POINTS_BODY >> 20} MiB" in PAGE
    assert f"{SMALL_BODY >> 20} MiB" in PAGE
