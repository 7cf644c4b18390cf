"""Following running runs: what a hidden page asks, what it has missed, and runs that fell silent."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from browser.filling import ask, points
from browser.looking import card
from browser.person import Person
from serving import Server

# What is in view is told by the browser; nothing of Chromium hides a page that a test drives.
HIDE = """hidden => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
    document.dispatchEvent(new Event("visibilitychange"));
}"""


def pass_seconds(page: Page, count: int) -> None:
    """Seconds of the page's clock; after each the page has had the time of an answer."""
    for _ in range(count):
        page.clock.run_for(1000)
        page.evaluate("fetch('../api/v1/session').then((answer) => answer.text())")


def be_answered(person: Person, asked: list[str]) -> None:
    """Passes seconds until only this test asks in them: what was under way is answered, and so is what that brought."""
    for _ in range(20):
        person.be_answered()
        asked.clear()
        pass_seconds(person.page, 2)
        if set(asked) == {"session"}:
            return
    pytest.fail(f"the page goes on asking: {asked}")


@pytest.mark.parametrize("place", ["charts", "compare"])
def test_a_hidden_page_asks_nothing_and_catches_up(person: Person, filled: Server, place: str):
    run = f"paused-{place}"
    ask(filled.url, "/runs", {"id": run, "name": run})
    ask(filled.url, f"/runs/{run}/points", {"series": [points("pause", [1.0] * 50)]})
    asked: list[str] = []
    person.page.clock.install()
    person.page.on("request", lambda request: asked.append(request.url.partition("/api/v1/")[2]))
    page = person.go(place, shown=run, live="1")
    expect(card(page, "pause")).to_contain_text("50 points")
    with page.expect_request("**/api/v1/runs/search"):
        pass  # what runs is followed: the page's clock goes on by itself
    page.evaluate(HIDE, True)
    be_answered(person, asked)
    ask(filled.url, f"/runs/{run}/points", {"series": [points("pause", [2.0] * 30, list(range(50, 80)))]})
    pass_seconds(page, 30)
    assert set(asked) == {"session"}, "only this test asks"
    expect(card(page, "pause")).to_contain_text("50 points")
    page.evaluate(HIDE, False)
    expect(card(page, "pause")).to_contain_text("80 points")
    ask(filled.url, f"/runs/{run}", {"status": "FINISHED"}, verb="PATCH")


def test_nothing_is_followed_while_the_pace_is_off(person: Person, filled: Server):
    ask(filled.url, "/runs", {"id": "unfollowed", "name": "unfollowed"})
    ask(filled.url, "/runs/unfollowed/points", {"series": [points("slow", [1.0] * 50)]})
    asked: list[str] = []
    person.page.clock.install()
    person.page.on("request", lambda request: asked.append(request.url.partition("/api/v1/")[2]))
    page = person.go("charts", shown="unfollowed")
    expect(card(page, "slow")).to_contain_text("50 points")
    pace = page.get_by_role("toolbar", name="Charts").get_by_label("Live")
    pace.select_option("off")
    be_answered(person, asked)
    ask(filled.url, "/runs/unfollowed/points", {"series": [points("slow", [2.0] * 30, list(range(50, 80)))]})
    pass_seconds(page, 70)  # longer than the slowest pace
    assert set(asked) == {"session"}, "only this test asks"
    expect(card(page, "slow")).to_contain_text("50 points")
    pace.select_option("every 15 s")
    pass_seconds(page, 20)
    expect(card(page, "slow")).to_contain_text("80 points")
    ask(filled.url, "/runs/unfollowed", {"status": "FINISHED"}, verb="PATCH")


def test_a_silent_run_is_told_by_its_age(person: Person, filled: Server):
    later = datetime.now(UTC) + timedelta(hours=2, seconds=30)
    for run, heard in (("silent", datetime.now(UTC)), ("lively", later + timedelta(hours=1))):
        ask(filled.url, "/runs", {"id": run, "name": f"{run} follower"})
        written = {"metric": "loss", "steps": [0], "values": [1.0], "times_us": [int(heard.timestamp() * 1e6)]}
        ask(filled.url, f"/runs/{run}/points", {"series": [written]})
    page = person.go("runs", filter="follower")
    silent, lively = (page.get_by_role("row").filter(has_text=f"{run} follower") for run in ("silent", "lively"))
    expect(silent).to_contain_text("Running")
    page.clock.install(time=later)
    person.go("runs", filter="follower")
    expect(silent).to_contain_text("Silent for 2 h")
    expect(lively).to_contain_text("Running")  # neither has changed since, but this one measures
    person.go("runs", filter="follower", table="run.heard,run.started")
    expect(page.get_by_role("columnheader").filter(has_text="Last heard")).to_be_visible()
    expect(silent).to_contain_text(re.compile(r"2 h.* ago"))
    expect(lively).to_contain_text("0 s ago")
    person.go("runs/silent")
    expect(page.locator(".run-head")).to_contain_text("Silent for 2 h")
    for run in ("silent", "lively"):
        ask(filled.url, f"/runs/{run}", {"status": "FINISHED"}, verb="PATCH")
