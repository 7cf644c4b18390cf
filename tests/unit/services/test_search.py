"""Searches: times in the unit of the text, cursors, limits."""

from __future__ import annotations

from typing import Any, cast

import pytest

from stepwell.core import limits
from stepwell.core.errors import BadFilter, Invalid, TooLarge
from stepwell.core.filters import Op
from stepwell.core.model import ExperimentQuery, RunQuery
from stepwell.core.page import Page
from stepwell.core.store import Store
from stepwell.services import search


class Asked:
    """A store that keeps what it is asked, and answers with an empty page that claims to have a next one."""

    def __init__(self) -> None:
        self.queries: list[Any] = []

    @property
    def store(self) -> Store:
        return cast("Store", self)

    def search_runs(self, *, workspace: str, query: RunQuery) -> Page[Any]:
        self.queries.append(query)
        return Page(items=[], after=(1, "x", None))

    def search_experiments(self, *, workspace: str, query: ExperimentQuery) -> Page[Any]:
        self.queries.append(query)
        return Page(items=[], after=(1, "x", None))


def test_the_words_of_a_search_become_a_query():
    asked = Asked()
    search.search_runs(
        asked.store,
        workspace="w",
        experiment_ids=[3, 1, 3],
        filter="min(metrics.loss) < 0.5",
        order=["params.lr DESC"],
        limit=7,
        milliseconds=True,
    )
    (query,) = asked.queries
    assert query.experiment_ids == (1, 3)
    assert (query.filter[0].field.aggregate, query.filter[0].op, query.filter[0].value) == ("min", Op.LT, 0.5)
    assert (query.order[0].field.key, query.order[0].descending) == ("lr", True)
    assert (query.limit, query.after) == (7, None)


def test_no_experiments_have_no_runs():
    asked = Asked()
    assert search.search_runs(asked.store, workspace="w", experiment_ids=[], limit=5) == ([], None)
    assert asked.queries == []


def test_a_cursor_leads_on_and_only_in_its_own_search():
    asked = Asked()
    _, cursor = search.search_runs(asked.store, workspace="w", experiment_ids=None, filter="params.a = '1'", limit=5)
    search.search_runs(asked.store, workspace="w", experiment_ids=None, filter="params.a = '1'", limit=9, cursor=cursor)
    assert asked.queries[-1].after == (1, "x", None)
    for other in ({"filter": ""}, {"experiment_ids": [1]}, {"order": ["params.a"]}, {"workspace": "v"}):
        arguments: dict[str, Any] = {"workspace": "w", "experiment_ids": None, "filter": "params.a = '1'", **other}
        with pytest.raises(Invalid, match="another query"):
            search.search_runs(asked.store, limit=5, cursor=cursor, **arguments)
    with pytest.raises(Invalid, match="another query"):
        search.search_experiments(asked.store, workspace="w", limit=5, cursor=cursor)


def test_what_is_too_much_is_named():
    store = Asked().store
    for arguments, kind, field in (
        ({"limit": 0}, Invalid, "limit"),
        ({"limit": limits.RUNS_PER_PAGE + 1}, TooLarge, "limit"),
        ({"limit": 1, "filter": "x" * (search.FILTER_LENGTH + 1)}, TooLarge, "filter"),
        ({"limit": 1, "experiment_ids": range(search.EXPERIMENTS_PER_SEARCH + 1)}, TooLarge, "experiment_ids"),
        ({"limit": 1, "filter": "params.a ="}, BadFilter, "filter"),
        ({"limit": 1, "order": ["nonsense!"]}, BadFilter, "order"),
        ({"limit": 1, "cursor": "%%%"}, Invalid, "cursor"),
    ):
        asked: dict[str, Any] = {"experiment_ids": None, **arguments}
        with pytest.raises(kind) as caught:
            search.search_runs(store, workspace="w", **asked)
        assert caught.value.field == field


def test_experiments_are_searched_the_same_way():
    asked = Asked()
    _, cursor = search.search_experiments(asked.store, workspace="w", filter="name LIKE 'a%'", limit=2)
    search.search_experiments(asked.store, workspace="w", filter="name LIKE 'a%'", limit=2, cursor=cursor)
    assert [query.after for query in asked.queries] == [None, (1, "x", None)]
    with pytest.raises(BadFilter):
        search.search_experiments(asked.store, workspace="w", filter="metrics.a > 1", limit=2)
