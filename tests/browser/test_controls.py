"""The controls beside the charts: what each changes is seen, stays in the address, and can be taken back."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import Locator, Page, expect

from browser.filling import DIGITS, OPTIMISERS, RATES, STEPS, ask, loss_of, points
from browser.looking import card, ink
from browser.person import Person
from serving import Server

LOSS = "train/loss"
OTHER = "valid/loss"
SWEEP = [f"{optimiser} {rate}" for optimiser in OPTIMISERS for rate in RATES]
COPYING = ["clipboard-read", "clipboard-write"]


@pytest.fixture
def place(filled: Server) -> dict[str, str]:
    """Where the sweep is."""
    found = ask(filled.url, "/experiments")["experiments"]
    return {"experiments": str(found["id"][found["name"].index(DIGITS)])}


@pytest.fixture
def page(person: Person, place: dict[str, str]) -> Page:
    """The sweep in the workspace."""
    return person.go("charts", **place)


def listed(page: Page, *names: str) -> None:
    """Exactly these runs stand in the list, in whatever order."""
    runs = page.get_by_role("complementary", name="Runs")
    for name in names:
        expect(runs.get_by_role("link", name=name, exact=True)).to_be_visible()
    expect(runs.get_by_role("link")).to_have_count(len(names))


def pull(of: Locator, begin: tuple[float, float], end: tuple[float, float]) -> None:
    """A drag over the drawing between two places, as parts of its width and its height."""
    box = of.locator(".u-over").bounding_box()
    assert box is not None
    (x, y), (to_x, to_y) = ((box["x"] + w * box["width"], box["y"] + h * box["height"]) for w, h in (begin, end))
    of.page.mouse.move(x, y)
    of.page.mouse.down()
    of.page.mouse.move((x + to_x) / 2, (y + to_y) / 2, steps=3)
    of.page.mouse.move(to_x, to_y, steps=3)
    of.page.mouse.up()


def test_runs_are_found_by_a_part_of_the_name_or_a_regular_expression(page: Page):
    listed(page, *SWEEP)
    find = page.get_by_role("searchbox", name="Find runs by name")
    find.fill("SGD")
    listed(page, *[name for name in SWEEP if name.startswith("sgd")])
    find.fill(r"/^adam 0\.0*1$/")
    listed(page, "adam 0.1", "adam 0.01", "adam 0.001")
    find.fill(r"/1$|sgd 0\.1/")
    expect(page.get_by_role("complementary").get_by_role("link")).to_have_count(6)
    find.fill("/^a.*01$")
    listed(page, "adam 0.01", "adam 0.001")
    find.fill("/(")
    expect(page.get_by_text("Invalid regular expression", exact=False)).to_be_visible()
    find.fill("")
    listed(page, *SWEEP)


def test_a_search_is_told_where_it_has_no_box(person: Person, place: dict[str, str]):
    page = person.go("charts", filter="sgd", **place)
    runs = page.get_by_role("complementary", name="Runs")
    expect(runs).to_contain_text("Search: sgd")
    listed(page, *[name for name in SWEEP if name.startswith("sgd")])
    page.get_by_role("link", name="Compare", exact=True).click()
    expect(page.get_by_role("main")).to_contain_text("3 runs.")
    expect(page.get_by_role("main")).to_contain_text("Search: sgd")
    page.get_by_role("button", name="Clear the search").click()
    expect(page.get_by_role("main")).to_contain_text("6 runs.")
    expect(page.get_by_text("Search: sgd")).to_have_count(0)


def test_a_run_far_behind_the_first_ones_is_found(person: Person, filled: Server):
    far = ask(filled.url, "/experiments", {"name": "far behind"})["id"]

    def make(number: int) -> None:
        run = {"name": f"nr {number:04}", "experiment_id": far, "status": "FINISHED", "start_time_us": number + 1}
        ask(filled.url, "/runs", run)

    with ThreadPoolExecutor(8) as several:
        list(several.map(make, range(1010)))
    page = person.go("charts", experiments=str(far))
    runs = page.get_by_role("complementary", name="Runs")
    expect(runs).to_contain_text("1,000 listed: from the first 1,000 of 1,010")
    page.get_by_role("searchbox", name="Find runs by name").fill("0003")
    listed(page, "nr 0003")
    page.get_by_role("searchbox", name="Find runs by name").fill("/000[34]$/")
    listed(page, "nr 0003", "nr 0004")
    page.get_by_role("searchbox", name="Find runs by name").fill("")
    expect(runs).to_contain_text("1,000 listed")
    page.locator(".runlist-rows").evaluate("each => each.scrollTo(0, each.scrollHeight)")
    expect(runs).to_contain_text("1,010 listed")


def test_more_runs_than_can_be_drawn_are_drawn_page_by_page(person: Person, filled: Server):
    ids = [f"many-{number:03}" for number in range(230)]

    def make(run: str) -> None:
        begun = {"start_time_us": int(run[-3:]) + 1}  # long ago: lists begin with the runs of others
        ask(filled.url, "/runs", {"id": run, "name": run, "status": "FINISHED", **begun})
        ask(filled.url, f"/runs/{run}/points", {"series": [points("flat", [float(run[-3:])])]})

    with ThreadPoolExecutor(8) as several:
        list(several.map(make, ids))
    page = person.go("charts", filter="many-")
    runs = page.get_by_role("complementary", name="Runs")
    expect(runs).to_contain_text("10 drawn, 230 listed")
    runs.get_by_role("button", name="Draw all 230").click()
    expect(runs).to_contain_text("Runs 1 to 200 of the 230 chosen ones: no more than 200 are drawn at once.")
    expect(runs).to_contain_text("200 drawn")
    expect(card(page, "flat")).to_contain_text("Every one of 200 points")
    runs.get_by_role("link", name="The next 30").click()
    expect(runs).to_contain_text("Runs 201 to 230 of the 230 chosen ones")
    expect(card(page, "flat")).to_contain_text("Every one of 30 points")
    page.reload()
    expect(card(page, "flat")).to_contain_text("Every one of 30 points")
    page.get_by_role("link", name="Compare", exact=True).click()
    expect(page.get_by_role("main")).to_contain_text("230 runs.")
    expect(page.get_by_role("main")).to_contain_text("The metrics are those of the first 200 of these runs.")
    expect(card(page, "flat")).to_contain_text("n = 230 runs")


def test_charts_are_as_high_and_as_many_beside_each_other_as_is_chosen(page: Page):
    before = ink(card(page, LOSS))
    tools = page.get_by_role("toolbar", name="Charts")
    tools.get_by_role("slider", name="Height").fill("500")
    high = ink(card(page, LOSS), lambda found: found.height > before.height)
    assert (high.height, high.width) == (500, before.width)
    assert high.bottom - high.top > 1.5 * (before.bottom - before.top), "the curve is higher, not only its card"
    tools.get_by_label("Columns").select_option("1")
    wide = ink(card(page, LOSS), lambda found: found.width > 2 * before.width)
    assert wide.height == 500
    page.reload()
    assert ink(card(page, LOSS)) == wide


def test_a_drag_with_shift_zooms_into_a_box(page: Page):
    before, other = ink(card(page, LOSS)), ink(card(page, OTHER))
    page.keyboard.down("Shift")
    # The right half, and of its height the part where all curves are by then.
    pull(card(page, LOSS), (0.5, 0.55), (0.95, 0.95))
    page.keyboard.up("Shift")
    expect(page).to_have_url(re.compile(r"own=.*y%3D", re.IGNORECASE))
    boxed = ink(card(page, LOSS), lambda found: found.top < before.height * 0.5 and found != before)
    zoomed = ink(card(page, OTHER), lambda found: found != other)  # along the bottom it follows
    page.reload()
    assert ink(card(page, LOSS)) == boxed
    assert ink(card(page, OTHER)) == zoomed
    # The same part of the bottom without shift: the height is that of what is seen there.
    card(page, LOSS).locator(".u-over").dblclick()
    ink(card(page, LOSS), lambda found: found == before)
    pull(card(page, LOSS), (0.5, 0.55), (0.95, 0.95))
    expect(page.get_by_role("button", name="Reset zoom")).to_be_visible()
    fitted = ink(card(page, LOSS), lambda found: found != before)
    assert fitted != boxed
    # The way back is the same for both.
    page.keyboard.down("Shift")
    pull(card(page, LOSS), (0.2, 0.2), (0.9, 0.9))
    page.keyboard.up("Shift")
    ink(card(page, LOSS), lambda found: found not in (before, fitted))
    page.get_by_role("button", name="Reset zoom").click()
    ink(card(page, LOSS), lambda found: found == before)
    expect(page.get_by_role("button", name="Reset zoom")).to_have_count(0)


def test_a_card_has_settings_of_its_own(page: Page):
    before, other = ink(card(page, LOSS)), ink(card(page, OTHER))
    page.get_by_role("button", name=f"More about {LOSS}").click()
    own = page.get_by_role("group", name="Settings of this card")
    own.get_by_role("button", name="Log y").click()
    logarithmic = ink(card(page, LOSS), lambda found: found != before)
    assert ink(card(page, OTHER)) == other
    own.get_by_role("slider", name="Smoothing").fill("0.99")
    expect(card(page, LOSS)).to_contain_text("smoothed, raw behind")
    expect(card(page, OTHER)).not_to_contain_text("smoothed")
    smooth = ink(card(page, LOSS), lambda found: found != logarithmic)
    page.reload()
    assert ink(card(page, LOSS)) == smooth
    assert ink(card(page, OTHER)) == other
    page.get_by_role("button", name=f"More about {LOSS}").click()
    page.get_by_role("button", name="As all cards").click()
    ink(card(page, LOSS), lambda found: found == before)


# Where a page comes without TLS browsers hide the newer way to the clipboard.
HIDDEN = "Object.defineProperty(window, 'isSecureContext', { value: false }); delete Navigator.prototype.clipboard;"


@pytest.mark.parametrize("secure", [True, False])
def test_what_stands_at_the_cursor_is_copied(
    look: Callable[..., Person], filled: Server, place: dict[str, str], secure: bool
):
    person = look(filled.url, permissions=COPYING)
    if not secure:
        person.page.add_init_script(HIDDEN)
    page = person.go("charts", **place)
    ink(card(page, LOSS))
    over = card(page, LOSS).locator(".u-over")
    over.hover()
    over.click()
    tip = page.locator(".tip.pinned")
    tip.get_by_role("button", name="Copy").click()
    expect(page.get_by_text("Copied.")).to_be_visible()
    rows = [line.split("\t") for line in pasted(look, filled).split("\n")]
    table = [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
    assert sorted(row["run"] for row in table) == sorted(SWEEP)
    raw = [float(row["raw"]) for row in table]
    assert raw == sorted(raw, reverse=True)
    step = int(table[0]["last_step"])
    assert 0 < step < STEPS
    for row in table:
        optimiser, rate = row["run"].split()
        assert float(row["raw"]) == loss_of(rate, optimiser, step), row
        expect(tip).to_contain_text(row["run"])


def pasted(look: Callable[..., Person], filled: Server) -> str:
    """What a page of another tab is given when it may read."""
    page = look(filled.url, permissions=COPYING).go("runs")
    return str(page.evaluate("navigator.clipboard.readText()"))
