"""Sealed secrets and codes."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from stepwell.services import sealing
from stepwell.services.sealing import KEY_BYTES, ServerKey, Unsealable, new_key

KEY = ServerKey(new_key())
SECRET = "sw_" + "aB3" * 13


@given(st.text(), st.text(st.characters(codec="utf-8")))
def test_what_is_sealed_opens_again(secret: str, owner: str):
    assert KEY.unseal(KEY.seal(secret, owner=owner), owner=owner) == secret


def test_a_seal_shows_nothing_and_is_never_the_same():
    first, second = (KEY.seal(SECRET, owner="a") for _ in range(2))
    assert SECRET.encode() not in first
    assert first != second
    assert len(first) == 1 + 8 + 12 + len(SECRET) + 16, "as FORMAT.md says"


def test_another_key_or_owner_does_not_open_it():
    sealed = KEY.seal(SECRET, owner="a")
    with pytest.raises(Unsealable, match="another server key"):
        ServerKey(new_key()).unseal(sealed, owner="a")
    with pytest.raises(Unsealable, match="damaged"):
        KEY.unseal(sealed, owner="b")


@pytest.mark.parametrize("position", [0, 1, 8, 9, 20, 21, 40, -1])
def test_a_changed_bit_is_found(position: int):
    sealed = bytearray(KEY.seal(SECRET, owner="a"))
    sealed[position] ^= 1
    with pytest.raises(Unsealable):
        KEY.unseal(bytes(sealed), owner="a")


@pytest.mark.parametrize("length", [0, 1, 8, 20, 21, 36, 40])
def test_a_cut_seal_is_found(length: int):
    with pytest.raises(Unsealable):
        KEY.unseal(KEY.seal(SECRET, owner="a")[:length], owner="a")


@given(st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES))
def test_keys_are_derived_as_rfc_5869_says(material: bytes):
    for use in (b"stepwell key name", b"stepwell sealed secrets", b"stepwell codes"):
        truth = HKDF(algorithm=SHA256(), length=32, salt=None, info=use).derive(material)
        assert sealing._derived(material, use) == truth


def test_the_same_material_is_the_same_key():
    material = new_key()
    assert len(material) == KEY_BYTES
    assert ServerKey(material).unseal(ServerKey(material).seal(SECRET, owner="a"), owner="a") == SECRET
    assert ServerKey(material).code(b"p", b"m") == ServerKey(material).code(b"p", b"m")
    with pytest.raises(ValueError, match="32 bytes"):
        ServerKey(b"short")


def test_a_code_is_of_one_purpose_message_and_key():
    codes = {KEY.code(b"p", b"m"), KEY.code(b"q", b"m"), KEY.code(b"p", b"n"), ServerKey(new_key()).code(b"p", b"m")}
    assert len(codes) == 4
