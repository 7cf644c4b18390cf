"""The named statements of the points; those of the catalog are beside it."""

from importlib.resources import files
from typing import Final

from stepwell.storage.catalog.sql import Statements

POINTS: Final = Statements(files(__package__).joinpath("point_queries.sql").read_text("utf-8"))
