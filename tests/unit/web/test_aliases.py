"""What dialects call workspaces: known without waiting, and new within a second."""

from __future__ import annotations

from typing import Any

from stepwell.core.access import WorkspaceAlias
from stepwell.services import credentials
from stepwell.web.call import Call
from stepwell.web.response import Response, json_response
from stepwell.web.routing import Route
from unit.web.asking import Asking


async def where(call: Call) -> Response:
    return json_response(call.workspace)


def named(call: Call) -> str:
    return call.workspace_named(call.header("x-project") or "none")


def asking(*, required: bool = False) -> Asking:
    return Asking([Route("GET", "/t/where", where)], workspace=named, required=required)


def alias(asked: Asking, id_: str, workspace: str, dialect: str = "tested") -> None:
    asked.store.put_workspace_alias(alias=WorkspaceAlias(dialect=dialect, id=id_, workspace=workspace))


def ask(asked: Asking, id_: str, **headers: str) -> Any:
    return asked.ask("GET", "/t/where", headers={"x-project": id_, **headers})


def test_an_id_means_the_workspace_that_it_is_joined_to():
    asked = asking()
    alias(asked, "0123", "team")
    alias(asked, "0124", "other", dialect="another")
    assert ask(asked, "0123").json == "team"
    assert ask(asked, "0124").json == "0124"
    assert ask(asked, "team").json == "team"


def test_a_new_alias_holds_and_an_old_one_ends_within_a_second():
    asked = asking()
    assert ask(asked, "0123").json == "0123"
    alias(asked, "0123", "team")
    asked.monotonic += 0.99
    assert ask(asked, "0123").json == "team"
    alias(asked, "0123", "other")
    asked.store.delete_workspace_alias(dialect="tested", id="0123")
    asked.monotonic += 0.99
    assert ask(asked, "0123").json == "0123"


def test_aliases_are_not_read_for_every_request():
    asked = asking()
    ask(asked, "0123")
    asked.store.list_workspace_aliases = None  # type: ignore[method-assign,assignment]
    asked.monotonic += 0.49
    assert ask(asked, "0123").json == "0123"


def test_an_alias_gives_no_rights():
    asked = asking(required=True)
    store: Any = asked.store
    _, secret = credentials.create(store, asked.key, workspace="mine", role="admin", now=asked.now)
    alias(asked, "0123", "theirs")
    alias(asked, "0124", "mine")
    bearer = {"authorization": f"Bearer {secret}"}
    refused = ask(asked, "0123", **bearer)
    assert refused.status == 403
    assert "'0123'" in str(refused.json)
    assert "theirs" not in str(refused.json), "what it means is told to those alone who may go there"
    assert ask(asked, "mine", **bearer).json == ask(asked, "0124", **bearer).json == "mine"
