"""What the command line may ask of a store."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from signing import PrivateKey
from stepwell.core.errors import AlreadyExists, Invalid, NotFound, TooLarge
from stepwell.core.model import Copied, Damage
from stepwell.services.sealing import ServerKey, new_key
from stepwell.web.commands import Commands
from stepwell.web.control import Item
from unit.web.asking import CredentialStore

NOW = 1_700_000_000_000_000
KEY = ServerKey(new_key())
DIALECTS = ("native", "other")


def relocated(url: str) -> Iterator[Copied]:
    yield Copied(done=1, total=2, name=url)


def run(store: Any, command: str, **arguments: str | None) -> list[Item]:
    on = Commands(store=store, key=lambda: KEY, clock=lambda: NOW, dialects=lambda: DIALECTS, relocate=relocated)
    return list(on.run(command, arguments))


def test_a_credential_is_created_listed_and_revoked():
    store = CredentialStore()
    [made] = run(store, "credential create", workspace="w", role="writer", name="ci", expires="90d")
    assert str(made["secret"]).startswith("sw_")
    assert len(str(made["secret"])) == 43
    told = {key: value for key, value in made.items() if key != "secret"}
    assert told == {
        "id": made["id"],
        "workspace": "w",
        "role": "writer",
        "name": "ci",
        "signing": True,
        "key_id": None,
        "created_at": "2023-11-14T22:13:20Z",
        "expires_at": "2024-02-12T22:13:20Z",
        "revoked_at": None,
    }
    assert run(store, "credential list") == [told]
    [revoked] = run(store, "credential revoke", id=str(made["id"]))
    assert revoked == {**told, "revoked_at": "2023-11-14T22:13:20Z"}


def test_id_and_secret_may_be_given():
    [made] = run(CredentialStore(), "credential create", workspace="*", role="admin", id="vault-1", secret="s" * 16)
    assert (made["id"], made["secret"], made["workspace"]) == ("vault-1", "s" * 16, "*")


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"workspace": None}, "workspace"),
        ({"workspace": ""}, "workspace"),
        ({"workspace": "lm"}, "workspace"),
        ({"workspace": "a/b"}, "workspace"),
        ({"role": "owner"}, "role"),
        ({"role": ""}, "role"),
        ({"expires": "90"}, "expires"),
        ({"expires": "0d"}, "expires"),
        ({"expires": "-1d"}, "expires"),
        ({"expires": "d"}, "expires"),
        ({"id": "a b"}, "id"),
        ({"id": "x" * 256}, "id"),
        ({"secret": "s" * 15}, "secret"),
        ({"secret": "s" * 256}, "secret"),
        ({"secret": "with a space in it"}, "secret"),
        ({"name": "n" * 256}, "name"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, str | None], field: str):
    store = CredentialStore()
    with pytest.raises(Invalid) as caught:
        run(store, "credential create", **{"workspace": "w", "role": "reader", **arguments})
    assert caught.value.field == field
    assert not store.kept
    assert isinstance(caught.value, TooLarge) == (field == "name")


def test_what_is_taken_or_missing_is_said():
    store = CredentialStore()
    run(store, "credential create", workspace="w", role="reader", id="one")
    with pytest.raises(AlreadyExists):
        run(store, "credential create", workspace="w", role="reader", id="one")
    with pytest.raises(NotFound):
        run(store, "credential revoke", id="two")
    with pytest.raises(Invalid, match="unknown command 'drop'"):
        run(store, "drop")


def test_check_names_damage_and_gc_flushes_and_compacts():
    store = CredentialStore()
    assert run(store, "check") == []
    store.damages.append(Damage(place="block 7", cost="100 points"))
    assert run(store, "check") == [{"place": "block 7", "cost": "100 points"}]
    assert run(store, "gc") == [{"status": "done"}]
    assert store.done == ["flush", "compact"]


def test_a_credential_without_signing_and_one_with_a_key():
    store = CredentialStore()
    [plain] = run(store, "credential create", workspace="w", role="reader", signing="no")
    assert (plain["signing"], plain["key_id"]) == (False, None)
    private = PrivateKey()
    given = {"workspace": "w", "role": "reader", "key_id": private.key_id, "public_key": private.pem}
    [keyed] = run(store, "credential create", **given)
    assert (keyed["signing"], keyed["key_id"]) == (True, private.key_id)
    for wrong in ({"key_id": "a/b"}, {"public_key": "x"}, {"key_id": None}, {"public_key": None}):
        with pytest.raises(Invalid):
            run(store, "credential create", **{**given, **wrong})
    assert len(store.kept) == 2


def test_an_alias_is_made_listed_and_removed():
    store = CredentialStore()
    joined = {"dialect": "other", "id": "0123/ é", "workspace": "w"}
    assert run(store, "workspace alias", **joined) == [joined]
    again = {**joined, "workspace": "v"}
    assert run(store, "workspace alias", **again) == [again]
    assert run(store, "workspace aliases") == [again]
    assert run(store, "workspace unalias", dialect="other", id="0123/ é") == [again]
    with pytest.raises(NotFound):
        run(store, "workspace unalias", dialect="other", id="0123/ é")


@pytest.mark.parametrize(
    ("field", "value"),
    [("dialect", "none"), ("dialect", None), ("id", ""), ("id", "x" * 256), ("id", "a\nb"), ("workspace", "lm")],
)
def test_a_bad_alias_is_named(field: str, value: str | None):
    store = CredentialStore()
    with pytest.raises(Invalid) as caught:
        run(store, "workspace alias", **{"dialect": "other", "id": "x", "workspace": "w", field: value})
    assert caught.value.field == field
    assert not store.aliases


def test_a_move_tells_how_far_it_is():
    assert run(CredentialStore(), "migrate-store", to="somewhere") == [{"done": 1, "total": 2, "name": "somewhere"}]
    with pytest.raises(Invalid, match="to"):
        run(CredentialStore(), "migrate-store")
