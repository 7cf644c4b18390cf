"""What follows the pointer and the keys: the cursor of all charts, the run that stands out, axes that are dragged."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from browser.filling import DIGITS, STEPS, ask, loss_of
from browser.looking import Ink, card, ink
from browser.person import Person
from serving import Server

LOSS, OTHER = "train/loss", "valid/loss"
ABOVE = "canvas.above"  # what moves with the pointer lies on a canvas of its own


@pytest.fixture
def digits(filled: Server) -> str:
    """The id of the sweep."""
    found = ask(filled.url, "/experiments")["experiments"]
    return str(found["id"][found["name"].index(DIGITS)])


@pytest.fixture
def page(person: Person, digits: str) -> Page:
    """The sweep in the workspace, drawn."""
    page = person.go("charts", experiments=digits)
    for metric in (LOSS, OTHER):
        ink(card(page, metric))
    return page


def standing(part: float) -> Callable[[Ink], bool]:
    """Whether something stands at this part of the width."""
    return lambda found: found.left <= part * found.width <= found.right


def test_the_cursor_stands_at_the_same_place_in_all_charts(page: Page):
    over = card(page, LOSS).locator(".u-over")
    box = over.bounding_box()
    assert box is not None
    for part in (0.5, 0.75):
        over.hover(position={"x": part * box["width"], "y": 4})  # above all curves by then
        for metric in (LOSS, OTHER):
            at = ink(card(page, metric), standing(part), where=ABOVE)
            assert at.right - at.left < 12, "dots on the curves, below each other"
    page.mouse.move(5, 5)
    ink(card(page, OTHER), lambda found: found.count == 0, where=ABOVE)


def test_a_run_of_the_list_stands_out_in_every_chart(page: Page):
    runs = page.get_by_role("complementary", name="Runs")
    runs.get_by_role("link", name="adam 0.1", exact=True).hover()
    for metric in (LOSS, OTHER):
        one = ink(card(page, metric), where=ABOVE)
        # One curve, from the left edge to the right.
        assert one.right - one.left > 0.95 * one.width
        assert one.count < ink(card(page, metric)).count
    page.get_by_role("searchbox", name="Metrics").hover()
    ink(card(page, LOSS), lambda found: found.count == 0, where=ABOVE)


def test_the_run_below_the_pointer_is_marked_in_the_list(page: Page):
    over = card(page, LOSS).locator(".u-over")
    box = over.bounding_box()
    assert box is not None
    lit = page.locator(".runlist li.lit")
    expect(lit).to_have_count(0)
    # At the end the lowest curve of all is that of adam 0.1, in the last twentieth of the height.
    over.hover(position={"x": 0.98 * box["width"], "y": 0.95 * box["height"]})
    expect(lit).to_have_text("adam 0.1")
    ink(card(page, OTHER), lambda found: found.right - found.left > 0.95 * found.width, where=ABOVE)


@pytest.mark.parametrize(("axis", "name"), [("x", "zoom="), ("y", "own=")])
def test_an_axis_is_dragged(page: Page, axis: str, name: str):
    before, other = ink(card(page, LOSS)), ink(card(page, OTHER))
    grip = card(page, LOSS).locator(f".grip-{axis}")
    box = grip.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 60 * (axis == "x"), y - 60 * (axis == "y"), steps=4)
    page.mouse.up()
    expect(page).to_have_url(re.compile(f"[?&]{name}"))
    if axis == "x":
        # To the left went what is at the left; behind the last step there is nothing.
        moved = ink(card(page, LOSS), lambda found: found.right < before.right - 40)
        assert moved.left <= before.left + 2
        ink(card(page, OTHER), lambda found: found != other)
    else:
        ink(card(page, LOSS), lambda found: found.bottom < before.bottom - 40)
        assert ink(card(page, OTHER)) == other


def test_outliers_are_left_out_of_the_axis_and_that_is_said(person: Person):
    page = person.go("charts", shown="spike")
    ink(
        card(page, "spiky"), lambda found: found.bottom > 0.75 * found.height
    )  # the line is at the bottom, for the spike
    page.get_by_role("button", name="Clip outliers").click()
    ink(card(page, "spiky"), lambda found: found.bottom < 0.7 * found.height)
    expect(card(page, "spiky")).to_contain_text(re.compile("outside|left out", re.IGNORECASE))
    page.get_by_role("button", name="Clip outliers").click()
    ink(card(page, "spiky"), lambda found: found.bottom > 0.75 * found.height)


def test_keys_move_the_cursor_and_pin_it(page: Page):
    card(page, LOSS).get_by_role("img", name=re.compile("chart of 6 lines")).focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    tip = card(page, LOSS).get_by_role("tooltip")
    expect(tip).to_contain_text("Step")
    page.keyboard.press("Enter")
    pinned = card(page, LOSS).get_by_role("dialog", name="Values at the pinned place")
    step = int(re.sub(r"\D", "", pinned.locator(".tip-head").inner_text().split("\n")[0]))
    assert 0 < step < STEPS
    expect(pinned).to_contain_text(f"{loss_of('0.1', 'adam', step):.6g}")
    page.keyboard.press("ArrowRight")
    expect(pinned).to_contain_text(f"Step {step + 1}")
    page.keyboard.press("Escape")
    expect(pinned).to_have_count(0)


def test_the_tooltip_leaves_the_chart_free(page: Page):
    page.get_by_role("toolbar", name="Charts").get_by_label("Columns").select_option("1")
    over = card(page, LOSS).locator(".u-over")
    ink(card(page, LOSS), lambda found: found.width > 900)
    for part in (0.1, 0.5, 0.9):
        box = over.bounding_box()
        assert box is not None
        over.hover(position={"x": part * box["width"], "y": box["height"] / 2})
        tip = card(page, LOSS).get_by_role("tooltip")
        expect(tip).to_contain_text("adam 0.1")
        told = tip.bounding_box()
        assert told is not None
        assert told["y"] >= box["y"] + box["height"] or told["y"] + told["height"] <= box["y"]
        assert told["x"] >= 0
        assert told["x"] + told["width"] <= 1400


def test_the_focus_goes_to_the_full_screen_and_back(page: Page):
    show = page.get_by_role("button", name=f"Show {OTHER} on the full screen")
    show.focus()
    page.keyboard.press("Enter")
    full = page.get_by_role("dialog", name=OTHER)
    close = full.get_by_role("button", name="Close full screen")
    expect(close).to_be_focused()
    for _ in range(30):
        page.keyboard.press("Tab")
        within = "dialog => dialog.contains(document.activeElement) || document.activeElement === document.body"
        assert full.evaluate(within), "nothing behind the card is reached"
    close.focus()
    page.keyboard.press("Enter")
    expect(full).to_have_count(0)
    expect(show).to_be_focused()
    page.keyboard.press("Enter")
    expect(close).to_be_focused()
    page.keyboard.press("Escape")
    expect(show).to_be_focused()
    page.get_by_role("searchbox", name="Metrics").focus()
    expect(page.get_by_role("searchbox", name="Metrics")).to_be_focused()


def test_a_filter_is_completed(person: Person, digits: str):
    page = person.go("runs", experiments=digits)
    expect(page.get_by_text("6 runs", exact=True)).to_be_visible()
    box = page.get_by_label("Search runs by name or filter")
    box.press_sequentially("metrics.tr")
    proposals = page.get_by_role("listbox", name="Proposals")
    expect(proposals.get_by_role("option")).to_have_text(["train/accuracy", "train/loss"])
    box.press("ArrowDown")
    box.press("ArrowDown")
    box.press("Enter")
    expect(box).to_have_value(re.compile(r"^metrics\.`?train/loss`?"))
    box.press("End")
    box.press_sequentially(" < 0.2 AND par")
    expect(proposals.get_by_role("option").first).to_contain_text("params.")
    box.press("ArrowDown")
    box.press("Enter")
    box.press_sequentially("optim")
    expect(proposals.get_by_role("option")).to_have_text(["optimizer"])
    box.press("ArrowDown")
    box.press("Enter")
    box.press_sequentially(" = 'adam'")
    box.press("Enter")
    expect(page.get_by_text("1 run", exact=True)).to_be_visible()
    expect(page.get_by_role("grid", name="Runs").get_by_role("link")).to_have_text(["adam 0.1"])
