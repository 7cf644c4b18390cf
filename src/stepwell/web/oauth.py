"""`POST /oauth/token`: client credentials (RFC 6749, section 4.4) exchanged for a token, which is then a bearer token.

Answers also while no credentials are wanted; then any id and secret do, and the token names nobody.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import parse_qsl

from stepwell.core.errors import StepwellError, Unauthenticated
from stepwell.services import credentials, tokens
from stepwell.services.credentials import Issued
from stepwell.services.sealing import ServerKey
from stepwell.web.auth import basic_pair
from stepwell.web.call import Call
from stepwell.web.errors import HttpProblem, status_of
from stepwell.web.response import Response, json_response
from stepwell.web.routing import Dialect, Route

PATH: Final = "/oauth/token"
GRANT: Final = "client_credentials"
FORM: Final = "application/x-www-form-urlencoded"
_BODY: Final = 64 << 10
_FIELDS: Final = 100
_UNKEPT: Final = (("cache-control", "no-store"), ("pragma", "no-cache"))


def dialect(*, required: bool, key: ServerKey) -> Dialect:
    """The one route. `required`: whether callers need a credential at all."""
    return Dialect(
        name="oauth",
        prefixes=(PATH,),
        routes=(Route("POST", PATH, _token(required, key), public=True),),
        workspace=lambda call: call.principal.home,
        error_response=error_response,
    )


def error_response(error: StepwellError | HttpProblem, _call: Call) -> Response:
    """RFC 6749, section 5.2: `{"error", "error_description"}`."""
    code = error.code if isinstance(error, HttpProblem) else "invalid_request"
    if isinstance(error, Unauthenticated):
        code = "invalid_client"
    return json_response({"error": code, "error_description": error.message}, status_of(error))


def _token(required: bool, key: ServerKey) -> Callable[[Call], Awaitable[Response]]:
    async def token(call: Call) -> Response:
        """Whoever proves to be a client gets a token."""
        client_id, secret = _client(call, _form(call, await call.body(_BODY)))
        now = call.context.clock()
        if required:
            issued = await call.run(
                credentials.exchange, call.context.store, key, credential_id=client_id, secret=secret, now=now
            )
        else:
            issued = Issued(
                token=tokens.issue(key, credential_id=tokens.NOBODY, now=now), seconds=tokens.LIFETIME_SECONDS
            )
        answer = {"access_token": issued.token, "token_type": "bearer", "expires_in": issued.seconds}
        body = json_response(answer)
        return Response(200, body.body, body.content_type, _UNKEPT)

    return token


def _form(call: Call, body: bytes) -> dict[str, str]:
    """The fields of the body. HttpProblem 400."""
    sent_as = (call.header("content-type") or "").partition(";")[0].strip().lower()
    if sent_as != FORM:
        raise HttpProblem(400, "invalid_request", f"the body must be {FORM}")
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_FIELDS)
    except ValueError:  # UnicodeDecodeError is one; its text could show a secret
        raise HttpProblem(400, "invalid_request", f"the body is not {FORM} in UTF-8") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise HttpProblem(400, "invalid_request", "a field of the body repeats")
    grant = fields.get("grant_type")
    if not grant:
        raise HttpProblem(400, "invalid_request", f"grant_type is missing; it must be {GRANT}")
    if grant != GRANT:
        raise HttpProblem(400, "unsupported_grant_type", f"grant_type must be {GRANT}")
    return fields


def _client(call: Call, fields: dict[str, str]) -> tuple[str, str]:
    """Id and secret, from the header or the body. Unauthenticated, HttpProblem 400."""
    in_body = fields.get("client_id", ""), fields.get("client_secret", "")
    scheme, _, rest = (call.header("authorization") or "").partition(" ")
    if scheme.lower() == "basic":
        in_header = basic_pair(rest.strip())
        if any(
            mine and not hmac.compare_digest(mine.encode(), other.encode())
            for mine, other in zip(in_body, in_header, strict=True)
        ):
            raise HttpProblem(400, "invalid_request", "the header and the body name different clients")
        return in_header
    if not all(in_body):
        raise Unauthenticated("client_id and client_secret are missing: send them as Basic credentials or in the body")
    return in_body
