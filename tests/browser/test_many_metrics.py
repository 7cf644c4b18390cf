"""Thousands of metrics: only cards in or near the view are there, and only theirs are asked for."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, Request, expect

from browser.filling import ask, points
from browser.looking import card, ink
from browser.person import Person
from serving import Server

MANY = 2_000
RUN = "wide"
FEW = 100  # cards: a view of nine, some above and below


@pytest.fixture(scope="session")
def wide(filled: Server) -> str:
    """A run of thousands of metrics, in one section."""
    ask(filled.url, "/runs", {"id": RUN, "name": RUN, "status": "FINISHED"})
    series = [points(metric(each), [float(each), 1.0, 3.0]) for each in range(MANY)]
    ask(filled.url, f"/runs/{RUN}/points", {"series": series})
    return RUN


def metric(nth: int) -> str:
    return f"layer/{nth:04d}"


def test_only_what_is_in_view_is_there_and_asked_for(person: Person, wide: str):
    asked: set[str] = set()

    def hear(request: Request) -> None:
        if request.url.endswith("/api/v1/buckets"):
            asked.update(each["metric"] for each in json.loads(request.post_data or "")["series"])

    person.page.on("request", hear)
    page = person.go("charts", shown=wide)
    expect(page.get_by_role("toolbar", name="Charts")).to_contain_text(f"{MANY} of {MANY}")
    ink(card(page, metric(0)), lambda found: found.count > 100)
    assert 0 < cards(page) < FEW
    assert metric(0) in asked
    assert len(asked) < FEW
    page.evaluate("scrollTo({ top: document.body.scrollHeight })")
    ink(card(page, metric(MANY - 1)), lambda found: found.count > 100)
    expect(card(page, metric(0))).to_have_count(0)
    assert 0 < cards(page) < FEW
    assert metric(MANY // 2) not in asked, "what was passed by is not asked for"
    assert len(asked) < 2 * FEW


def cards(page: Page) -> int:
    return page.get_by_role("article").count()
