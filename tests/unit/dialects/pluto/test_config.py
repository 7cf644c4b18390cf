"""Configurations that grow, and their flat names."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.core.errors import Invalid
from stepwell.dialects.pluto import config
from stepwell.dialects.pluto.decoding import json_value

LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=3)
KEYS = st.text("abc.", min_size=1, max_size=3)
CONFIGS = st.recursive(
    st.dictionaries(KEYS, LEAVES, max_size=3), lambda inner: st.dictionaries(KEYS, LEAVES | inner, max_size=3)
).filter(lambda value: isinstance(value, dict))


def test_objects_join_and_all_else_is_replaced() -> None:
    old = {"a": {"b": 1, "c": [1, 2]}, "d": 1, "e": {"f": 1}}
    new = {"a": {"c": [3], "g": None}, "d": {"h": 1}, "e": 5}
    assert config.merged(old, new) == {"a": {"b": 1, "c": [3], "g": None}, "d": {"h": 1}, "e": 5}


@given(CONFIGS, CONFIGS)
def test_merging_again_changes_nothing(old: dict[str, Any], new: dict[str, Any]) -> None:
    once = config.merged(old, new)
    assert config.merged(once, new) == once
    assert config.merged({}, new) == new
    assert config.merged(old, {}) == old


def test_values_are_found_by_their_path() -> None:
    tree = {"a": {"b": {"c": 1}}, "d.e": {"f": 2}, "g": {"h.i": 3}, "j": None, "k": 0, "a.b": {"x": 4}}
    for path, value in (("a.b.c", 1), ("d.e.f", 2), ("g.h.i", 3), ("j", None), ("k", 0), ("a.b.x", 4), ("a.z", None)):
        assert config.value_at(tree, path) == value, path
    assert config.value_at({}, "." * 30) is None


def test_leaves_become_params() -> None:
    tree = {"a": {"b": 1.5, "c": "text"}, "d": [1, None], "e": None, "f": True, "g": {}, "n": "\0", "l": "x" * 70_000}
    assert config.params_of(tree) == {"a.b": "1.5", "a.c": "text", "d": "[1, null]", "e": "null", "f": "true"}
    assert config.params_of(tree, {"a.b": "9", "e": "0"}) == {"a.c": "text", "d": "[1, null]", "f": "true"}


def test_params_of_other_interfaces_join() -> None:
    assert config.joined(None, {}) is None
    assert config.joined(None, {"lr": "0.1"}) == {"lr": "0.1"}
    assert config.joined({"a": {"b": 1}}, {"a.b": "0", "lr": "0.1"}) == {"a": {"b": 1}, "lr": "0.1"}


@pytest.mark.parametrize("text", ["1e400", "-1e400", "[NaN, 1e400]"])
def test_a_number_that_no_float_can_be_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="Invalid config JSON"):
        json_value(text, "config")
    assert json_value("[NaN, 1e300]", "config") == [None, 1e300]
