"""One server, one conversation of all clients on it, for every test here."""

from __future__ import annotations

import pytest

from contract.cross.conversation import Conversation, converse
from serving import Server


@pytest.fixture(scope="session")
def conversation(shared_server: Server) -> Conversation:
    """What every client wrote, and how every client sees it: in a warehouse through a second server."""
    if shared_server.store is None:
        return converse(shared_server)
    with Server(shared_server.data_dir.with_name("second"), store=shared_server.store) as second:
        return converse(shared_server, read_from=second)
