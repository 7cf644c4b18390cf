"""Several servers let through what one would: each is told what the others did."""

from __future__ import annotations

import json
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import httpx
import psycopg
import pytest

from serving import Server
from stepwell.core.store import Store
from stepwell.storage.warehouse import Address, WarehouseStore
from stores import NOW
from warehouse.servers import wait_until


def opened(store: str) -> Store:
    return WarehouseStore(Address.of(store), clock=lambda: NOW, background=False)


def test_each_process_hears_of_each_request_once(store: str) -> None:
    one, two = opened(store), opened(store)
    assert one.share_requests(counts={"a": 3}) == {}
    assert two.share_requests(counts={"a": 1}) == {}, "what came before it was there was others' to count"
    assert one.share_requests(counts={"a": 2, "b": 1}) == {"a": 1}
    assert one.share_requests(counts={"a": 4}) == {}
    assert two.share_requests(counts={}) == {"a": 6, "b": 1}
    assert two.share_requests(counts={}) == {}
    late = opened(store)
    assert late.share_requests(counts={"c": 5}) == {}
    assert [each.share_requests(counts={}) for each in (one, two, late)] == [{"c": 5}, {"c": 5}, {}]
    for each in (one, two, late):
        each.close()


@pytest.mark.slow
def test_servers_tell_what_they_let_through_and_charge_what_others_did(store: str, tmp_path: Path) -> None:
    """With a limit that is never reached by what is asked here, so that nothing depends on how quick anything is."""
    limited = ("--rate-limit", "5000")
    with ExitStack() as running:
        urls = [
            running.enter_context(Server(tmp_path / name, store=store, args=limited)).url for name in ("one", "two")
        ]
        connection = running.enter_context(psycopg.connect(Address.of(store).catalog, autocommit=True))
        rounds = count(1)

        def told() -> list[str]:
            """By each server: whose requests it let through."""
            for url in urls:
                assert ask(url) == 200
            rows = connection.execute("SELECT told FROM request_counts").fetchall()
            return [who for (text,) in rows for who in json.loads(text)[-1][1]]

        wait_until(lambda: len(told()) == 2)
        (who,) = set(told())

        def refused() -> bool:
            """While a third server lets through a million."""
            body = json.dumps([[next(rounds), {who: 1_000_000}]])
            words = (
                "INSERT INTO request_counts VALUES (1, %s, now()) "
                "ON CONFLICT (process) DO UPDATE SET told = excluded.told, told_at = now()"
            )
            connection.execute(words.encode(), (body,))
            return [ask(url) for url in urls] == [429, 429]

        wait_until(refused)


def ask(url: str) -> int:
    return httpx.get(f"{url}/api/v1/experiments", timeout=60).status_code
