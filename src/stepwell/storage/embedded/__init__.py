"""The embedded engine: SQLite for catalog and journal, columnar blocks for points (FORMAT.md)."""

from stepwell.storage.embedded.engine import EmbeddedStore

__all__ = ["EmbeddedStore"]
