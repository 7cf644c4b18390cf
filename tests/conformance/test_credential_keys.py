"""What requests signed by a credential are checked with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from stepwell.core.access import Credential, Role, hash_secret
from stepwell.core.errors import AlreadyExists
from stepwell.core.store import Store
from stores import Shelf


def credential(number: str, **fields: Any) -> Credential:
    return Credential(
        **{"id": number, "secret_hash": hash_secret(number), "workspace": "team", "role": Role.WRITER, **fields}
    )


@pytest.mark.parametrize(
    "again", [lambda shelf: shelf.store, lambda shelf: shelf.reopen(), lambda shelf: shelf.revive()]
)
def test_sealed_secrets_and_public_keys_come_back(shelf: Shelf, again: Callable[[Shelf], Store]):
    plain = credential("cr_a")
    sealed = credential("cr_b", sealed_secret=b"\x01\x00\xff", created_at=1)
    keyed = credential("cr_c", key_id="t/u/f", public_key=b"\x30\x00", created_at=2)
    both = credential("cr_d", sealed_secret=b"", key_id="t/u/g", public_key=b"\x30", created_at=3)
    for each in (plain, sealed, keyed, both):
        shelf.store.put_credential(credential=each)
    store = again(shelf)
    assert store.list_credentials() == [plain, sealed, keyed, both]
    for each in (plain, sealed, keyed, both):
        assert store.get_credential(id=each.id) == store.get_credential(secret_hash=each.secret_hash) == each
    assert store.get_credential(key_id="t/u/f") == keyed
    assert store.get_credential(key_id="t/u/g") == both
    assert store.get_credential(key_id="t/u/h") is None
    assert store.get_credential() is None


def test_a_revoked_one_keeps_its_keys(shelf: Shelf):
    keyed = credential("cr_a", sealed_secret=b"s", key_id="t/u/f", public_key=b"k")
    shelf.store.put_credential(credential=keyed)
    assert shelf.store.revoke_credential(id="cr_a", at=7) == replace(keyed, revoked_at=7)
    assert shelf.store.get_credential(key_id="t/u/f") == replace(keyed, revoked_at=7)


def test_key_ids_are_unique(shelf: Shelf):
    shelf.store.put_credential(credential=credential("cr_a", key_id="t/u/f", public_key=b"1"))
    with pytest.raises(AlreadyExists) as caught:
        shelf.store.put_credential(credential=credential("cr_b", key_id="t/u/f", public_key=b"2", workspace="other"))
    assert caught.value.field == "key_id"
    assert [each.id for each in shelf.store.list_credentials()] == ["cr_a"]
    assert [workspace.name for workspace in shelf.store.list_workspaces()] == ["team"]
