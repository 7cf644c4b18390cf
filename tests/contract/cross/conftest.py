"""One server, one conversation of all clients on it, for every test here."""

from __future__ import annotations

import pytest

from contract.cross.conversation import Conversation, converse
from serving import Server


@pytest.fixture(scope="session")
def conversation(shared_server: Server) -> Conversation:
    """What every client wrote, and how every client sees it."""
    return converse(shared_server)
