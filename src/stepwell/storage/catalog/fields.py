"""Where the values of a search's fields are: for each an SQL expression, and the joins that it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import msgspec

from stepwell.core.filters import EXPERIMENTS, RUNS, Aggregate, Field, Kind, Schema
from stepwell.storage.catalog.live import LiveValues
from stepwell.storage.catalog.sql import Idiom

DATASET_KIND: Final = "dataset_input"  # FORMAT.md, table `record`
# A run may say any int64 as its times: their difference stays within int64, in words that every database knows.
_DURATION: Final = (
    "(CASE WHEN run.start_time < 0 AND run.end_time > 9223372036854775807 + run.start_time THEN 9223372036854775807"
    " WHEN run.start_time > 0 AND run.end_time < -9223372036854775807 - 1 + run.start_time"
    " THEN -9223372036854775807 - 1 ELSE run.end_time - run.start_time END)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The table whose rows are searched. `key` is a row's in its workspace; `attributes` maps names to columns, or to
    what is made of them."""

    name: str
    schema: Schema
    key: str
    tags: str  # the table of its tags, which `tag_link` ties to a row
    tag_link: str
    attributes: Mapping[str, str]
    optional: frozenset[str]  # those of them that may be NULL
    falling: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # indexed columns for a descending order


RUN: Final = Table(
    name="run",
    schema=RUNS,
    key="run.key",
    tags="tag",
    tag_link="{alias}.run_key = run.key",
    attributes={
        "run_id": "run.id",
        "run_name": "run.name",
        "user_id": "run.user",
        "status": "run.status",
        "artifact_uri": "run.artifact_uri",
        "start_time": "run.start_time",
        "end_time": "run.end_time",
        "duration": _DURATION,
    },
    optional=frozenset({"run.start_time", "run.end_time", _DURATION}),
    falling={"run.start_time": ("run.start_rank", "run.start_missing")},
)
EXPERIMENT: Final = Table(
    name="experiment",
    schema=EXPERIMENTS,
    key="experiment.id",
    tags="experiment_tag",
    tag_link="{alias}.workspace_key = experiment.workspace_key AND {alias}.experiment_id = experiment.id",
    attributes={
        "name": "experiment.name",
        "experiment_id": "experiment.id",
        "creation_time": "experiment.created_at",
        "last_update_time": "experiment.updated_at",
    },
    optional=frozenset(),
)


Identity: TypeAlias = tuple[Kind, str]  # of a row that belongs to a run: a metric, param or tag, and its name


class Bindings:
    """Values on their way into a statement: they are always bound, never written into it."""

    def __init__(self, idiom: Idiom) -> None:
        self.idiom = idiom
        self.values: dict[str, Any] = {}

    def add(self, value: Any) -> str:
        """The name by which the statement speaks of a value."""
        name = f"b{len(self.values)}"
        self.values[name] = value
        return f":{name}"


class Fields:
    """The fields of one search, each joined once."""

    def __init__(
        self,
        table: Table,
        bindings: Bindings,
        *,
        metric_ids: Mapping[str, int],
        live: LiveValues | None,
        met: Mapping[Identity, str] | None = None,
    ) -> None:
        """`met`: rows that the statement has met by itself, and what it calls them."""
        self.table = table
        self.ctes: list[str] = []
        self.joins: list[str] = []
        self._bindings = bindings
        self._metric_ids = metric_ids
        self._live = live
        self._aliases: dict[Identity, str] = dict(met or {})
        self._metrics: dict[Field, str] = {}

    def value(self, wanted: Field) -> str:
        """An expression for the field's stored value, NULL when the row lacks it. Not for datasets, which are many."""
        match wanted.kind:
            case Kind.METRIC:
                if wanted not in self._metrics:
                    self._metrics[wanted] = self._metric(wanted)
                return self._metrics[wanted]
            case Kind.PARAM:
                return f"{self._text(Kind.PARAM, 'param', wanted.key, '{alias}.run_key = run.key')}.value"
            case Kind.TAG:
                return f"{self._text(Kind.TAG, self.table.tags, wanted.key, self.table.tag_link)}.value"
            case _:
                return self.table.attributes[wanted.key]

    def _metric(self, wanted: Field) -> str:
        number = self._metric_ids.get(wanted.key)
        stored = "CAST(NULL AS BIGINT)"
        if number is not None:
            alias = self._join(
                (Kind.METRIC, wanted.key), "run_metric", "{alias}.run_key = run.key AND {alias}.metric_id = ", number
            )
            stored = f"{alias}.{wanted.aggregate.value}"
        live = self._live.of(wanted.key, wanted.aggregate) if self._live else {}
        if not live:
            return stored
        alias = f"live{len(self.ctes)}"
        numbers = self._bindings.add(msgspec.json.encode(live).decode())
        self.ctes.append(
            f"{alias} (run_key, value) AS MATERIALIZED"
            f" (SELECT CAST(each.key AS INTEGER), each.value FROM json_each({numbers}) AS each)"
        )
        self.joins.append(f"LEFT JOIN {alias} ON {alias}.run_key = run.key")
        return f"coalesce({alias}.value, {stored})"

    def _text(self, kind: Kind, table: str, name: str, link: str) -> str:
        return self._join((kind, name), table, link + " AND {alias}.name = ", name)

    def _join(self, identity: Identity, table: str, link: str, bound: Any) -> str:
        alias = self._aliases.get(identity)
        if alias is None:
            alias = self._aliases[identity] = f"j{len(self.joins)}"
            self.joins.append(f"LEFT JOIN {table} AS {alias} ON {link.format(alias=alias)}{self._bindings.add(bound)}")
        return alias


def is_count(wanted: Field) -> bool:
    """Whether a metric field is a plain count and not a value key."""
    return wanted.kind is Kind.METRIC and wanted.aggregate is Aggregate.COUNT
