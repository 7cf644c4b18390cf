"""The page on paper: what is read, dark on white, and no chart cut in two."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from browser.filling import ask, points
from browser.looking import card, ink
from browser.person import Person
from serving import Server

METRICS = [f"metric {number}" for number in range(4)]
PLACES = {
    "run": ("runs/printed", {"part": "charts"}),
    "compare": ("compare", {"shown": "printed", "metrics": "^metric"}),
}
# The grey of a canvas, from 0 (black) to 255: the mean of its grid and its texts, most of which is grid.
GREY = """canvas => {
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d");
    copy.drawImage(canvas, 0, 0);
    const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
    let [sum, count] = [0, 0];
    for (let at = 0; at < data.length; at += 4) {
        const [r, g, b, a] = data.slice(at, at + 4);
        if (a < 250 || Math.max(r, g, b) - Math.min(r, g, b) > 25) continue;
        sum += r;
        count++;
    }
    return sum / count;
}"""


WITHIN = "chart => chart.getBoundingClientRect().right <= chart.closest('article').getBoundingClientRect().right"


@pytest.fixture(scope="module")
def printed(filled: Server) -> Server:
    """A run with four metrics."""
    ask(filled.url, "/runs", {"id": "printed", "name": "printed", "status": "FINISHED"})
    ask(filled.url, "/runs/printed/points", {"series": [points(metric, [1, 3, 2]) for metric in METRICS]})
    return filled


def charts(page: Page) -> list[float]:
    return [canvas.evaluate(GREY) for canvas in page.locator(".plot canvas:not(.above)").all()]


@pytest.mark.parametrize("place", PLACES)
def test_what_is_printed_is_light_and_whole(look, printed: Server, place: str):
    path, query = PLACES[place]
    person: Person = look(printed.url, color_scheme="dark")
    page = person.go(path, **query)
    for metric in METRICS[:3]:
        ink(card(page, metric))
    on_screen = charts(page)
    page.emulate_media(media="print", color_scheme="dark")
    for unread in ("navigation", "banner", "searchbox", "combobox"):
        expect(page.get_by_role(unread).locator("visible=true")).to_have_count(0)
    expect(card(page, METRICS[0])).to_be_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.wait_for_timeout(100)
    assert min(charts(page)) > max(on_screen), "the grid is that of a light ground"
    assert card(page, METRICS[0]).evaluate("card => getComputedStyle(card).breakInside") == "avoid"
    for chart in page.locator(".plot canvas:not(.above)").all():
        assert chart.evaluate(WITHIN), "nothing is cut off at the right"
    page.emulate_media(media="screen", color_scheme="dark")
    page.wait_for_timeout(100)
    assert {round(each) for each in charts(page)} == {round(each) for each in on_screen}, "dark again"
    expect(page.get_by_role("banner")).to_be_visible()
