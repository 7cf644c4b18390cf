"""The second engine: points in ClickHouse, catalog and acknowledged journal in PostgreSQL."""

from stepwell.storage.warehouse.address import Address
from stepwell.storage.warehouse.engine import WarehouseStore
from stepwell.storage.warehouse.migrating import migrate
from stepwell.storage.warehouse.shared_clock import SharedClock

__all__ = ["Address", "SharedClock", "WarehouseStore", "migrate"]
