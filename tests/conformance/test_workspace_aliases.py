"""What dialects call workspaces."""

from __future__ import annotations

import pytest

from stepwell.core.access import WorkspaceAlias
from stepwell.core.errors import NotFound
from stores import Shelf


def alias(dialect: str, id_: str, workspace: str) -> WorkspaceAlias:
    return WorkspaceAlias(dialect=dialect, id=id_, workspace=workspace)


def test_aliases_are_kept_in_order_and_replaced(shelf: Shelf):
    assert shelf.store.list_workspace_aliases() == []
    for each in (alias("b", "x", "w"), alias("a", "é/ 1", "w"), alias("a", "Z", "v"), alias("b", "x", "u")):
        shelf.store.put_workspace_alias(alias=each)
    expected = [alias("a", "Z", "v"), alias("a", "é/ 1", "w"), alias("b", "x", "u")]
    assert shelf.store.list_workspace_aliases() == expected
    assert shelf.reopen().list_workspace_aliases() == expected
    assert shelf.revive().list_workspace_aliases() == expected
    assert shelf.store.list_workspaces() == [], "an alias makes no workspace"


def test_an_alias_is_removed_in_its_dialect_alone(shelf: Shelf):
    for dialect in ("a", "b"):
        shelf.store.put_workspace_alias(alias=alias(dialect, "x", "w"))
    assert shelf.store.delete_workspace_alias(dialect="a", id="x") == alias("a", "x", "w")
    assert shelf.store.list_workspace_aliases() == [alias("b", "x", "w")]
    with pytest.raises(NotFound) as caught:
        shelf.store.delete_workspace_alias(dialect="a", id="x")
    assert caught.value.field == "id"
