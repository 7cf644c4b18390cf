"""The workspace of charts: what is drawn, and what people do with it."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from browser.filling import DIGITS, STEPS, ask, loss_of
from browser.looking import card, ink
from browser.person import Person
from serving import Server

LOSS = "train/loss"


@pytest.fixture
def page(person: Person, filled: Server) -> Page:
    """The sweep in the workspace."""
    found = ask(filled.url, "/experiments")["experiments"]
    return person.go("charts", experiments=str(found["id"][found["name"].index(DIGITS)]))


def drag(of: Locator, begin: float, end: float) -> None:
    """A drag over the drawing, from and to a part of its width."""
    box = of.locator(".u-over").bounding_box()
    assert box is not None
    mouse, y = of.page.mouse, box["y"] + box["height"] / 2
    mouse.move(box["x"] + begin * box["width"], y)
    mouse.down()
    mouse.move(box["x"] + (begin + end) / 2 * box["width"], y, steps=3)
    mouse.move(box["x"] + end * box["width"], y, steps=3)
    mouse.up()


def test_sections_by_prefix(page: Page):
    for section, count in (("train", 2), ("valid", 1)):
        part = page.get_by_role("region", name=section, exact=True)
        expect(part.get_by_role("article")).to_have_count(count)
    ink(card(page, LOSS), lambda found: found.count > 1000)
    page.get_by_role("region", name="train", exact=True).get_by_role("button").first.click()
    expect(card(page, LOSS)).to_have_count(0)


def test_a_regular_expression_filters_cards(page: Page):
    expect(card(page, LOSS)).to_be_visible()
    page.get_by_role("searchbox", name="Metrics").fill("LOSS$")
    expect(page.get_by_role("article")).to_have_count(2)
    page.get_by_role("searchbox", name="Metrics").fill("(")
    expect(page.get_by_text("Invalid regular expression", exact=False)).to_be_visible()


def test_a_drag_zooms_all_cards_and_a_double_click_brings_all_back(page: Page):
    ink(card(page, LOSS))
    drag(card(page, LOSS), 0.5, 0.75)
    expect(page.get_by_role("button", name="Reset zoom")).to_be_visible()
    expect(page).to_have_url(re.compile("zoom="))
    ink(card(page, "valid/loss"))
    card(page, LOSS).locator(".u-over").dblclick()
    expect(page.get_by_role("button", name="Reset zoom")).to_have_count(0)


def test_a_zoom_belongs_to_its_axis(page: Page):
    ink(card(page, LOSS))
    drag(card(page, LOSS), 0.5, 0.75)
    zoomed = ink(card(page, LOSS), lambda found: found.count > 300)
    axis = page.get_by_role("toolbar", name="Charts").get_by_label("X axis")
    axis.select_option("Wall time")
    ink(card(page, LOSS), lambda found: found.count > 300 and found.right - found.left > 0.8 * found.width)
    axis.select_option("Step")
    ink(card(page, LOSS), lambda found: found == zoomed)
    axis.select_option("Wall time")
    drag(card(page, LOSS), 0.5, 0.75)
    expect(page).to_have_url(re.compile("zoom=[^&]*wall"))
    page.get_by_role("link", name="Compare", exact=True).click()
    ink(card(page, LOSS), lambda found: found.count > 300)
    page.get_by_role("button", name="Reset zoom").click()
    expect(page).not_to_have_url(re.compile("zoom="))


def test_the_tooltip_has_all_runs_in_full(page: Page):
    ink(card(page, LOSS))
    card(page, LOSS).locator(".u-over").hover()
    tip = page.get_by_role("tooltip")
    for run in ("adam 0.1", "adam 0.01", "adam 0.001", "sgd 0.1", "sgd 0.01", "sgd 0.001"):
        expect(tip).to_contain_text(run)


def test_smoothing_keeps_the_raw_values(page: Page):
    plain = ink(card(page, LOSS)).count
    page.get_by_role("toolbar", name="Charts").get_by_role("slider", name="Smoothing").fill("0.95")
    expect(card(page, LOSS)).to_contain_text("smoothed, raw behind")
    ink(card(page, LOSS), lambda found: found.count != plain)
    card(page, LOSS).locator(".u-over").hover()
    expect(page.get_by_role("tooltip")).to_contain_text("Raw")


@pytest.mark.parametrize("axis", ["Relative step", "Wall time", "Relative time", "Metric"])
def test_every_x_axis_draws(page: Page, axis: str):
    ink(card(page, LOSS))
    tools = page.get_by_role("toolbar", name="Charts")
    tools.get_by_label("X axis").select_option(axis)
    if axis == "Metric":
        tools.locator("input[list]").fill("train/accuracy")
        tools.locator("input[list]").press("Enter")
        tools.locator("input[list]").blur()
        axis = "train/accuracy"
    ink(card(page, LOSS), lambda found: found.count > 300)
    expect(page).to_have_url(re.compile("[?&]x="))


def test_logarithmic_axes(page: Page):
    before = ink(card(page, LOSS))
    page.get_by_role("button", name="Log y").first.click()
    page.get_by_role("button", name="Log x").first.click()
    ink(card(page, LOSS), lambda found: found.count > 300 and found != before)


def test_the_legend_hides_and_isolates(page: Page):
    all_runs = ink(card(page, LOSS)).count
    legend = card(page, LOSS).get_by_role("list", name="Legend")
    legend.get_by_role("button", name="adam 0.1", exact=True).click()
    expect(legend.get_by_role("button", name="adam 0.1", exact=True)).to_have_attribute("aria-pressed", "false")
    ink(card(page, LOSS), lambda found: 0 < found.count < all_runs)
    legend.get_by_role("button", name="sgd 0.1", exact=True).click(modifiers=["Alt"])
    ink(card(page, LOSS), lambda found: 0 < found.count < all_runs / 3)


def test_a_pinned_card_stands_first_and_fills_the_screen(page: Page):
    ink(card(page, LOSS))
    page.get_by_role("button", name="Pin valid/loss").click()
    pinned = page.get_by_role("region", name="Pinned")
    expect(pinned.get_by_role("article", name="valid/loss")).to_be_visible()
    page.get_by_role("button", name=f"Show {LOSS} on the full screen").click()
    full = page.get_by_role("dialog", name=LOSS)
    expect(full).to_be_visible()
    page.keyboard.press("Escape")
    expect(full).to_have_count(0)
    page.reload()
    expect(pinned.get_by_role("article", name="valid/loss")).to_be_visible()


def test_a_card_is_dragged_to_another_place(page: Page, look: Callable[..., Person], filled: Server):
    cards = page.get_by_role("region", name="train", exact=True).get_by_role("heading", level=3)
    expect(cards).to_have_text(["train/accuracy", LOSS])
    ink(card(page, LOSS))
    page.get_by_role("button", name=f"Move {LOSS}").drag_to(card(page, "train/accuracy"))
    expect(cards).to_have_text([LOSS, "train/accuracy"])
    page.get_by_role("button", name=f"Move {LOSS}").press("ArrowRight")
    expect(cards).to_have_text(["train/accuracy", LOSS])
    page.get_by_role("button", name=f"Move {LOSS}").press("ArrowLeft")
    expect(cards).to_have_text([LOSS, "train/accuracy"])
    other = look(filled.url).page
    other.goto(page.evaluate("location.href"))
    there = other.get_by_role("region", name="train", exact=True).get_by_role("heading", level=3)
    expect(there).to_have_text([LOSS, "train/accuracy"])


def test_csv_has_every_point(page: Page):
    ink(card(page, LOSS))
    page.get_by_role("button", name=f"More about {LOSS}").click()
    with page.expect_download() as begun:
        page.get_by_role("button", name="CSV").click()
    rows = list(csv.DictReader(begun.value.path().read_text(encoding="utf-8-sig").splitlines()))
    assert len(rows) == 6 * STEPS
    mine = [row for row in rows if "adam 0.1" in row.values()]
    values = {float(value) for row in mine for name, value in row.items() if name == "value"}
    assert values == {loss_of("0.1", "adam", step) for step in range(STEPS)}


@pytest.mark.parametrize("kind", ["PNG", "SVG"])
def test_pictures_are_saved(page: Page, kind: str):
    ink(card(page, LOSS))
    page.get_by_role("button", name=f"More about {LOSS}").click()
    with page.expect_download() as begun:
        page.get_by_role("button", name=kind, exact=True).click()
    content = begun.value.path().read_bytes()
    assert content.startswith(b"\x89PNG" if kind == "PNG" else b"<svg")
    assert kind == "PNG" or b"<script" not in content


def test_a_running_run_is_followed(person: Person, filled: Server):
    ask(filled.url, "/runs", {"id": "live", "name": "live"})
    send(filled, 0, 50)
    page = person.go("charts", shown="live")
    expect(card(page, "climb")).to_contain_text("50 points")
    send(filled, 50, 80)
    expect(card(page, "climb")).to_contain_text("80 points")
    ink(card(page, "climb"))
    drag(card(page, "climb"), 0.2, 0.6)
    expect(page).to_have_url(re.compile("zoom="))
    zoomed = page.evaluate("location.href")
    send(filled, 80, 90)
    page.wait_for_timeout(1500)
    assert page.evaluate("location.href") == zoomed, "new points leave the zoom alone"
    ask(filled.url, "/runs/live", {"status": "FINISHED"}, verb="PATCH")


def send(server: Server, begin: int, end: int) -> None:
    steps = list(range(begin, end))
    series = [{"metric": "climb", "steps": steps, "values": [float(step) for step in steps]}]
    ask(server.url, "/runs/live/points", {"series": series})


def test_a_new_run_appears_in_the_list(person: Person, filled: Server):
    begun = ask(filled.url, "/experiments", {"name": "begun later"})["id"]
    ask(filled.url, "/runs", {"id": "begun-1", "name": "begun first", "experiment_id": begun, "status": "FINISHED"})
    person.page.clock.install()
    page = person.go("charts", experiments=str(begun), shown="begun-1")
    runs = page.get_by_role("complementary", name="Runs")
    expect(runs).to_contain_text("1 listed")
    ask(filled.url, "/runs", {"id": "begun-2", "name": "begun second", "experiment_id": begun, "status": "FINISHED"})
    page.clock.run_for(31_000)
    expect(runs.get_by_role("link", name="begun second")).to_be_visible()


def test_what_has_ended_is_seldom_asked_for(person: Person, filled: Server):
    found = ask(filled.url, "/experiments")["experiments"]
    searches: list[str] = []
    person.page.clock.install()
    person.page.on("request", lambda request: searches.append(request.url) if "runs/search" in request.url else None)
    page = person.go("charts", experiments=str(found["id"][found["name"].index(DIGITS)]), live="1")
    ink(card(page, LOSS))
    page.clock.pause_at(page.evaluate("Date.now()") / 1000 + 60)  # a slow machine's seconds are not counted
    searches.clear()
    for _ in range(30):  # seconds of the page's clock
        page.clock.run_for(1000)
        page.evaluate("fetch('../api/v1/session')")  # as long as an answer takes
    assert 1 <= len(searches) < 15
