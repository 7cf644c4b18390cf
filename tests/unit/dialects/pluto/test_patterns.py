"""Patterns of filters: a part of regular expressions that means what it means everywhere, at any length."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.dialects.pluto.patterns import compile_pattern

PIECES = st.lists(st.sampled_from(["a", "b", "A", ".", ".*", "\\.", "\\*", "%", "_", " "]), max_size=6).map("".join)


@given(
    pattern=PIECES,
    start=st.sampled_from(["", "^"]),
    end=st.sampled_from(["", "$"]),
    text=st.text("abAB.*%_ \n", max_size=12),
)
def test_it_is_what_a_regular_expression_is(pattern: str, start: str, end: str, text: str) -> None:
    whole = start + pattern + end
    python = re.compile(start + pattern + ("\\Z" if end else ""), re.IGNORECASE | re.DOTALL)
    assert compile_pattern(whole)(text) is (python.search(text) is not None)


def test_no_text_takes_long() -> None:
    holds = compile_pattern(".*a" * 300 + "b$")
    assert not holds("a" * 10_000)
    assert holds("a" * 10_000 + "b")


@pytest.mark.parametrize("pattern", ["a+", "a?", "(a)", "[a]", "a{2}", "a|b", "\\d", "*", "a\\", "x" * 1001])
def test_what_is_not_known_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"pattern|backslash"):
        compile_pattern(pattern)
