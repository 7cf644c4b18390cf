"""Signed requests as the vendors' documents describe them, written without a look at how the server checks them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import quote, unquote, unquote_plus

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

HOST = "127.0.0.1:8585"


def shared(
    access: str,
    secret: str,
    method: str,
    target: str,
    *,
    body: bytes = b"",
    at: int,
    headers: Mapping[str, str] | None = None,
    host: str = HOST,
    payload: str | None = None,
) -> dict[str, str]:
    """All headers of a request signed with a secret, those given included. `at` in microseconds UTC."""
    sent = {name.lower(): value for name, value in (headers or {}).items()}
    sent["host"] = host
    sent["x-sdk-date"] = f"{datetime.fromtimestamp(at // 10**6, UTC):%Y%m%dT%H%M%SZ}"
    if payload is not None:
        sent["x-sdk-content-sha256"] = payload
    path, _, query = target.partition("?")
    pieces = [quote(piece, safe="-_.~") for piece in unquote(path).split("/")]
    pairs = sorted(
        tuple(map(unquote_plus, re.split("=", pair + "=", maxsplit=2)[:2])) for pair in query.split("&") if pair
    )
    names = sorted(sent)
    canonical = [
        method,
        "/".join(pieces) + ("" if path.endswith("/") else "/"),
        "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in pairs),
        "".join(f"{name}:{sent[name].strip()}\n" for name in names),
        ";".join(names),
        payload if payload is not None and body else hashlib.sha256(body).hexdigest(),
    ]
    digest = hashlib.sha256("\n".join(canonical).encode()).hexdigest()
    text = f"SDK-HMAC-SHA256\n{sent['x-sdk-date']}\n{digest}"
    signature = hmac.new(secret.encode(), text.encode(), "sha256").hexdigest()
    sent["authorization"] = f"SDK-HMAC-SHA256 Access={access}, SignedHeaders={';'.join(names)}, Signature={signature}"
    return sent


class PrivateKey:
    """A client's private key and the id under which it signs."""

    def __init__(
        self, key_id: str = "ocid1.tenancy.oc1..aaa/ocid1.user.oc1..bbb/20:3b:97:13", *, bits: int = 2048
    ) -> None:
        self.key_id = key_id
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
        self.pem = self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def headers(
        self,
        method: str,
        target: str,
        *,
        body: bytes = b"",
        at: int,
        headers: Mapping[str, str] | None = None,
        host: str = HOST,
        date: str = "date",
        leave_out: tuple[str, ...] = (),
    ) -> dict[str, str]:
        """All headers of a signed request, those given included. `at` in microseconds UTC."""
        sent = {name.lower(): value for name, value in (headers or {}).items()}
        sent["host"] = host
        sent[date] = format_datetime(datetime.fromtimestamp(at // 10**6, UTC), usegmt=True)
        names = [date, "(request-target)", "host"]
        if method in ("POST", "PUT", "PATCH") or body:
            sent["content-length"] = str(len(body))
            sent.setdefault("content-type", "application/json")
            sent["x-content-sha256"] = base64.b64encode(hashlib.sha256(body).digest()).decode()
            names += ["content-length", "content-type", "x-content-sha256"]
        names = [name for name in names if name not in leave_out]
        values = {**sent, "(request-target)": f"{method.lower()} {target}"}
        text = "\n".join(f"{name}: {values[name]}" for name in names).encode()
        signature = base64.b64encode(self._key.sign(text, padding.PKCS1v15(), SHA256())).decode()
        sent["authorization"] = (
            f'Signature version="1",keyId="{self.key_id}",algorithm="rsa-sha256",'
            f'headers="{" ".join(names)}",signature="{signature}"'
        )
        return sent
