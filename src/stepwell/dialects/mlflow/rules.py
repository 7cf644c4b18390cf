"""MLflow's own limits and name rules: narrower than core.limits, where its contract is. Nothing here is stored or sent.

Params and tags that are too long are cut, as the reference does: an error would end somebody's training. `Cuts` keeps
what was cut, so that an event on the run can say it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from stepwell.core.errors import Invalid, TooLarge
from stepwell.core.limits import TIME_MAX_MS
from stepwell.core.model import Event

METRICS_PER_BATCH: Final = 1000
PARAMS_PER_BATCH: Final = 100
TAGS_PER_BATCH: Final = 100
ITEMS_PER_BATCH: Final = 1000
KEY_LENGTH: Final = 250
PARAM_LENGTH: Final = 6000
TAG_LENGTH: Final = 8000
EXPERIMENT_NAME_LENGTH: Final = 500
EXPERIMENT_TAG_LENGTH: Final = 20_000
SEARCH_RESULTS: Final = 50_000
BULK_RUNS: Final = 100
BULK_POINTS: Final = 25_000
INTERVAL_POINTS: Final = 2_500
BODY_BYTES: Final = 16 << 20
DATASET_NAME_LENGTH: Final = 500
DATASET_DIGEST_LENGTH: Final = 36
DATASET_SOURCE_LENGTH: Final = 65_535
DATASET_SCHEMA_LENGTH: Final = 1_048_575
DATASET_PROFILE_LENGTH: Final = 16_777_215
DATASET_EXPERIMENTS: Final = 20
DATASET_SUMMARIES: Final = 1_000
INPUT_TAG_KEY_LENGTH: Final = 255
INPUT_TAG_LENGTH: Final = 500
MODEL_HISTORY_LENGTH: Final = 65_536
MODEL_NAME_LENGTH: Final = 500
REGISTERED_NAME_LENGTH: Final = 256
REGISTRY_TAG_LENGTH: Final = 100_000
ALIAS_LENGTH: Final = 255

_KEY = re.compile(r"[/\w.\- :]*")


class Cuts:
    """What was cut from one request, and the events that tell of it."""

    def __init__(self, at: int) -> None:
        self._at = at
        self._events: list[Event] = []

    def cut(self, kind: str, key: str, value: str, limit: int) -> str:
        """`value` if it is at most `limit` characters, else its beginning; the rest is noted."""
        if len(value) <= limit:
            return value
        text = f"the value of {kind} {key!r} had {len(value)} characters; the first {limit} were kept"
        self._events.append(Event(time=self._at, kind="value_cut", text=text))
        return value[:limit]

    def events(self) -> tuple[Event, ...]:
        """One for each value that was cut."""
        return tuple(self._events)


def check_key(key: str, field: str, what: str = "name") -> str:
    """`key` if it may name a metric, param or tag of a run: a normalised relative path of letters and a few signs."""
    if _is_key(key):
        return key
    if not key:
        raise Invalid(f"Missing value for required parameter '{field}'.", field=field)
    check_length(key, field, KEY_LENGTH)
    if not _KEY.fullmatch(key):
        raise Invalid(
            f"Invalid value {key!r} for parameter '{field}' supplied: a {what} holds only letters, digits, "
            "'_', '-', '.', ':', '/' and spaces",
            field=field,
        )
    raise Invalid(
        f"Invalid value {key!r} for parameter '{field}' supplied: a {what} must be a path that is relative "
        "and normalised: no leading or trailing '/', no '//', '.' or '..'",
        field=field,
    )


@lru_cache(maxsize=4_096)  # a run says the same names again and again
def _is_key(key: str) -> bool:
    if not key or len(key) > KEY_LENGTH or not _KEY.fullmatch(key):
        return False
    return not (key.startswith("..") or key == "." or ("/" in key and not {"", ".", ".."}.isdisjoint(key.split("/"))))


def check_length(value: str, field: str, limit: int) -> str:
    """`value` if it has at most `limit` characters."""
    if len(value) > limit:
        raise TooLarge(
            f"'{field}' exceeds the maximum length of {limit} characters: it has {len(value)}", field=field, limit=limit
        )
    return value


def check_experiment_tag(key: str, value: str) -> None:
    """The key and value of a tag of an experiment: any text within the limits."""
    if not key:
        raise Invalid("Missing value for required parameter 'key'.", field="key")
    check_length(key, "key", KEY_LENGTH)
    check_length(value, "value", EXPERIMENT_TAG_LENGTH)


def check_counts(metrics: int, params: int, tags: int) -> None:
    """How much one log-batch may hold."""
    _check_count(metrics, "metrics", METRICS_PER_BATCH)
    _check_count(params, "params", PARAMS_PER_BATCH)
    _check_count(tags, "tags", TAGS_PER_BATCH)
    _check_count(metrics + params + tags, "metrics, params, and tags", ITEMS_PER_BATCH)


def _check_count(count: int, what: str, limit: int) -> None:
    if count > limit:
        raise TooLarge(
            f"A batch can hold at most {limit} {what}; this one holds {count}. Split it into several requests.",
            field=what,
            limit=limit,
        )


def check_time(time_ms: int, field: str) -> int:
    """`time_ms` (milliseconds) in microseconds, if it is one that can be kept."""
    if time_ms < 0:
        raise Invalid(
            f"Invalid value {time_ms} for parameter '{field}' supplied: a time is 0 or more milliseconds since 1970",
            field=field,
        )
    if time_ms > TIME_MAX_MS:
        raise TooLarge(
            f"Invalid value {time_ms} for parameter '{field}' supplied: the last time kept is {TIME_MAX_MS} ms",
            field=field,
            limit=TIME_MAX_MS,
        )
    return time_ms * 1000


def check_results(value: int, field: str, limit: int) -> int:
    """`value` if it may say how much an answer holds: 1 to `limit`."""
    if value < 1:
        raise Invalid(
            f"Invalid value {value} for parameter '{field}' supplied: it must be a positive integer", field=field
        )
    if value > limit:
        raise TooLarge(
            f"Invalid value {value} for parameter '{field}' supplied: it must be at most {limit}",
            field=field,
            limit=limit,
        )
    return value


def check_run_count(run_ids: Sequence[str], field: str) -> tuple[str, ...]:
    """The runs of a bulk question, each once, in the order given."""
    if not run_ids:
        raise Invalid(f"Missing value for required parameter '{field}': name at least one run.", field=field)
    if len(run_ids) > BULK_RUNS:
        raise TooLarge(
            f"'{field}' can name at most {BULK_RUNS} runs; this request names {len(run_ids)}.",
            field=field,
            limit=BULK_RUNS,
        )
    return tuple(dict.fromkeys(run_ids))
