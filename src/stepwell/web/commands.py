"""What the command line may ask of a store, whether a server has it open or the command line itself."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stepwell.core.access import ANY_WORKSPACE, Credential, WorkspaceAlias
from stepwell.core.audit import AuditEntry
from stepwell.core.bounds import QUOTAS, RETENTION, in_force
from stepwell.core.clock import Clock, utc_text
from stepwell.core.errors import Invalid, NotFound
from stepwell.core.model import Copied
from stepwell.core.series import INT64_MIN
from stepwell.core.store import Store
from stepwell.services import aliases, audit, bounds, credentials, retention
from stepwell.services.sealing import ServerKey
from stepwell.web.control import Arguments, Item


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """The commands over one store. `key` gives the server's key, which most do not need; `dialects` tells the names of
    those that the server speaks; `relocate` moves the store to where a URL says."""

    store: Store
    key: Callable[[], ServerKey]
    clock: Clock
    dialects: Callable[[], Collection[str]]
    relocate: Callable[[str], Iterator[Copied]]

    def run(self, command: str, arguments: Arguments) -> Iterator[Item]:
        """The items that a command tells, as they come. StepwellError; unknown commands and arguments are Invalid."""
        chosen = _COMMANDS.get(command)
        if chosen is None:
            raise Invalid(f"unknown command {command!r}", field="command")
        return chosen(self, arguments)


def _create(on: Commands, arguments: Arguments) -> Iterator[Item]:
    credential, secret = credentials.create(
        on.store,
        on.key(),
        workspace=_needed(arguments, "workspace"),
        role=_needed(arguments, "role"),
        name=arguments.get("name") or "",
        lifetime=arguments.get("expires"),
        credential_id=arguments.get("id"),
        secret=arguments.get("secret"),
        signing=arguments.get("signing") != "no",
        key_id=arguments.get("key_id"),
        public_key=arguments.get("public_key"),
        now=on.clock(),
    )
    told = _told(credential)
    yield {"id": told.pop("id"), "secret": secret, **told}


def _list(on: Commands, _arguments: Arguments) -> Iterator[Item]:
    for credential in credentials.list_all(on.store):
        yield _told(credential)


def _revoke(on: Commands, arguments: Arguments) -> Iterator[Item]:
    yield _told(credentials.revoke(on.store, credential_id=_needed(arguments, "id"), now=on.clock()))


def _alias(on: Commands, arguments: Arguments) -> Iterator[Item]:
    alias = aliases.put(
        on.store,
        dialect=_dialect(on, arguments),
        alias_id=_needed(arguments, "id"),
        workspace=_needed(arguments, "workspace"),
    )
    yield _told_alias(alias)


def _aliases(on: Commands, _arguments: Arguments) -> Iterator[Item]:
    for alias in aliases.list_all(on.store):
        yield _told_alias(alias)


def _unalias(on: Commands, arguments: Arguments) -> Iterator[Item]:
    alias_id = _needed(arguments, "id")
    yield _told_alias(aliases.remove(on.store, dialect=_needed(arguments, "dialect"), alias_id=alias_id))


def _check(on: Commands, _arguments: Arguments) -> Iterator[Item]:
    for damage in on.store.check():
        yield {"place": damage.place, "cost": damage.cost}


def _gc(on: Commands, _arguments: Arguments) -> Iterator[Item]:
    on.store.flush()
    on.store.compact()
    yield {"status": "done"}


def _backup(on: Commands, arguments: Arguments) -> Iterator[Item]:
    target = Path(_needed(arguments, "target"))
    for copied in on.store.backup(target=target, credentials=arguments.get("credentials") == "yes"):
        yield told_copied(copied)


def _relocate(on: Commands, arguments: Arguments) -> Iterator[Item]:
    for copied in on.relocate(_needed(arguments, "to")):
        yield told_copied(copied)


def _audit(on: Commands, arguments: Arguments) -> Iterator[Item]:
    since = arguments.get("since")
    left = _number(arguments, "limit")
    cursor: str | None = None
    while left > 0:
        found, cursor = audit.read(
            on.store,
            allowed=ANY_WORKSPACE,
            workspace=arguments.get("workspace"),
            credential_id=arguments.get("credential"),
            action=arguments.get("action"),
            since=INT64_MIN if since is None else on.clock() - credentials.microseconds(since, field="since"),
            limit=min(left, audit.ENTRIES_PER_PAGE),
            cursor=cursor,
        )
        for entry in found:
            yield _told_entry(entry)
        left -= len(found)
        if cursor is None:
            return


def _retention(on: Commands, _arguments: Arguments) -> Iterator[Item]:
    for each in bounds.listing(on.store, RETENTION, allowed=ANY_WORKSPACE):
        yield _told_bounds(each, RETENTION)


def _set_retention(on: Commands, arguments: Arguments) -> Iterator[Item]:
    yield _told_bounds(_put_bounds(on, arguments, RETENTION), RETENTION)


def _apply_retention(on: Commands, arguments: Arguments) -> Iterator[Item]:
    for each in retention.apply(on.store, now=on.clock(), dry=arguments.get("dry") == "yes"):
        yield {
            "workspace": each.workspace,
            "experiment_id": each.experiment_id,
            "experiment": each.experiment,
            "runs": list(each.runs),
            "points": each.points,
            "series": each.series,
        }


def _quotas(on: Commands, _arguments: Arguments) -> Iterator[Item]:
    for each in bounds.listing(on.store, QUOTAS, allowed=ANY_WORKSPACE):
        yield _told_bounds(each, QUOTAS)


def _set_quota(on: Commands, arguments: Arguments) -> Iterator[Item]:
    yield _told_bounds(_put_bounds(on, arguments, QUOTAS), QUOTAS)


def _usage(on: Commands, arguments: Arguments) -> Iterator[Item]:
    asked = arguments.get("workspace")
    known = on.store.list_workspaces()
    if asked is not None and asked not in {each.name for each in known}:
        raise NotFound(f"there is no workspace {asked!r}", field="workspace")
    for each in known:
        if asked in (None, each.name):
            found = on.store.usage(workspace=each.name)
            used = {"points": found.points, "series": found.series, "runs": found.runs, "file_bytes": found.file_bytes}
            limits = in_force(on.store.list_bounds(), workspace=each.name, everywhere=ANY_WORKSPACE)
            yield {"workspace": each.name, "used": used, "quota": {name: limits.get(name) for name in QUOTAS}}


def _put_bounds(on: Commands, arguments: Arguments, names: Collection[str]) -> bounds.Bounds:
    experiment = arguments.get("experiment")
    return bounds.put(
        on.store,
        allowed=ANY_WORKSPACE,
        workspace=_needed(arguments, "workspace"),
        experiment_id=None if experiment is None else _whole(experiment, "experiment"),
        values={name: _bound(text, name) for name in names if (text := arguments.get(name)) is not None},
    )


def _bound(text: str, name: str) -> int | None:
    return None if text == "none" else _whole(text, name)


def _whole(text: object, name: str) -> int:
    if not (isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= 18):
        raise Invalid(f"{name} must be a whole number, not {text!r}", field=name)
    return int(text)


def _told_bounds(found: bounds.Bounds, names: Collection[str]) -> Item:
    values = {name: found.values.get(name) for name in names}
    place = {"workspace": found.workspace}
    return {**place, **({"experiment_id": found.experiment_id} if "points_days" in names else {}), **values}


_COMMANDS: Final[Mapping[str, Callable[[Commands, Arguments], Iterator[Item]]]] = {
    "credential create": _create,
    "credential list": _list,
    "credential revoke": _revoke,
    "workspace alias": _alias,
    "workspace aliases": _aliases,
    "workspace unalias": _unalias,
    "check": _check,
    "gc": _gc,
    "backup": _backup,
    "audit": _audit,
    "retention list": _retention,
    "retention set": _set_retention,
    "retention apply": _apply_retention,
    "quota list": _quotas,
    "quota set": _set_quota,
    "quota usage": _usage,
    "migrate-store": _relocate,
}


def _dialect(on: Commands, arguments: Arguments) -> str:
    dialect = _needed(arguments, "dialect")
    known = on.dialects()
    if dialect not in known:
        raise Invalid(f"there is no dialect {dialect!r}, only {', '.join(sorted(known))}", field="dialect")
    return dialect


def _needed(arguments: Arguments, name: str) -> str:
    value = arguments.get(name)
    if not isinstance(value, str) or not value:
        raise Invalid(f"{name} is missing", field=name)
    return value


def _number(arguments: Arguments, name: str) -> int:
    value = _needed(arguments, name)
    if not (value.isascii() and value.isdigit() and 0 < len(value) < 10 and int(value)):
        raise Invalid(f"{name} must be a number from 1 to 999999999, not {value!r}", field=name)
    return int(value)


def told_copied(copied: Copied) -> Item:
    """How far a copy is, in bytes."""
    return {"done": copied.done, "total": copied.total, "name": copied.name}


def _told(credential: Credential) -> Item:
    """Everything about it that is no secret."""
    return {
        "id": credential.id,
        "workspace": credential.workspace,
        "role": credential.role.word,
        "name": credential.name,
        "signing": credential.sealed_secret is not None,
        "key_id": credential.key_id,
        "created_at": _time(credential.created_at),
        "expires_at": _time(credential.expires_at),
        "revoked_at": _time(credential.revoked_at),
    }


def _told_entry(entry: AuditEntry) -> Item:
    return {
        "number": entry.number,
        "at": utc_text(entry.at),
        "action": entry.action,
        "workspace": entry.workspace,
        "subject": entry.subject,
        "details": dict(entry.details),
        "via": entry.actor.via,
        "credential": entry.actor.credential_id or None,
        "address": entry.actor.address or None,
        "request_id": entry.actor.request_id or None,
    }


def _told_alias(alias: WorkspaceAlias) -> Item:
    return {"dialect": alias.dialect, "id": alias.id, "workspace": alias.workspace}


def _time(at: int | None) -> str | None:
    return None if at is None else utc_text(at)
