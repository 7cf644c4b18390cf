"""The rules for names, texts and columns that hold for every writer. A dialect may be narrower, never wider."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from stepwell.core import limits
from stepwell.core.errors import Invalid, TooLarge
from stepwell.core.ids import check_run_id
from stepwell.core.model import NewRun, PointBatch
from stepwell.core.series import Labels


def check_text(text: str, *, field: str, limit: int) -> None:
    """Raise TooLarge above `limit` characters, Invalid for what is not text (NUL, half a surrogate pair)."""
    if len(text) > limit:
        raise TooLarge(f"{field} has {len(text)} characters; the limit is {limit}", field=field, limit=limit)
    if "\0" in text or not (text.isascii() or _encodable(text)):
        raise Invalid(f"{field} contains a character that is not text (NUL or half of a surrogate pair)", field=field)


def check_name(name: str, *, field: str, limit: int = limits.NAME_LENGTH) -> None:
    """As `check_text`, and Invalid when empty."""
    if not name:
        raise Invalid(f"{field} is empty", field=field)
    check_text(name, field=field, limit=limit)


def check_pairs(pairs: Mapping[str, str], *, field: str, value_limit: int) -> None:
    """The names and values of params or tags."""
    for name, value in pairs.items():
        check_name(name, field=field)
        check_text(value, field=f"{field}.{name}", limit=value_limit)


def check_labels(labels: Labels, *, metric: str) -> None:
    """At most LABELS_PER_SERIES pairs, sorted by name, each name once."""
    field = f"labels of {metric}"
    if len(labels) > limits.LABELS_PER_SERIES:
        raise TooLarge(
            f"{field}: {len(labels)} labels; the limit is {limits.LABELS_PER_SERIES}",
            field="labels",
            limit=limits.LABELS_PER_SERIES,
        )
    for name, value in labels:
        check_name(name, field="labels")
        check_text(value, field=f"labels.{name}", limit=limits.NAME_LENGTH)
    names = [name for name, _ in labels]
    if names != sorted(set(names)):
        raise Invalid(f"{field}: each label once, sorted by name", field="labels")


def check_new_run(new: NewRun) -> None:
    """A run to make."""
    check_run_id(new.id)
    check_name(new.name, field="name", limit=limits.RUN_NAME_LENGTH)
    check_text(new.user, field="user", limit=limits.NAME_LENGTH)
    check_text(new.artifact_uri, field="artifact_uri", limit=limits.TAG_VALUE_LENGTH)
    check_pairs(new.params, field="params", value_limit=limits.PARAM_VALUE_LENGTH)
    check_pairs(new.tags, field="tags", value_limit=limits.TAG_VALUE_LENGTH)


def check_points(points: PointBatch) -> None:
    """Names and sizes of a batch. Every int64 step and time and every float64 value is good, NaN and infinities too."""
    check_count(len(points), field="points", limit=limits.POINTS_PER_WRITE)
    for metric, labels in points.series:
        check_name(metric, field="metric")
        if labels:
            check_labels(labels, metric=metric)


def check_count(count: int, *, field: str, limit: int) -> None:
    """Raise TooLarge when there are more than `limit` of something."""
    if count > limit:
        raise TooLarge(f"{field}: {count} in one request; the limit is {limit}", field=field, limit=limit)


def check_limit(value: int, *, field: str, limit: int) -> None:
    """A page size, budget or the like: 1 to `limit`."""
    if value < 1:
        raise Invalid(f"{field} is {value}; it must be 1 or more", field=field)
    if value > limit:
        raise TooLarge(f"{field} is {value}; the limit is {limit}", field=field, limit=limit)


def check_names(names: Iterable[str], *, field: str) -> None:
    """Names asked for or to be removed."""
    for name in names:
        check_name(name, field=field)


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
