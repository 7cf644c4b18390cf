"""A credential's requests are counted over a second; what is too much is told when to come back."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import cast

import pytest

from stepwell.core.bounds import Bound
from stepwell.core.store import Store
from stepwell.web.errors import HttpProblem
from stepwell.web.rates import QUOTA, REMEMBER_SECONDS, Limits, Rates, WorkspaceRates
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
    assert len(rates.taken()) <= 65_536


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
    know(rates)
    return rates


def know(rates: WorkspaceRates) -> None:
    """Have the quotas read."""
    work = Work()
    try:
        asyncio.run(rates.refresh(work))
    finally:
        work.close()


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


class Room:
    """Where processes tell each other what they let through."""

    def __init__(self) -> None:
        self.waiting: dict[int, dict[str, int]] = {}

    def enter(self, **quotas: int) -> Store:
        """The store of one more process."""
        number = len(self.waiting)
        self.waiting[number] = {}

        class Process(Bounds):
            def share_requests(process, *, counts: Mapping[str, int]) -> Mapping[str, int]:  # noqa: N805
                for other, found in self.waiting.items():
                    for key, count in counts.items() if other != number else ():
                        found[key] = found.get(key, 0) + count
                found, self.waiting[number] = self.waiting[number], {}
                return found

        return cast("Store", Process(**quotas))


def through(rates: Rates | WorkspaceRates, key: str, attempts: int) -> int:
    """How many of some requests are let through."""
    found = 0
    for _ in range(attempts):
        with suppress(HttpProblem):
            rates.take(key)
            found += 1
    return found


def test_several_processes_let_through_what_one_would() -> None:
    watch, room = Watch(), Room()
    several = [Limits(room.enter(w=7), per_second=5, monotonic=watch) for _ in range(3)]
    for limits in several:
        know(limits.workspaces)
    total = of_workspace = 0
    for _ in range(200):  # half a second each
        total += sum(through(limits.credentials, "a", 20) for limits in several)
        of_workspace += sum(through(limits.workspaces, "w", 20) for limits in several)
        for limits in [*several, *several]:
            limits.share()
        watch.now += 0.5
    seconds = 200 * 0.5
    assert 5 * seconds <= total <= 5 * (seconds + 3), "each begins with a second's worth"
    assert 7 * seconds <= of_workspace <= 7 * (seconds + 3)


def test_who_used_one_process_up_has_used_up_the_other() -> None:
    watch, room = Watch(), Room()
    one, other = (Limits(room.enter(), per_second=4, monotonic=watch) for _ in range(2))
    assert through(one.credentials, "a", 9) == 4
    one.share()
    other.share()
    assert refused(other.credentials, "a") == "1"
    assert through(other.credentials, "b", 9) == 4
    watch.now += 1
    assert through(other.credentials, "a", 9) == 4


def test_nobody_owes_for_ever() -> None:
    watch = Watch()
    rates = Rates(2, monotonic=watch)
    rates.charge({"a": 1_000_000})
    assert refused(rates, "a") == "11"
    watch.now += 11
    rates.take("a")


def test_quotas_are_read_again_after_a_while() -> None:
    watch = Watch()
    rates = limited(watch, mine=1)
    assert not rates.stale
    watch.now += REMEMBER_SECONDS
    assert rates.stale
