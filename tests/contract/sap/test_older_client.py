"""What this client does otherwise than its successor."""

from __future__ import annotations

from collections.abc import Callable

from ai_core_sdk.tracking import Tracking

from contract.sap.test_client import metric, resource


def test_within_an_execution_its_id_wins_over_an_argument(execution: Callable[[str], Tracking]) -> None:
    inside = execution("inside-older")
    inside.log_metrics([metric("m", 1)], "inside-argument")
    assert [m.name for m in resource(inside, "inside-older").metrics] == ["m"]
    inside.delete("inside-older")
