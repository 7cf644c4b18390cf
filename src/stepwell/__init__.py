"""Stepwell: the metrics store for machine-learning training that every tracker's client can talk to."""

__version__ = "0.1.0"
