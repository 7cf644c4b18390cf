"""How often threads take turns at Python's lock."""

from __future__ import annotations

import sys

import pytest

from stepwell.core.turns import OFTEN, often


def test_often_while_anybody_computes_for_long() -> None:
    otherwise = sys.getswitchinterval()
    with often:
        with often:
            assert sys.getswitchinterval() == pytest.approx(OFTEN)
        assert sys.getswitchinterval() == pytest.approx(OFTEN)
    assert sys.getswitchinterval() == pytest.approx(otherwise)


def test_a_block_that_fails_leaves_nothing_behind() -> None:
    otherwise = sys.getswitchinterval()
    with pytest.raises(ZeroDivisionError), often:
        raise ZeroDivisionError
    assert sys.getswitchinterval() == pytest.approx(otherwise)
