"""What GET /api/v1/dialects says of every dialect is what its README says, and both are about its routes."""

from __future__ import annotations

import re

import pytest

from stepwell.app import dialects
from stepwell.dialects.native import endpoint_table
from stepwell.dialects.native.endpoint_table import Row, row_of, table_of
from stepwell.dialects.native.routes import describe
from stepwell.web.routing import Dialect, Route

ALL = {each.name: each for each in dialects()}
VENDORS = [each for each in ALL.values() if each.name != "native"]
README = """# A dialect

| not | this |
|---|---|
| `GET /x` | supported |

## Endpoints

Words.

| endpoint | state | quirks |
|---|---|---|
| `GET /x/{id}` | supported | with `care` |
| `GET W/y` | refused (404) | |
| traces, `a` and b | refused (404) | none |

| another | table |
|---|---|
| `GET /z` | supported |

## More

| `GET /z` | supported | |
"""


def route(verb: str, path: str) -> Route:
    return Route(verb, path, None)  # type: ignore[arg-type]


def test_rows():
    found = endpoint_table.rows(README, {"W": "/w/{w}"})
    assert found == [
        Row("GET", "/x/{id}", "GET /x/{id}", "supported", "with care"),
        Row("GET", "/w/{w}/y", "GET W/y", "refused (404)", ""),
        Row("", "", "traces, a and b", "refused (404)", "none"),
    ]
    assert row_of(route("GET", "/base/x/{id}"), found) == found[0]
    assert row_of(route("GET", "/base/w/{w}/y"), found) == found[1]
    assert row_of(route("POST", "/base/x/{id}"), found) is None
    assert row_of(route("GET", "/base/y"), found) is None


def test_the_longer_row_is_the_one():
    found = endpoint_table.rows(README.replace("| `GET W/y` |", "| `GET /b/x/{id}` |"), {})
    assert row_of(route("GET", "/a/b/x/{id}"), found) == found[1]
    assert row_of(route("GET", "/a/c/x/{id}"), found) == found[0]


@pytest.mark.parametrize("dialect", VENDORS, ids=lambda dialect: dialect.name)
def test_every_route_has_a_row_and_every_row_a_route(dialect: Dialect):
    table = table_of(dialect)
    about = {route: row_of(route, table) for route in dialect.routes}
    assert [f"{route.verb} {route.path}" for route, row in about.items() if row is None] == []
    assert [row.what for row in table if row.verb and row not in about.values()] == []
    assert all(row.state for row in table)
    assert len([row for row in table if row.verb]) == len({row.what for row in table if row.verb})


@pytest.mark.parametrize("dialect", VENDORS, ids=lambda dialect: dialect.name)
def test_a_state_begins_with_what_it_is(dialect: Dialect):
    for row in table_of(dialect):
        assert re.match(r"supported|refused \((400|404)\)|answers none", row.state), row
    assert any(row.state.startswith("refused") for row in table_of(dialect)), "what a vendor has and we have not"


def test_the_answer_says_what_the_readmes_say():
    told = {each["name"]: each for each in describe(list(ALL.values()))["dialects"]}
    assert told.keys() == ALL.keys()
    for name, each in told.items():
        assert [(one["verb"], one["path"]) for one in each["endpoints"]] == [
            (route.verb, route.path) for route in ALL[name].routes
        ]
        assert all(one["state"] for one in each["endpoints"])
    (delete,) = [one for one in told["sap"]["endpoints"] if (one["verb"], one["path"]) == ("DELETE", "/v2/lm/metrics")]
    assert delete["quirks"].startswith("removes the execution for good")
    (refused,) = told["sap"]["refused"]
    assert refused["state"] == "refused (404)"
    assert "/api/v1/dialects" in {one["path"] for one in told["native"]["endpoints"]}
    assert told["native"]["refused"] == []
