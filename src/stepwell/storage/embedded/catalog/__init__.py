"""The catalog of the embedded engine: everything but points."""

from stepwell.storage.embedded.catalog.store import Catalog

__all__ = ["Catalog"]
