"""MLflow's limits and name rules, at their edges."""

from __future__ import annotations

import pytest

from stepwell.core.errors import Invalid, TooLarge
from stepwell.core.limits import TIME_MAX_MS
from stepwell.dialects.mlflow import rules

GOOD = ["a", "a/b/c.d-e f:g", "损失", "k" * 250, ".hidden", "a/.b", "a.", " ", "a/ b", "0", "_", "a..b", "b/..c"]
BAD = [
    "a@b",
    "../x",
    "/x",
    "x/",
    "a//b",
    ".",
    "..",
    "./x",
    "x/./y",
    "x/../y",
    "x/..",
    "a\nb",
    "a\n",
    "a\\b",
    "a\0b",
    "é%",
]


@pytest.mark.parametrize("key", GOOD)
def test_good_keys(key: str) -> None:
    assert rules.check_key(key, "key") == key


@pytest.mark.parametrize("key", BAD)
def test_bad_keys_name_the_field(key: str) -> None:
    with pytest.raises(Invalid, match="metrics") as caught:
        rules.check_key(key, "metrics[1].key")
    assert caught.value.field == "metrics[1].key"


def test_an_empty_key_is_a_missing_one() -> None:
    with pytest.raises(Invalid, match="Missing value for required parameter 'key'"):
        rules.check_key("", "key")


def test_a_key_of_251_characters_is_too_long() -> None:
    with pytest.raises(TooLarge, match="250") as caught:
        rules.check_key("k" * 251, "key")
    assert caught.value.limit == 250


def test_counts_of_a_batch() -> None:
    rules.check_counts(1000, 0, 0)
    rules.check_counts(800, 100, 100)
    for counts, what in [
        ((1001, 0, 0), "1000 metrics; this one holds 1001"),
        ((0, 101, 0), "100 params; this one holds 101"),
        ((0, 0, 101), "100 tags; this one holds 101"),
        ((901, 50, 50), "1000 metrics, params, and tags; this one holds 1001"),
    ]:
        with pytest.raises(TooLarge, match=what):
            rules.check_counts(*counts)


def test_times() -> None:
    assert rules.check_time(0, "timestamp") == 0
    assert rules.check_time(TIME_MAX_MS, "timestamp") == TIME_MAX_MS * 1000 < 2**63
    with pytest.raises(TooLarge, match="9223372036854775 ms"):
        rules.check_time(TIME_MAX_MS + 1, "timestamp")
    with pytest.raises(Invalid, match="-1"):
        rules.check_time(-1, "timestamp")


def test_results() -> None:
    assert rules.check_results(50_000, "max_results", 50_000) == 50_000
    for wrong, message in [(0, "positive"), (-1, "positive"), (50_001, "at most 50000")]:
        with pytest.raises(Invalid, match=message):
            rules.check_results(wrong, "max_results", 50_000)


def test_runs_of_a_bulk_question() -> None:
    assert rules.check_run_count(["b", "a", "b"], "run_ids") == ("b", "a")
    rules.check_run_count([str(i) for i in range(100)], "run_ids")
    with pytest.raises(TooLarge, match="101"):
        rules.check_run_count(["a"] * 101, "run_ids")
    with pytest.raises(Invalid, match="run_ids"):
        rules.check_run_count([], "run_ids")


def test_what_is_cut_is_told() -> None:
    cuts = rules.Cuts(at=5)
    assert cuts.cut("param", "p", "x" * 6000, 6000) == "x" * 6000
    assert cuts.events() == ()
    assert cuts.cut("param", "p", "x" * 6001, 6000) == "x" * 6000
    (event,) = cuts.events()
    assert event.time == 5
    assert event.text == "the value of param 'p' had 6001 characters; the first 6000 were kept"
