"""Our own API, under /api/v1: what the page, curl and everyone else speak."""

from stepwell.dialects.native.routes import dialect

__all__ = ["dialect"]
