"""The points of the warehouse, in ClickHouse. Runs, series and what waits in the journal are the catalog's."""

from stepwell.storage.warehouse.points.rows import Rows, Waiting
from stepwell.storage.warehouse.points.server import ClickHouse
from stepwell.storage.warehouse.points.summing import Sizes
from stepwell.storage.warehouse.points.tables import SIZES, PointTables

__all__ = ["SIZES", "ClickHouse", "PointTables", "Rows", "Sizes", "Waiting"]
