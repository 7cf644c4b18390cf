"""The table of runs."""

from __future__ import annotations

import csv

import pytest
from playwright.sync_api import Page, expect

from browser.filling import DIGITS, PLUTO_RUN, ask
from browser.person import Person
from serving import Server


@pytest.fixture(scope="session")
def digits(filled: Server) -> str:
    """The id of the sweep's experiment."""
    found = ask(filled.url, "/experiments")["experiments"]
    return str(found["id"][found["name"].index(DIGITS)])


def names(page: Page) -> list[str]:
    """The runs from top to bottom."""
    expect(page.get_by_label("Loading")).to_have_count(0)
    return page.get_by_role("grid", name="Runs").locator("a[href*='/runs/']").all_inner_texts()


def search(page: Page, text: str) -> None:
    box = page.get_by_label("Search runs by name or filter")
    box.fill(text)
    box.press("Enter")


def test_the_page_opens_with_the_runs(person: Person):
    page = person.go()
    expect(page.get_by_role("link", name="adam 0.1", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name=PLUTO_RUN)).to_be_visible()


def test_a_part_of_a_name_or_a_filter_finds_runs(person: Person, digits: str):
    page = person.go("runs", experiments=digits)
    search(page, "SGD")
    expect(page.get_by_text("3 runs", exact=True)).to_be_visible()
    assert sorted(names(page)) == ["sgd 0.001", "sgd 0.01", "sgd 0.1"]
    search(page, "params.learning_rate = '0.1' and min(metrics.train/loss) < 0.2")
    expect(page.get_by_text("1 run", exact=True)).to_be_visible()
    assert names(page) == ["adam 0.1"]


def test_a_broken_filter_says_where(person: Person, digits: str):
    person.expect("400")
    page = person.go("runs", experiments=digits)
    search(page, "metrics.loss < < 3")
    expect(page.locator("#app")).to_contain_text("filter", ignore_case=True)
    expect(page.get_by_label("Search runs by name or filter")).to_have_attribute("aria-invalid", "true")


def test_columns_are_chosen_and_sorted_by(person: Person, digits: str):
    page = person.go("runs", experiments=digits)
    page.get_by_role("button", name="Choose columns").click()
    page.get_by_role("searchbox", name="Search metrics").fill("train/loss")
    page.get_by_role("checkbox", name="train/loss").check()
    page.keyboard.press("Escape")
    head = page.get_by_role("columnheader").filter(has_text="train/loss")
    expect(head).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="adam 0.1").last).to_contain_text("0.14")
    head.get_by_role("button").first.click()
    expect(head).to_have_attribute("aria-sort", "ascending")
    rising = names(page)
    assert rising[0] == "adam 0.1"
    head.get_by_role("button").first.click()
    expect(head).to_have_attribute("aria-sort", "descending")
    expect(page.get_by_role("grid", name="Runs").locator("a[href*='/runs/']").first).not_to_have_text(rising[0])
    assert names(page) == rising[::-1]
    assert "order=" in page.url


def test_runs_are_deleted_and_restored(person: Person, filled: Server):
    ask(filled.url, "/runs", {"id": "gone", "name": "soon gone", "status": "FINISHED"})
    page = person.go("runs", filter="soon gone")
    row = page.get_by_role("row").filter(has_text="soon gone")
    row.get_by_role("gridcell").last.click()
    expect(page.get_by_text("1 run selected")).to_be_visible()
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_role("link", name="soon gone")).to_have_count(0)
    assert ask(filled.url, "/runs/gone")["run"]["lifecycle"] == "deleted"
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("link", name="soon gone")).to_be_visible()
    assert ask(filled.url, "/runs/gone")["run"]["lifecycle"] == "active"


def test_the_table_is_saved_as_csv(person: Person, digits: str):
    page = person.go("runs", experiments=digits)
    expect(page.get_by_text("6 runs", exact=True)).to_be_visible()
    with page.expect_download() as begun:
        page.get_by_role("button", name="CSV").click()
    rows = list(csv.reader(begun.value.path().read_text(encoding="utf-8-sig").splitlines()))
    assert len(rows) == 7
    assert any("adam 0.1" in row for row in rows)
