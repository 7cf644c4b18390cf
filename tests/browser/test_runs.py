"""The table of runs."""

from __future__ import annotations

import csv
import re

import pytest
from playwright.sync_api import Page, expect

from browser.filling import DIGITS, PLUTO_RUN, ask
from browser.looking import seen
from browser.person import Person
from serving import Server


@pytest.fixture(scope="session")
def digits(filled: Server) -> str:
    """The id of the sweep's experiment."""
    found = ask(filled.url, "/experiments")["experiments"]
    return str(found["id"][found["name"].index(DIGITS)])


def names(page: Page) -> list[str]:
    """The runs from top to bottom."""
    grid = page.get_by_role("grid", name="Runs")
    expect(grid).not_to_have_attribute("aria-busy", "true")
    expect(grid.get_by_label("Loading")).to_have_count(0)
    return grid.locator("a[href*='/runs/']").all_inner_texts()


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
    expect(page).to_have_url(re.compile("order="))


def test_runs_are_sorted_and_found_by_duration(person: Person, filled: Server):
    """A run that still runs shows how long it has been running, and comes last."""
    begin, minute = 1_790_000_000_000_000, 60_000_000
    for name, took in {"short": minute, "runs": None, "long": 900 * minute, "middle": 2 * minute}.items():
        ask(filled.url, "/runs", {"id": f"took-{name}", "name": f"takes {name}", "start_time_us": begin})
        if took is not None:
            end = {"status": "FINISHED", "end_time_us": begin + took}
            ask(filled.url, f"/runs/took-{name}", end, verb="PATCH")
    page = person.go("runs", filter="takes ", table="run.duration")
    head = page.get_by_role("columnheader").filter(has_text="Duration")
    head.get_by_role("button").first.click()
    expect(head).to_have_attribute("aria-sort", "ascending")
    first = page.get_by_role("grid", name="Runs").locator("a[href*='/runs/']").first
    expect(first).to_have_text("takes short")
    assert names(page) == ["takes short", "takes middle", "takes long", "takes runs"]
    head.get_by_role("button").first.click()
    expect(first).to_have_text("takes long")
    assert names(page) == ["takes long", "takes middle", "takes short", "takes runs"]
    search(page, f"run_name LIKE 'takes %' AND duration >= {2 * minute}")
    expect(page.get_by_text("2 runs", exact=True)).to_be_visible()
    assert names(page) == ["takes long", "takes middle"]


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


def test_selected_runs_are_tagged_and_that_is_undone(person: Person, filled: Server):
    for run in ("one", "two", "three"):
        ask(filled.url, "/runs", {"id": f"tag-{run}", "name": f"taggable {run}", "status": "FINISHED"})
    ask(filled.url, "/runs/tag-two", {"set_tags": {"verdict": "unclear"}}, verb="PATCH")
    page = person.go("runs", filter="taggable", table="run.status,tag.verdict")
    row = {run: page.get_by_role("row").filter(has_text=f"taggable {run}") for run in ("one", "two", "three")}
    row["one"].get_by_role("gridcell").nth(1).click()
    row["two"].get_by_role("gridcell").nth(1).click(modifiers=["ControlOrMeta"])
    expect(page.get_by_text("2 runs selected")).to_be_visible()
    page.get_by_role("button", name="Set or remove a tag").click()
    form = page.get_by_role("dialog", name="Set or remove a tag")
    form.get_by_label("Name of the tag").fill("verdict")
    form.get_by_label("Value").fill("<i>good</i>")
    changes: list[str] = []
    page.on("request", lambda request: changes.append(request.url) if request.method != "GET" else None)
    form.get_by_role("button", name="Set", exact=True).click()
    expect(page.get_by_text("Tag verdict set on 2 runs.")).to_be_visible()
    assert [url.rpartition("/v1/")[2] for url in changes if "/runs/" in url and not url.endswith("/search")] == [
        "runs/change"
    ]
    expect(row["one"]).to_contain_text("<i>good</i>")
    expect(row["two"]).to_contain_text("<i>good</i>")
    assert [ask(filled.url, f"/runs/tag-{run}")["tags"] for run in row] == [{"verdict": "<i>good</i>"}] * 2 + [{}]
    page.get_by_role("button", name="Undo").click()
    expect(row["two"]).to_contain_text("unclear")
    expect(row["one"]).not_to_contain_text("good")
    assert [ask(filled.url, f"/runs/tag-{run}")["tags"] for run in row] == [{}, {"verdict": "unclear"}, {}]


def test_a_run_that_somebody_else_deleted_is_told_and_the_others_are_changed(person: Person, filled: Server):
    for run in ("stays", "goes"):
        ask(filled.url, "/runs", {"id": f"both-{run}", "name": f"contested {run}", "status": "FINISHED"})
    page = person.go("runs", filter="contested", table="run.status,tag.verdict")
    for run in ("stays", "goes"):
        row = page.get_by_role("row").filter(has_text=f"contested {run}")
        row.get_by_role("gridcell").nth(1).click(modifiers=["ControlOrMeta"])
    ask(filled.url, "/runs/both-goes", verb="DELETE")
    page.get_by_role("button", name="Set or remove a tag").click()
    form = page.get_by_role("dialog", name="Set or remove a tag")
    form.get_by_label("Name of the tag").fill("verdict")
    form.get_by_role("button", name="Set", exact=True).click()
    expect(page.get_by_text("1 of 2 runs done. run 'both-goes' is deleted")).to_be_visible()
    expect(page.get_by_text("Tag verdict set on 1 run.")).to_be_visible()
    assert ask(filled.url, "/runs/both-stays")["tags"] == {"verdict": ""}


def test_runs_are_archived_and_come_back(person: Person, filled: Server):
    for run in ("kept", "shelved"):
        ask(filled.url, "/runs", {"id": run, "name": f"library {run}", "status": "FINISHED"})
    page = person.go("runs", filter="library")
    kept, shelved = (page.get_by_role("link", name=f"library {run}") for run in ("kept", "shelved"))
    page.get_by_role("row").filter(has=shelved).get_by_role("gridcell").last.click()
    page.get_by_role("button", name="Archive", exact=True).click()
    expect(shelved).to_have_count(0)
    expect(kept).to_be_visible()
    assert ask(filled.url, "/runs/shelved")["run"]["lifecycle"] == "active"
    page.get_by_role("button", name="Undo").click()
    expect(shelved).to_be_visible()
    page.get_by_role("row").filter(has=shelved).get_by_role("gridcell").last.click()
    page.get_by_role("button", name="Archive", exact=True).click()
    expect(shelved).to_have_count(0)
    which = page.get_by_label("Which runs")
    which.select_option("All, archived and deleted too")
    expect(page.get_by_role("row").filter(has=shelved)).to_contain_text("archived")
    which.select_option("Archived")
    expect(kept).to_have_count(0)
    page.get_by_role("row").filter(has=shelved).get_by_role("gridcell").last.click()
    page.get_by_role("button", name="Take out of the archive").click()
    expect(shelved).to_have_count(0)
    which.select_option("Active")
    expect(shelved).to_be_visible()
    assert ask(filled.url, "/runs/shelved")["tags"] == {}


def test_a_sparkline_is_the_curve(person: Person, digits: str):
    page = person.go("runs", experiments=digits, table="spark.train/loss,spark.train/accuracy")
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name="adam 0.1", exact=True))
    falling, rising = row.get_by_role("img").nth(0), row.get_by_role("img").nth(1)
    expect(falling).to_be_visible()
    expect(rising).to_be_visible()
    whole = seen(falling)
    assert whole.left < 5
    assert whole.right > whole.width - 6
    begin, end = seen(falling, 0, 0.1), seen(falling, 0.9, 1)
    assert begin.top < 5
    assert begin.top < end.top > whole.height / 2
    begin, end = seen(rising, 0, 0.1), seen(rising, 0.9, 1)
    assert begin.bottom > whole.height - 6
    assert begin.bottom > end.bottom < whole.height / 2


def test_the_table_is_saved_as_csv(person: Person, digits: str):
    page = person.go("runs", experiments=digits)
    expect(page.get_by_text("6 runs", exact=True)).to_be_visible()
    with page.expect_download() as begun:
        page.get_by_role("button", name="CSV").click()
    rows = list(csv.reader(begun.value.path().read_text(encoding="utf-8-sig").splitlines()))
    assert len(rows) == 7
    assert any("adam 0.1" in row for row in rows)
