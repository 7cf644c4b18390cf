"""A credential's requests are counted over a second; what is too much is told when to come back."""

from __future__ import annotations

import pytest

from stepwell.web.errors import HttpProblem
from stepwell.web.rates import Rates


class Watch:
    """A clock that goes when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def refused(rates: Rates, credential: str) -> str:
    with pytest.raises(HttpProblem) as caught:
        rates.take(credential)
    assert (caught.value.status, caught.value.code) == (429, "too_many_requests")
    ((name, value),) = caught.value.headers
    assert name == "retry-after"
    return value


def test_without_a_limit_everything_goes() -> None:
    rates = Rates()
    for _ in range(10_000):
        rates.take("a")


def test_a_second_holds_so_many_and_no_more() -> None:
    watch = Watch()
    rates = Rates(3, monotonic=watch)
    for _ in range(3):
        rates.take("a")
    assert refused(rates, "a") == refused(rates, "a") == "1"
    rates.take("b")  # others have their own
    watch.now += 0.34
    rates.take("a")
    assert refused(rates, "a") == "1"
    watch.now += 3600
    for _ in range(3):
        rates.take("a")
    refused(rates, "a")


def test_many_credentials_are_not_remembered_for_ever() -> None:
    watch = Watch()
    rates = Rates(1, monotonic=watch)
    for number in range(70_000):
        rates.take(str(number))
    assert refused(rates, "69999") == "1"
