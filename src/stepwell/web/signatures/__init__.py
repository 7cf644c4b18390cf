"""Signed requests: what a signature claims, read from the Authorization header by the file of its scheme.

Who may do what, and looking anything up, is not here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from stepwell.web.signatures import hmac_sha256, rsa_sha256
from stepwell.web.signatures.request import Claim, Received

# By the first word of the header, in lower case.
SCHEMES: Final[Mapping[str, Callable[[str, Received], Claim]]] = {
    hmac_sha256.SCHEME.lower(): hmac_sha256.read,
    rsa_sha256.SCHEME.lower(): rsa_sha256.read,
}
