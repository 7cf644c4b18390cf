"""Pluto's interface. README.md lists the endpoints and the deviations from the reference."""

from stepwell.dialects.pluto.dialect import dialect

__all__ = ["dialect"]
