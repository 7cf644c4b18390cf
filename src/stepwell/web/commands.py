"""What the command line may ask of a store, whether a server has it open or the command line itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from stepwell.core.access import Credential
from stepwell.core.clock import Clock
from stepwell.core.errors import Invalid
from stepwell.core.store import Store
from stepwell.services import credentials
from stepwell.web.control import Arguments, Item


def run(store: Store, clock: Clock, command: str, arguments: Arguments) -> Iterator[Item]:
    """The items that the command tells, as they come. StepwellError; unknown commands and arguments are Invalid."""
    chosen = _COMMANDS.get(command)
    if chosen is None:
        raise Invalid(f"unknown command {command!r}", field="command")
    return chosen(store, clock, arguments)


def _create(store: Store, clock: Clock, arguments: Arguments) -> Iterator[Item]:
    credential, secret = credentials.create(
        store,
        workspace=_needed(arguments, "workspace"),
        role=_needed(arguments, "role"),
        name=arguments.get("name") or "",
        lifetime=arguments.get("expires"),
        credential_id=arguments.get("id"),
        secret=arguments.get("secret"),
        now=clock(),
    )
    told = _told(credential)
    yield {"id": told.pop("id"), "secret": secret, **told}


def _list(store: Store, _clock: Clock, _arguments: Arguments) -> Iterator[Item]:
    for credential in credentials.list_all(store):
        yield _told(credential)


def _revoke(store: Store, clock: Clock, arguments: Arguments) -> Iterator[Item]:
    yield _told(credentials.revoke(store, credential_id=_needed(arguments, "id"), now=clock()))


def _check(store: Store, _clock: Clock, _arguments: Arguments) -> Iterator[Item]:
    for damage in store.check():
        yield {"place": damage.place, "cost": damage.cost}


def _gc(store: Store, _clock: Clock, _arguments: Arguments) -> Iterator[Item]:
    store.flush()
    store.compact()
    yield {"status": "done"}


_COMMANDS: Final[Mapping[str, Callable[[Store, Clock, Arguments], Iterator[Item]]]] = {
    "credential create": _create,
    "credential list": _list,
    "credential revoke": _revoke,
    "check": _check,
    "gc": _gc,
}


def _needed(arguments: Arguments, name: str) -> str:
    value = arguments.get(name)
    if not isinstance(value, str) or not value:
        raise Invalid(f"{name} is missing", field=name)
    return value


def _told(credential: Credential) -> Item:
    """Everything about it that is no secret."""
    return {
        "id": credential.id,
        "workspace": credential.workspace,
        "role": credential.role.word,
        "name": credential.name,
        "created_at": _time(credential.created_at),
        "expires_at": _time(credential.expires_at),
        "revoked_at": _time(credential.revoked_at),
    }


def _time(at: int | None) -> str | None:
    if at is None:
        return None
    return datetime.fromtimestamp(at / 1e6, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
