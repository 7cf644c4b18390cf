"""The table of runs."""

from __future__ import annotations

from playwright.sync_api import expect

from browser.filling import PLUTO_RUN
from browser.person import Person


def test_the_page_opens_with_the_runs(person: Person):
    page = person.go()
    expect(page.get_by_role("link", name="adam 0.1", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name=PLUTO_RUN)).to_be_visible()
