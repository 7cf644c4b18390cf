"""RSA public keys of credentials: taken in as PEM, kept as DER. A private key is refused before it is stored.

What does the arithmetic is loaded with the first key or signature: most servers never see one.
"""

from __future__ import annotations

import re
from typing import Final

from stepwell.core.errors import Invalid, TooLarge

SMALLEST_BITS: Final = 2048
LARGEST_BITS: Final = 8192  # checking a signature takes longer with each bit
LONGEST_ID: Final = 512
_ID: Final = re.compile(r"[A-Za-z0-9._:-]+(?:/[A-Za-z0-9._:-]+){2}")


def checked_id(key_id: str) -> str:
    """`key_id` if it has the form T/U/F. Invalid, TooLarge."""
    if len(key_id) > LONGEST_ID:
        raise TooLarge(
            f"key id has {len(key_id)} characters; the limit is {LONGEST_ID}", field="key_id", limit=LONGEST_ID
        )
    if not _ID.fullmatch(key_id):
        raise Invalid(
            f"key id {key_id!r} must be three parts, TENANCY/USER/FINGERPRINT, of letters, digits, '.', '_', ':', '-'",
            field="key_id",
        )
    return key_id


def from_pem(pem: str) -> bytes:
    """The key as DER. Invalid: not an RSA public key of 2048 to 8192 bits."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey  # noqa: PLC0415

    if "PRIVATE KEY" in pem:
        raise Invalid("this is a private key, which must stay with the client; give its public key", field="public_key")
    try:
        key = serialization.load_pem_public_key(pem.encode("utf-8", "surrogatepass"))
    except (ValueError, UnsupportedAlgorithm):
        raise Invalid("the public key is not PEM ('-----BEGIN PUBLIC KEY-----')", field="public_key") from None
    if not isinstance(key, RSAPublicKey):
        raise Invalid("the public key is not an RSA key", field="public_key")
    if not SMALLEST_BITS <= key.key_size <= LARGEST_BITS:
        raise Invalid(
            f"the public key has {key.key_size} bits; {SMALLEST_BITS} to {LARGEST_BITS} are taken", field="public_key"
        )
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def signed_by(der: bytes, *, signature: bytes, message: bytes) -> bool:
    """Whether the owner of a key made this signature (RSASSA-PKCS1-v1_5 with SHA-256) of the message."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_der_public_key  # noqa: PLC0415

    key = load_der_public_key(der)
    assert isinstance(key, RSAPublicKey), "only such keys are stored"
    try:
        key.verify(signature, message, PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True
