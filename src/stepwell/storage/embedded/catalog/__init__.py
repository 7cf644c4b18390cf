"""The catalog of the embedded engine: everything but points."""
