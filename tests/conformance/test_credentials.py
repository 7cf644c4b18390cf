"""Who may come in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from stepwell.core.access import ANY_WORKSPACE, Credential, Role, hash_secret
from stepwell.core.errors import AlreadyExists, NotFound
from stepwell.core.store import Store
from stores import Shelf


def credential(number: str = "cr_a", secret: str | None = None, **fields: Any) -> Credential:
    secret_hash = hash_secret(number if secret is None else secret)
    return Credential(**{"id": number, "secret_hash": secret_hash, "workspace": "team", "role": Role.WRITER, **fields})


@pytest.mark.parametrize(
    "again", [lambda shelf: shelf.store, lambda shelf: shelf.reopen(), lambda shelf: shelf.revive()]
)
def test_a_credential_is_found_by_id_and_by_secret(shelf: Shelf, again: Callable[[Shelf], Store]):
    one = credential(name="é", created_at=5, expires_at=9)
    other = credential("cr_b", workspace=ANY_WORKSPACE, role=Role.ADMIN, created_at=1)
    for each in (one, other):
        shelf.store.put_credential(credential=each)
    store = again(shelf)
    assert store.get_credential(id="cr_a") == store.get_credential(secret_hash=one.secret_hash) == one
    assert store.get_credential(id="cr_b") == store.get_credential(secret_hash=other.secret_hash) == other
    assert store.get_credential(id="none") is store.get_credential(secret_hash=hash_secret("none")) is None
    assert store.list_credentials() == [other, one]
    assert [workspace.name for workspace in store.list_workspaces()] == ["team"], "made when missing; '*' is none"


def test_ids_and_secrets_are_unique(shelf: Shelf):
    shelf.store.put_credential(credential=credential())
    for taken in (credential(secret="another"), credential("cr_b", secret="cr_a", workspace="other")):
        with pytest.raises(AlreadyExists):
            shelf.store.put_credential(credential=taken)
    assert shelf.store.list_credentials() == [credential()]
    assert [workspace.name for workspace in shelf.store.list_workspaces()] == ["team"]


def test_revoking_twice_keeps_the_first_time(shelf: Shelf):
    shelf.store.put_credential(credential=credential())
    revoked = replace(credential(), revoked_at=7)
    assert shelf.store.revoke_credential(id="cr_a", at=7) == revoked
    assert shelf.reopen().revoke_credential(id="cr_a", at=8) == revoked
    assert shelf.store.get_credential(id="cr_a") == revoked
    assert shelf.store.list_credentials() == [revoked]
    with pytest.raises(NotFound):
        shelf.store.revoke_credential(id="none", at=1)
    with pytest.raises(AlreadyExists):
        shelf.store.put_credential(credential=credential())
