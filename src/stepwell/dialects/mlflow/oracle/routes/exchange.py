"""What every endpoint of this interface does around its work: request ids, retry tokens, next pages."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from stepwell.core.access import Role
from stepwell.dialects.mlflow import rules
from stepwell.dialects.mlflow.oracle import headers
from stepwell.services import retries
from stepwell.services.retries import Answer
from stepwell.web.call import Call
from stepwell.web.response import Response
from stepwell.web.routing import Endpoint, Route

_PAGED: Final = ("/search", "/get-history", "/list")
_MAKES: Final = "/create"


def exchanged(route: Route) -> Route:
    """The route with this interface's headers read and written."""
    endpoint = route.endpoint
    if route.role is Role.WRITER:
        endpoint = _once(endpoint, makes=route.path.endswith(_MAKES))
    elif route.path.endswith(_PAGED):
        endpoint = _paged(endpoint)
    return replace(route, endpoint=_named(endpoint))


def _named(endpoint: Endpoint) -> Endpoint:
    """With the request's id on every answer."""

    async def named(call: Call) -> Response:
        headers.check_request_id(call)
        response = await endpoint(call)
        return replace(response, headers=(*response.headers, headers.request_id(call)))

    return named


def _paged(endpoint: Endpoint) -> Endpoint:
    """With the token of the next page in a header too; for that a page that is streamed is gathered.

    A stream without a `max_results` is all there is: it has no token, and goes out as it comes.
    """

    async def paged(call: Call) -> Response:
        response = await endpoint(call)
        if not isinstance(response.body, bytes) and call.query.get("max_results") is None:
            return response
        body = response.body if isinstance(response.body, bytes) else b"".join([chunk async for chunk in response.body])
        return replace(response, body=body, headers=(*response.headers, *headers.next_page(body)))

    return paged


def _once(endpoint: Endpoint, *, makes: bool) -> Endpoint:
    """With the first answer given again to the same request under the same token, for a day."""

    async def once(call: Call) -> Response:
        token = headers.retry_token(call)
        digest = await call.hold(rules.BODY_BYTES)  # held, some endpoints read it twice
        if token is None:
            return _tagged(await endpoint(call), makes=makes)
        request = f"{call.method} {call.path} {digest.hex()}"
        mark, known = await call.run_write(
            retries.begin,
            call.context.store,
            workspace=call.workspace,
            caller=call.principal.credential_id,
            token=token,
            request=request,
            at=call.context.clock(),
        )
        if known is not None:
            etag = (("etag", known.etag),) if known.etag else ()
            return Response(known.status, known.body.encode(), headers=etag)
        kept = False
        try:
            response = _tagged(await endpoint(call), makes=makes)
            answer = Answer(status=response.status, body=_text(response), etag=dict(response.headers).get("etag", ""))
            await call.run_write(
                retries.finish,
                call.context.store,
                workspace=call.workspace,
                mark=mark,
                request=request,
                answer=answer,
                at=call.context.clock(),
            )
            kept = True
        finally:
            if not kept:
                await call.run_write(retries.forget, call.context.store, workspace=call.workspace, mark=mark)
        return response

    return once


def _tagged(response: Response, *, makes: bool) -> Response:
    if not makes or not isinstance(response.body, bytes):
        return response
    return replace(response, headers=(*response.headers, ("etag", headers.etag(response.body))))


def _text(response: Response) -> str:
    assert isinstance(response.body, bytes), "an answer to a write is not streamed"
    return response.body.decode()
