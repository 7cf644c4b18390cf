"""What a handler gets to know of its request beside the message. No HTTP here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stepwell.core.access import Principal
from stepwell.core.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request: where to look, when it is, who asks, in which workspace, and what the path said."""

    store: Store
    now: int
    principal: Principal
    workspace: str
    params: Mapping[str, str]
