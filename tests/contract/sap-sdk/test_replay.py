"""Requests that the successor of the older client sent, as they were recorded."""

from __future__ import annotations

from pathlib import Path

from contract.sap.test_replay import replay
from serving import Server

CAPTURES = Path(__file__).parent / "captures" / "pairs.jsonl"


def test_the_recorded_conversation(server: Server) -> None:
    replay(server, CAPTURES)
