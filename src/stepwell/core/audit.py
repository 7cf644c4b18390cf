"""The audit log: what is noted of changes that somebody may have to answer for. Never a secret, never a value.

Noted in the transaction of the change itself: what is in the log has happened, and what has happened is in the log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from stepwell.core.access import ANY_WORKSPACE
from stepwell.core.acting import Actor
from stepwell.core.model import NOTHING
from stepwell.core.series import INT64_MAX, INT64_MIN

EVERYWHERE: Final = ANY_WORKSPACE  # the workspace of what concerns all of them
ACTIONS: Final = (
    "workspace.create",
    "experiment.create",
    "experiment.delete",
    "experiment.restore",
    "experiment.purge",
    "run.delete",
    "run.restore",
    "run.purge",
    "files.delete",
    "credential.create",
    "credential.revoke",
    "alias.put",
    "alias.delete",
    "retention.set",
    "quota.set",
    "points.expire",
    "store.backup",
    "store.repair",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """`number` counts from 1. `subject`: the id of what was changed; `details`: the rest, by name."""

    number: int
    at: int
    action: str
    workspace: str
    subject: str
    details: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    actor: Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditQuery:
    """Entries that fit all that is given, newest first. `action`: one of ACTIONS, or what stands before its dot.
    `since` and `until` are part of the interval. `before`: a number."""

    workspace: str | None = None
    credential_id: str | None = None
    action: str | None = None
    since: int = INT64_MIN
    until: int = INT64_MAX
    before: int = INT64_MAX
    limit: int
