"""The second engine: points in ClickHouse, catalog and acknowledged journal in PostgreSQL."""

from stepwell.storage.warehouse.address import Address
from stepwell.storage.warehouse.engine import WarehouseStore
from stepwell.storage.warehouse.migrating import migrate

__all__ = ["Address", "WarehouseStore", "migrate"]
