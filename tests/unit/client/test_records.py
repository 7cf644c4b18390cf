"""Payloads: what is encoded comes back bit by bit, and what is something else is never taken for it."""

from __future__ import annotations

import struct
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.client.records import Group, Note, Points, Unreadable, decode, encode_note, encode_points

int64 = st.integers(-(2**63), 2**63 - 1)
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@st.composite
def groups(draw: st.DrawFn) -> Group:
    metrics = tuple(draw(st.lists(names, min_size=1, max_size=4, unique=True)))
    rows = draw(st.integers(0, 5))

    def column(code: str, values: st.SearchStrategy[float]) -> array[float]:
        return array(code, draw(st.lists(values, min_size=rows, max_size=rows)))

    return Group(
        metrics,
        column("q", int64),  # type: ignore[arg-type]
        column("q", int64),  # type: ignore[arg-type]
        tuple(column("d", st.floats()) for _ in metrics),
    )


def bits(points: Points) -> list[object]:
    return [
        (g.metrics, g.times.tobytes(), g.steps.tobytes(), [column.tobytes() for column in g.columns])
        for g in points.groups
    ]


@given(st.lists(groups(), max_size=3))
def test_points_come_back_bit_by_bit(given_groups: list[Group]) -> None:
    found = decode(encode_points(given_groups))
    assert isinstance(found, Points)
    assert bits(found) == bits(Points(tuple(given_groups)))
    assert len(found) == sum(len(g.times) * len(g.metrics) for g in given_groups)


@given(st.dictionaries(names, st.one_of(names, int64, st.none(), st.dictionaries(names, names))))
def test_notes_come_back(fields: dict[str, object]) -> None:
    fields.pop("kind", None)
    found = decode(encode_note(Note("change", fields)))
    assert found == Note("change", fields)


@given(st.binary(max_size=200))
def test_anything_else_is_unreadable(payload: bytes) -> None:
    with pytest.raises(Unreadable):
        decode(b"x" + payload)


@pytest.mark.parametrize("change", [-8, -1, 1, 8])
def test_columns_of_another_length_are_unreadable(change: int) -> None:
    whole = encode_points([Group(("a",), array("q", [1]), array("q", [2]), (array("d", [3.0]),))])
    with pytest.raises(Unreadable):
        decode(whole[:change] if change < 0 else whole + bytes(change))


def test_the_layout_is_the_documented_one() -> None:
    payload = encode_points([Group(("loss",), array("q", [5, 6]), array("q", [1, 2]), (array("d", [0.5, -1.0]),))])
    assert payload == b'{"kind":"points","groups":[[2,["loss"]]]}\n' + struct.pack("<4q2d", 5, 6, 1, 2, 0.5, -1.0)
