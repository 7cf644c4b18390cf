"""model-deployments/*: nothing is deployed here, and these endpoints say so."""

from __future__ import annotations

from typing import Final

from stepwell.core.access import Role
from stepwell.core.errors import Invalid, NotFound
from stepwell.dialects.mlflow import rules
from stepwell.dialects.mlflow.oracle import wire
from stepwell.dialects.mlflow.routes.reading import answer
from stepwell.web.call import Call
from stepwell.web.response import Response
from stepwell.web.routing import Route


async def search(call: Call) -> Response:
    """POST model-deployments/search: there are none."""
    await call.body(rules.BODY_BYTES)
    return answer(wire.Deployments())


async def search_activities(call: Call) -> Response:
    """POST model-deployments/activities/search: there are none."""
    await call.body(rules.BODY_BYTES)
    return answer(wire.Activities())


async def create(call: Call) -> Response:
    """POST model-deployments/create: refused."""
    raise Invalid("models are kept here, not deployed")


async def unknown(call: Call) -> Response:
    """Whatever asks of one deployment."""
    raise NotFound("there is no such model deployment: models are kept here, not deployed")


_ONE: Final = "/model-deployments/{deployment}/monitoring"
ROUTES: Final = (
    Route("POST", "/model-deployments/search", search),
    Route("POST", "/model-deployments/activities/search", search_activities),
    Route("POST", "/model-deployments/create", create, Role.WRITER),
    *(
        Route("POST", f"/model-deployments/{action}", unknown, Role.WRITER)
        for action in ("activate", "deactivate", "delete", "roll-back", "roll-forward", "update", "update-tags")
    ),
    *(Route("GET", f"/model-deployments/{what}", unknown) for what in ("get", "activities/get", "contract")),
    Route("GET", f"{_ONE}/logs/{{log}}", unknown),
    Route("POST", f"{_ONE}/logs/search", unknown),
    Route("GET", f"{_ONE}/inferences/summary", unknown),
    Route("GET", f"{_ONE}/inferences/{{request}}", unknown),
    Route("POST", f"{_ONE}/inferences/search", unknown),
    Route("POST", f"{_ONE}/inferences/actions/export", unknown),
)
