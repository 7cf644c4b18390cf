"""The server's key and what is done with it: secrets sealed for the store, and codes that only this server can make.

Nothing here reads a file or logs. What encrypts is loaded with the first secret: most servers have none.
"""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
_VERSION: Final = b"\x01"
_NAME: Final = slice(1, 9)
_NONCE: Final = slice(9, 21)
_REST: Final = slice(21, None)


class Unsealable(Exception):
    """A sealed secret that this key does not open. The text may be shown."""


def new_key() -> bytes:
    """The material of a new server key."""
    return secrets.token_bytes(KEY_BYTES)


class ServerKey:
    """One server's key. Each use has a key of its own, derived from the same 32 bytes."""

    __slots__ = ("_codes", "_name", "_secrets")

    def __init__(self, material: bytes) -> None:
        if len(material) != KEY_BYTES:
            raise ValueError(f"a server key has {KEY_BYTES} bytes, not {len(material)}")
        self._name = _derived(material, b"stepwell key name")[:8]
        self._secrets = _derived(material, b"stepwell sealed secrets")
        self._codes = _derived(material, b"stepwell codes")

    def seal(self, secret: str, *, owner: str) -> bytes:
        """Encrypt a secret for the store; only together with the same `owner` does it open again. FORMAT.md."""
        nonce = secrets.token_bytes(12)
        head = _VERSION + self._name + nonce
        return head + _cipher(self._secrets).encrypt(nonce, secret.encode("utf-8", "surrogatepass"), _bound(owner))

    def unseal(self, sealed: bytes, *, owner: str) -> str:
        """The secret. Unsealable."""
        if sealed[:1] != _VERSION:
            raise Unsealable("the credential's secret was encrypted by a later release")
        if sealed[_NAME] != self._name:
            raise Unsealable("the credential's secret is encrypted under another server key; make a new credential")
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415

        try:
            plain = _cipher(self._secrets).decrypt(sealed[_NONCE], sealed[_REST], _bound(owner))
        except (InvalidTag, ValueError):
            raise Unsealable("the credential's stored secret is damaged; make a new credential") from None
        return plain.decode("utf-8", "surrogatepass")

    def code(self, purpose: bytes, message: bytes) -> bytes:
        """A code of 32 bytes (HMAC-SHA256) that proves `message` to be ours, for this purpose alone."""
        return hmac.digest(hmac.digest(self._codes, purpose, sha256), message, sha256)


def _derived(material: bytes, use: bytes) -> bytes:
    """HKDF (RFC 5869) with SHA-256 and no salt, of 32 bytes: its first block is all of it."""
    return hmac.digest(hmac.digest(bytes(KEY_BYTES), material, sha256), use + b"\x01", sha256)


def _cipher(key: bytes) -> AESGCM:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

    return AESGCM(key)


def _bound(owner: str) -> bytes:
    return b"credential " + owner.encode()
