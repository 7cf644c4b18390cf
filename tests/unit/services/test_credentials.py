"""Finding who a secret, token or signature belongs to, and what is told to whoever has none."""

from __future__ import annotations

from typing import Any

import pytest

from signing import PrivateKey
from stepwell.core.access import Credential, Principal, Role, hash_secret
from stepwell.core.errors import AlreadyExists, Invalid, Unauthenticated
from stepwell.core.series import INT64_MAX
from stepwell.services import credentials, tokens
from stepwell.services.sealing import ServerKey, new_key
from unit.web.asking import CredentialStore

NOW = 1_700_000_000_000_000
KEY = ServerKey(new_key())
PRIVATE = PrivateKey()


@pytest.fixture
def store() -> Any:
    return CredentialStore()


def create(store: Any, **more: Any) -> tuple[Credential, str]:
    return credentials.create(store, KEY, **{"workspace": "w", "role": "writer", "now": NOW, **more})


def refusal(ask: Any, *args: Any, **more: Any) -> str:
    with pytest.raises(Unauthenticated) as caught:
        ask(*args, **more)
    return caught.value.message


def test_a_secret_is_stored_hashed_and_sealed_and_nowhere_else(store: Any):
    credential, secret = create(store)
    assert store.kept[credential.id] == credential
    assert credential.secret_hash == hash_secret(secret)
    assert secret not in repr(credential)
    assert credential.sealed_secret is not None
    assert KEY.unseal(credential.sealed_secret, owner=credential.id) == secret
    assert credentials.signatory(store, KEY, credential_id=credential.id).secret == secret.encode()


def test_without_signing_only_the_hash_is_kept(store: Any):
    credential, secret = create(store, signing=False)
    assert credential.sealed_secret is None
    assert "--no-signing" in refusal(credentials.signatory, store, KEY, credential_id=credential.id)
    assert credentials.identify(store, KEY, secret=secret, now=NOW).credential_id == credential.id


def test_a_key_is_found_by_its_name(store: Any):
    credential, _ = create(store, key_id=PRIVATE.key_id, public_key=PRIVATE.pem)
    found = credentials.signatory(store, KEY, key_id=PRIVATE.key_id)
    assert (found.credential, found.public_key, found.secret) == (credential, credential.public_key, b"")
    assert "key id is unknown" in refusal(credentials.signatory, store, KEY, key_id="a/b/c")


@pytest.mark.parametrize("given", [{"key_id": PRIVATE.key_id}, {"public_key": PRIVATE.pem}])
def test_key_id_and_key_come_together(store: Any, given: dict[str, str]):
    with pytest.raises(Invalid, match="come together"):
        create(store, **given)
    assert not store.kept


def test_a_secret_encrypted_under_another_key_is_told_so(store: Any):
    credential, secret = create(store)
    other = ServerKey(new_key())
    assert "another server key" in refusal(credentials.signatory, store, other, credential_id=credential.id)
    assert credentials.identify(store, other, secret=secret, now=NOW).credential_id == credential.id


def test_unknown_access_keys_are_refused_without_repeating_them(store: Any):
    assert (
        refusal(credentials.signatory, store, KEY, credential_id="sw_secret") == "the signature's access key is unknown"
    )


def test_a_token_is_its_credential(store: Any):
    credential, secret = create(store)
    issued = credentials.exchange(store, KEY, credential_id=credential.id, secret=secret, now=NOW)
    assert issued.seconds == 43_199
    expected = Principal(credential_id=credential.id, workspace="w", role=Role.WRITER)
    assert credentials.identify(store, KEY, secret=issued.token, now=NOW) == expected
    assert "unknown" in refusal(
        credentials.identify, store, KEY, credential_id=credential.id, secret=issued.token, now=NOW
    )
    later = NOW + 43_199 * 10**6
    assert "the token expired at 2023-11-15T10:13:19Z" in refusal(
        credentials.identify, store, KEY, secret=issued.token, now=later
    )


def test_a_token_ends_with_its_credential(store: Any):
    credential, secret = create(store, lifetime="1h")
    issued = credentials.exchange(store, KEY, credential_id=credential.id, secret=secret, now=NOW + 500_000)
    assert issued.seconds == 3600
    store.revoke_credential(id=credential.id, at=NOW)
    assert "revoked at 2023-11-14T22:13:20Z" in refusal(credentials.identify, store, KEY, secret=issued.token, now=NOW)
    store.kept.clear()
    assert "unknown" in refusal(credentials.identify, store, KEY, secret=issued.token, now=NOW)


def test_a_credential_ends_before_the_calendar_does(store: Any):
    credential, _ = create(store, lifetime="416000w")
    assert "expired at 9996" in credential.why_invalid(INT64_MAX)
    with pytest.raises(Invalid, match="'417000w' is later than the year 9999") as caught:
        create(store, lifetime="417000w")
    assert caught.value.field == "expires"


def test_a_token_of_nobody_proves_nothing(store: Any):
    token = tokens.issue(KEY, credential_id=tokens.NOBODY, now=NOW)
    assert "wanted no credentials" in refusal(credentials.identify, store, KEY, secret=token, now=NOW)


@pytest.mark.parametrize("id_", [None, "own"])
def test_only_whoever_has_the_secret_learns_why_it_no_longer_holds(store: Any, id_: str | None):
    create(store, credential_id="own", secret="s" * 16, lifetime="1d")
    late = NOW + 86_400 * 10**6
    given: dict[str, Any] = {"credential_id": id_, "now": late}
    assert "expired at 2023-11-15T22:13:20Z" in refusal(credentials.identify, store, KEY, secret="s" * 16, **given)
    assert "unknown or its secret" in refusal(credentials.identify, store, KEY, secret="t" * 16, **given)
    assert "unknown or its secret" in refusal(
        credentials.exchange, store, KEY, credential_id="own", secret="", now=late
    )
    assert "expired" in refusal(credentials.exchange, store, KEY, credential_id="own", secret="s" * 16, now=late)


def test_a_given_secret_that_looks_like_a_token_is_a_secret(store: Any):
    secret = tokens.issue(ServerKey(new_key()), credential_id="x", now=NOW)
    credential, _ = create(store, secret=secret)
    assert credentials.identify(store, KEY, secret=secret, now=NOW).credential_id == credential.id


def test_an_id_that_is_taken_stays_taken(store: Any):
    create(store, credential_id="own")
    with pytest.raises(AlreadyExists):
        create(store, credential_id="own")
