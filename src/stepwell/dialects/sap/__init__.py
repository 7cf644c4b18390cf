"""SAP AI Core's metric tracking. README.md lists the endpoints, the limits and what the contract leaves open."""

from stepwell.dialects.sap.dialect import dialect

__all__ = ["dialect"]
