"""Public keys as people upload them."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from signing import PrivateKey
from stepwell.core.errors import Invalid, TooLarge
from stepwell.services import public_keys

KEY = PrivateKey()


def test_a_key_is_kept_as_der():
    der = public_keys.from_pem(KEY.pem)
    assert der[:1] == b"\x30"
    assert public_keys.from_pem("\n" + KEY.pem.replace("\n", "\r\n") + "\n") == der


def private_pem() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def elliptic_pem() -> str:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.mark.parametrize(
    ("pem", "told"),
    [
        (private_pem(), "private key, which must stay with the client"),
        (elliptic_pem(), "not an RSA key"),
        (PrivateKey(bits=1024).pem, "has 1024 bits; 2048 to 8192 are taken"),
        ("", "not PEM"),
        ("nonsense \udcff", "not PEM"),
        (KEY.pem[:200], "not PEM"),
    ],
    ids=["private", "elliptic", "small", "empty", "nonsense", "cut"],
)
def test_what_is_no_such_key_is_refused_without_showing_it(pem: str, told: str):
    with pytest.raises(Invalid, match=told) as caught:
        public_keys.from_pem(pem)
    assert caught.value.field == "public_key"
    assert "MII" not in caught.value.message


@pytest.mark.parametrize(
    "key_id", ["a/b/c", "ocid1.tenancy.oc1..aa/ocid1.user.oc1..bb/20:3b:97", "x_/y-/z.", "a" * 508 + "/b/c"]
)
def test_key_ids_have_three_parts(key_id: str):
    assert public_keys.checked_id(key_id) == key_id


@pytest.mark.parametrize(
    "key_id", ["", "a", "a/b", "a/b/c/d", "a//c", "a/b/", "a/b/c d", 'a/b/"', "ST$token", "a" * 509 + "/b/c"]
)
def test_other_key_ids_are_refused(key_id: str):
    with pytest.raises(Invalid) as caught:
        public_keys.checked_id(key_id)
    assert caught.value.field == "key_id"
    assert isinstance(caught.value, TooLarge) == (len(key_id) > 512)
