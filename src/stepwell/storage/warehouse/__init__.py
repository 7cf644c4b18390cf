"""The second engine: points in ClickHouse, catalog and acknowledged journal in PostgreSQL."""
