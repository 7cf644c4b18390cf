"""The embedded engine: SQLite for catalog and journal, columnar blocks for points (FORMAT.md)."""
