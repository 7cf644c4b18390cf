"""The shapes of SAP AI Core's metric tracking, as its clients send and read them. Nothing of ours.

Field names are the vendor's. Unknown fields are ignored; `createdAt` and `modifiedAt` of a request are such fields.
"""

from __future__ import annotations

from msgspec import Raw, Struct


class Pair(Struct, gc=False):
    """A label, a tag or custom info."""

    name: str
    value: str


class Metric(Struct):
    """A metric of a request. A missing or null timestamp is the server's time, a missing or null step is 0."""

    name: str
    value: float
    timestamp: str | None = None
    step: int | float | None = None  # a JSON number; its value must be an integer
    labels: list[Pair] = []


class MetricResource(Struct):
    """PATCH metrics"""

    executionId: str  # noqa: N815  the vendor's name
    metrics: list[Metric] = []
    tags: list[Pair] = []
    customInfo: list[Pair] = []  # noqa: N815


class MetricOut(Struct, gc=False):
    """A metric of an answer; clients want every field."""

    name: str
    value: float
    timestamp: str
    step: int
    labels: Raw  # the JSON of a list of Pair


class Deleted(Struct):
    """The answer to DELETE."""

    id: str
    message: str


class Detail(Struct):
    """What exactly was wrong."""

    code: str
    message: str


class Problem(Struct):
    """Every error has all of these."""

    code: str
    message: str
    requestId: str  # noqa: N815
    target: str
    details: list[Detail]


class Error(Struct):
    """The body of every error."""

    error: Problem
