"""A credential's requests are counted over a second; what is too much is told when to come back."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from stepwell.core.bounds import Bound
from stepwell.core.store import Store
from stepwell.web.errors import HttpProblem
from stepwell.web.rates import QUOTA, REMEMBER_SECONDS, Rates, WorkspaceRates
from stepwell.web.work import Work


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


class Bounds:
    """A store that knows quotas."""

    def __init__(self, **quotas: int) -> None:
        self.asked = 0
        self.quotas = quotas

    def list_bounds(self) -> list[Bound]:
        self.asked += 1
        return [
            Bound(workspace="*" if name == "everywhere" else name, experiment_id=None, name=QUOTA, value=value)
            for name, value in self.quotas.items()
        ]


def limited(watch: Watch, **quotas: int) -> WorkspaceRates:
    rates = WorkspaceRates(cast("Store", Bounds(**quotas)), monotonic=watch)
    work = Work()
    try:
        asyncio.run(rates.refresh(work))
    finally:
        work.close()
    return rates


def test_a_workspace_has_its_quota_or_that_of_all() -> None:
    rates = limited(Watch(), everywhere=1, mine=2, free=0)
    for workspace, allowed in (("mine", 2), ("other", 1)):
        for _ in range(allowed):
            rates.take(workspace)
        with pytest.raises(HttpProblem) as caught:
            rates.take(workspace)
        assert (caught.value.status, caught.value.limit) == (429, allowed)
        assert f"workspace '{workspace}' (its quota requests_per_second)" in caught.value.message
        assert caught.value.headers == (("retry-after", "1"),)
    for _ in range(100):
        rates.take("free")


def test_quotas_are_read_again_after_a_while() -> None:
    watch = Watch()
    rates = limited(watch, mine=1)
    assert not rates.stale
    watch.now += REMEMBER_SECONDS
    assert rates.stale
