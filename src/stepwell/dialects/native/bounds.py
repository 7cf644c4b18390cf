"""Retention and quotas of workspaces: what admins set, and what that leads to. What a bound means, services say."""

from __future__ import annotations

from itertools import islice
from typing import Final

from stepwell.core.access import ANY_WORKSPACE
from stepwell.core.bounds import QUOTAS, RETENTION, in_force
from stepwell.core.errors import Forbidden
from stepwell.dialects.native import wire
from stepwell.dialects.native.asking import Ask
from stepwell.dialects.native.columns import Table
from stepwell.services import bounds, retention

_EXPERIMENTS: Final = 1_000  # of a preview
_RUNS: Final = 100  # named in it, of each experiment


def list_retention(ask: Ask, _: wire.Nothing) -> Table:
    """How long points and deleted runs are kept, where that was set; the rules of `*` hold where no other does."""
    return {"rules": [_told(each) for each in bounds.listing(ask.store, RETENTION, allowed=ask.principal.workspace)]}


def set_retention(ask: Ask, rule: wire.NewRetention) -> Table:
    """Say how long points and deleted runs of a workspace or experiment are kept. Null: as a wider rule says."""
    made = bounds.put(
        ask.store,
        allowed=ask.principal.workspace,
        workspace=ask.workspace if rule.workspace is None else rule.workspace,
        experiment_id=rule.experiment_id,
        values={name: getattr(rule, name) for name in RETENTION},
    )
    return _told(made)


def preview_retention(ask: Ask, _: wire.Nothing) -> Table:
    """What would go if the rules were applied now; nothing does."""
    found = retention.apply(ask.store, now=ask.now, allowed=ask.principal.workspace, dry=True)
    return {
        "expiring": [
            {
                "workspace": each.workspace,
                "experiment_id": each.experiment_id,
                "run_count": len(each.runs),
                "run_ids": each.runs[:_RUNS],
                "points": each.points,
                "series": each.series,
            }
            for each in islice(found, _EXPERIMENTS)
        ]
    }


def list_quotas(ask: Ask, _: wire.Nothing) -> Table:
    """How much workspaces may hold and ask, where that was set; those of `*` hold where no other does."""
    found = bounds.listing(ask.store, QUOTAS, allowed=ask.principal.workspace)
    return {"quotas": [_told_quota(each) for each in found]}


def set_quota(ask: Ask, quota: wire.NewQuota) -> Table:
    """Say how much a workspace may hold and ask. Null: as the quota of `*` says."""
    workspace = ask.workspace if quota.workspace is None else quota.workspace
    values = {name: getattr(quota, name) for name in QUOTAS}
    if ask.principal.workspace != ANY_WORKSPACE and values != _quota_of(ask, workspace):
        raise Forbidden("quotas are changed by an admin of all workspaces: they bound what those of one may do")
    return _told_quota(bounds.put(ask.store, allowed=ask.principal.workspace, workspace=workspace, values=values))


def get_usage(ask: Ask, query: wire.UsageQuery) -> Table:
    """What the workspace has, and what it may have (null: any number)."""
    workspace = ask.workspace if query.workspace is None else query.workspace
    if ask.principal.workspace not in (ANY_WORKSPACE, workspace):
        raise Forbidden(f"this credential is not for workspace {workspace!r}")
    found = ask.store.usage(workspace=workspace)
    limits = in_force(ask.store.list_bounds(), workspace=workspace, everywhere=ANY_WORKSPACE)
    used = {"points": found.points, "series": found.series, "runs": found.runs, "file_bytes": found.file_bytes}
    return {"workspace": workspace, "used": used, "quota": {name: limits.get(name) for name in QUOTAS}}


def _quota_of(ask: Ask, workspace: str) -> dict[str, int | None]:
    known = {each.name: each.value for each in ask.store.list_bounds() if each.workspace == workspace}
    return {name: known.get(name) for name in QUOTAS}


def _told_quota(found: bounds.Bounds) -> Table:
    return {"workspace": found.workspace, **{name: found.values.get(name) for name in QUOTAS}}


def _told(found: bounds.Bounds) -> Table:
    values = {name: found.values.get(name) for name in RETENTION}
    return {"workspace": found.workspace, "experiment_id": found.experiment_id, **values}
