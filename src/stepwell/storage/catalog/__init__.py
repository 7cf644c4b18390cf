"""The catalog that all engines share: everything but points."""

from stepwell.storage.catalog.store import Catalog

__all__ = ["Catalog"]
