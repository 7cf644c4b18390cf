"""What a curve looks like: the coloured pixels of a card's canvas. Text and grids are grey, lines are not."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Locator, Page, expect

from browser.person import PATIENCE

INK = """image => {
    const { width, height } = image;
    // On a copy: reading the page's own canvas would make it slow.
    const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    copy.drawImage(image, 0, 0);
    const { data } = copy.getImageData(0, 0, width, height);
    const found = { width, height, count: 0, top: height, bottom: -1, left: width, right: -1 };
    for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
        const at = 4 * (y * width + x);
        const [r, g, b, a] = data.slice(at, at + 4);
        if (a < 40 || Math.max(r, g, b) - Math.min(r, g, b) < 30) continue;
        found.count++;
        found.top = Math.min(found.top, y);
        found.bottom = Math.max(found.bottom, y);
        found.left = Math.min(found.left, x);
        found.right = Math.max(found.right, x);
    }
    return found;
}"""
SEEN = f"""async text => {{
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    return ({INK})(await createImageBitmap(new Blob([bytes])));
}}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ink:
    """Where coloured pixels are on a canvas, in its pixels from the top left; `count` 0: there are none."""

    width: int
    height: int
    count: int
    top: int
    bottom: int
    left: int
    right: int


def card(page: Page, metric: str) -> Locator:
    """The card of a metric."""
    return page.get_by_role("article", name=metric, exact=True)


def ink(of: Locator, wanted: Callable[[Ink], bool] = lambda found: found.count > 0, *, where: str = "canvas") -> Ink:
    """The curve of a card once all its points are there and it is as wanted; or what is drawn elsewhere in the card.

    What changed last is drawn a frame later. AssertionError with what there is when it does not become as wanted.
    """
    deadline = time.monotonic() + PATIENCE / 1000
    while True:
        expect(of).not_to_have_attribute("aria-busy", "true")
        canvas = of.locator(where).first
        expect(canvas).to_be_visible()
        found = Ink(**canvas.evaluate(INK))
        if wanted(found):
            return found
        assert time.monotonic() < deadline, f"the curve stays otherwise: {found}"
        of.page.wait_for_timeout(50)


def seen(of: Locator, begin: float = 0, end: float = 1) -> Ink:
    """The coloured pixels of anything on the page, between two parts of its width."""
    of.scroll_into_view_if_needed()
    box = of.bounding_box()
    assert box is not None
    at = {"x": box["x"] + begin * box["width"], "width": (end - begin) * box["width"]}
    picture = of.page.screenshot(clip={"y": box["y"], "height": box["height"], "x": at["x"], "width": at["width"]})
    return Ink(**of.page.evaluate(SEEN, b64encode(picture).decode()))
