"""The points of the warehouse, in ClickHouse. Runs, series and what waits in the journal are the catalog's."""

from stepwell.storage.warehouse.points.cuts import Cut, hidden
from stepwell.storage.warehouse.points.lately import Lately
from stepwell.storage.warehouse.points.rows import Rows
from stepwell.storage.warehouse.points.server import ClickHouse, Connect, Server
from stepwell.storage.warehouse.points.stretches import rising
from stepwell.storage.warehouse.points.summing import Sizes
from stepwell.storage.warehouse.points.tables import SIZES, PointTables
from stepwell.storage.warehouse.points.waiting import Waiting

__all__ = [
    "SIZES",
    "ClickHouse",
    "Connect",
    "Cut",
    "Lately",
    "PointTables",
    "Rows",
    "Server",
    "Sizes",
    "Waiting",
    "hidden",
    "rising",
]
