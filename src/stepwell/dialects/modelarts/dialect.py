"""The ModelArts dialect as the router takes it: its prefix, and whose workspace a request means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from stepwell.core.ids import check_workspace
from stepwell.core.resources import Alias
from stepwell.dialects.modelarts.errors import error_response
from stepwell.dialects.modelarts.routes import routes
from stepwell.web.call import Call
from stepwell.web.routing import Dialect, readme_of

NAME: Final = "modelarts"
PREFIXES: Final = ("/v2",)


def workspace_of(call: Call) -> str:
    """The project of the path, or the workspace that it is joined to."""
    return check_workspace(call.workspace_named(call.params["project_id"]))


def dialect(aliases: Sequence[Alias] = ()) -> Dialect:
    """All of it. `aliases`: which metrics of other names count as the usage of a task."""
    return Dialect(
        name=NAME,
        prefixes=PREFIXES,
        routes=routes(aliases),
        workspace=workspace_of,
        error_response=error_response,
        readme=readme_of(__package__),
    )
