"""What is being written now is told to those whose it is."""

from __future__ import annotations

from typing import Any

import pytest

from stepwell.core.access import Principal, Role
from stepwell.core.model import Writing
from stepwell.dialects.native import access, wire
from stepwell.dialects.native.asking import Ask

WRITING = [
    Writing(workspace=name, run_id=f"run of {name}", name="n", points=1, series=1) for name in ("ours", "theirs")
]


class Store:
    """As much of a store as is asked."""

    def writing(self, *, workspace: str = "*", limit: int) -> list[Writing]:
        return [each for each in WRITING if workspace in ("*", each.workspace)][:limit]

    def healthy(self) -> str:
        return ""


@pytest.mark.parametrize(("workspace", "seen"), [("ours", ["ours"]), ("other", []), ("*", ["ours", "theirs"])])
def test_activity_of_other_workspaces_is_not_told(workspace: str, seen: list[str]) -> None:
    asking = Principal(credential_id="c", workspace=workspace, role=Role.ADMIN)
    store: Any = Store()
    found = access.get_activity(
        Ask(store=store, now=0, principal=asking, workspace="ours", params={}), wire.ActivityQuery()
    )
    assert [each["workspace"] for each in found["writing"]] == seen
