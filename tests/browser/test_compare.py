"""Groups of runs beside each other."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from browser.filling import DIGITS, ask, points
from browser.looking import card, ink
from browser.person import Person
from serving import Server


@pytest.fixture(scope="session")
def digits(filled: Server) -> str:
    """The id of the sweep's experiment."""
    found = ask(filled.url, "/experiments")["experiments"]
    return str(found["id"][found["name"].index(DIGITS)])


def test_a_line_for_every_group_says_how_many_runs_it_has(person: Person, digits: str):
    page = person.go("compare", experiments=digits)
    expect(card(page, "train/loss")).to_contain_text("All runs · n = 6 runs")
    page.get_by_label("Colour by").select_option("params.optimizer")
    for group in ("optimizer = adam · n = 3 runs", "optimizer = sgd · n = 3 runs"):
        expect(card(page, "train/loss")).to_contain_text(group)
    expect(card(page, "train/loss")).to_contain_text("runs are aligned step by step")
    ink(card(page, "train/loss"), lambda found: found.count > 200)
    expect(page).to_have_url(re.compile("colour_by=params.optimizer"))


def test_the_band_is_what_was_asked_for(person: Person, digits: str):
    page = person.go("compare", experiments=digits, metrics="train/loss")
    wide = ink(card(page, "train/loss")).count
    expect(card(page, "train/loss")).to_contain_text("lowest to highest")
    page.get_by_label("Band").select_option("None")
    ink(card(page, "train/loss"), lambda found: 0 < found.count < wide / 3)
    page.get_by_label("Band").select_option("95 % confidence")
    expect(card(page, "train/loss")).to_contain_text("Student's t")
    page.get_by_role("combobox", name="Line").select_option("Median")
    expect(page).to_have_url(re.compile("middle=median"))


def test_points_are_asked_for_when_a_drag_has_come_to_rest(person: Person):
    page = person.go("compare", shown="spike", metrics="spiky")
    before = ink(card(page, "spiky"))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/buckets") else None)
    box = card(page, "spiky").locator(".grip-x").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 200, y, steps=40)
    page.mouse.up()
    expect(page).to_have_url(re.compile("zoom="))
    ink(card(page, "spiky"), lambda found: found.right < before.right - 100)
    person.settled()
    assert 0 < len(asked) < 10


def test_running_runs_are_followed(person: Person, filled: Server):
    for run in ("first", "second"):
        ask(filled.url, "/runs", {"id": f"compared-{run}", "name": run, "params": {"nth": run}})
        ask(filled.url, f"/runs/compared-{run}/points", {"series": [points("rise", [1.0, 2.0])]})
    page = person.go("compare", shown="compared-first,compared-second", colour_by="params.nth")
    rise = card(page, "rise")
    expect(rise).to_contain_text("Every one of 4 points")
    before = ink(rise)
    ask(filled.url, "/runs/compared-second/points", {"series": [points("rise", [9.0, "NaN", 9.0], [2, 3, 4])]})
    expect(rise).to_contain_text("Every one of 7 points")
    expect(rise).to_contain_text("▼ 1 NaN")
    ink(rise, lambda found: found != before)
    page = person.go("compare", shown="compared-first,compared-second", view="scatter", scatter_y="last(rise)")
    page.get_by_role("link", name="first:").hover()
    expect(page.locator(".named")).to_contain_text("last(rise) = 2")
    ask(filled.url, "/runs/compared-first/points", {"series": [points("rise", [5.0], [2])]})
    expect(page.locator(".named")).to_contain_text("last(rise) = 5")
    for run in ("first", "second"):
        ask(filled.url, f"/runs/compared-{run}", {"status": "FINISHED"}, verb="PATCH")


def test_what_is_not_finite_is_marked_and_counted(person: Person):
    page = person.go("compare", shown="odd", metrics="^broken$")
    for badge in ("1 NaN", "1 +Inf", "1 -Inf"):
        expect(card(page, "broken")).to_contain_text(badge)
    expect(card(page, "broken")).to_contain_text("NaN and infinities are marked")


def test_a_long_name_of_a_group_leaves_room_for_its_n(person: Person, filled: Server):
    ask(filled.url, "/runs", {"id": "wordy", "name": "wordy", "status": "FINISHED", "params": {"prompt": "say " * 200}})
    ask(filled.url, "/runs/wordy/points", {"series": [points("words", [1.0, 2.0])]})
    page = person.go("compare", shown="wordy", colour_by="params.prompt")
    article, said = card(page, "words").bounding_box(), page.get_by_text("n = 1 run", exact=False).last.bounding_box()
    assert article is not None
    assert said is not None
    assert said["x"] + said["width"] <= article["x"] + article["width"]


def test_charts_of_groups(person: Person, digits: str):
    page = person.go("compare", experiments=digits, charts_by="params.learning_rate", dash_by="params.optimizer")
    for rate in ("0.1", "0.01", "0.001"):
        expect(card(page, f"train/loss · learning_rate = {rate}")).to_contain_text("optimizer = adam · n = 1 run")


def test_only_params_that_differ(person: Person, digits: str):
    page = person.go("compare", experiments=digits, view="params")
    table = page.get_by_role("table")
    expect(table.get_by_role("rowheader", name="params.learning_rate")).to_be_visible()
    expect(table.get_by_role("rowheader", name="params.batch_size")).to_have_count(0)
    page.get_by_label("Show those that are equal too").check()
    expect(table.get_by_role("rowheader", name="params.batch_size")).to_be_visible()


def test_a_scatter_names_its_runs(person: Person, digits: str):
    axes = {"scatter_x": "params.learning_rate", "scatter_y": "min(train/loss)"}
    page = person.go("compare", experiments=digits, view="scatter", log_x="1", **axes)
    expect(page.locator("svg.points circle")).to_have_count(6)
    page.get_by_role("link", name="adam 0.1:").hover()
    expect(page.locator(".named")).to_contain_text("adam 0.1: params.learning_rate = 0.1")
    page.get_by_role("link", name="adam 0.1:").click()
    expect(page.get_by_role("heading", name="adam 0.1")).to_be_visible()


def test_parallel_coordinates(person: Person, digits: str):
    page = person.go("compare", experiments=digits, view="parallel")
    expect(page.locator("svg.lines path")).to_have_count(6)
    page.get_by_label("Add an axis").select_option("min(valid/loss)")
    expect(page.get_by_role("button", name="Remove the axis min(valid/loss)")).to_be_visible()
    expect(page).to_have_url(re.compile("axes="))
