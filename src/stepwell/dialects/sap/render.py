"""Our values as the vendor's JSON, piece by piece: an answer may hold millions of metrics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec
import numpy as np

from stepwell.core.model import RunRow
from stepwell.core.series import Labels
from stepwell.core.store import RunPoints
from stepwell.dialects.sap import questions, times, wire
from stepwell.services.whole_runs import Piece

_ENCODER: Final = msgspec.json.Encoder()
DELETED: Final = "Metric Resource was successfully deleted"


def resources(pieces: Iterable[Piece], parts: frozenset[str]) -> Iterator[bytes]:
    """The list of resources, and behind it their count: it is known when the last one is out."""
    end = b"]}" if questions.METRICS in parts else b"}"
    count, bare = 0, True  # bare: no metric of the resource is out yet
    yield b'{"resources":['
    for piece in pieces:
        if piece.row is not None:
            yield (end + b"," if count else b"") + _begin(piece.row, parts)
            count, bare = count + 1, True
        found = metrics(piece.points) if piece.points is not None else b""
        if found:
            yield found if bare else b"," + found
            bare = False
    yield (end if count else b"") + b'],"count":%d}' % count


def metrics(run: RunPoints) -> bytes:
    """Metrics as they arrived, joined by commas. Left out is what the vendor's shapes cannot say: values that are no
    JSON numbers, times outside the years 1 to 9999.
    """
    points, which = run.points, run.which
    good = np.isfinite(points.value) & times.expressible(points.time)
    if not good.all():
        points, which = points.take(good), which[good]
    names = [(metric, labels_json(labels)) for metric, labels in run.series]
    columns = (which.tolist(), points.value.tolist(), times.texts(points.time), points.step.tolist())
    found = [
        wire.MetricOut(name=names[place][0], value=value, timestamp=time, step=step, labels=names[place][1])
        for place, value, time, step in zip(*columns, strict=True)
    ]
    return _ENCODER.encode(found)[1:-1]


def labels_json(labels: Labels) -> msgspec.Raw:
    """A label set as the JSON of a list."""
    return msgspec.Raw(_ENCODER.encode(_pairs(dict(labels))))


def deleted(execution_id: str) -> bytes:
    """The answer to a DELETE that deleted."""
    return _ENCODER.encode(wire.Deleted(id=execution_id, message=DELETED))


def _begin(row: RunRow, parts: frozenset[str]) -> bytes:
    """A resource up to its metrics, which come last: there may be millions."""
    head: dict[str, Any] = {
        "executionId": row.run.id,
        "createdAt": times.text(row.run.created_at),
        "modifiedAt": times.text(row.run.updated_at),
    }
    if questions.TAGS in parts:
        head["tags"] = _pairs(row.tags)
    if questions.CUSTOM_INFO in parts:
        head["customInfo"] = _pairs(row.custom_info)
    text = _ENCODER.encode(head)[:-1]
    return text + b',"metrics":[' if questions.METRICS in parts else text


def _pairs(found: Mapping[str, str]) -> list[wire.Pair]:
    return [wire.Pair(name=name, value=value) for name, value in found.items()]
