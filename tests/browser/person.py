"""A person before the page: a browser that goes to places, looks, and minds everything that goes wrong.

What must never happen on any page is watched here: errors of scripts, requests to other machines, what the
Content-Security-Policy had to stop, dialogs that a user's text opened.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Dialog, Page, Request, Route, expect

SHOTS = Path(__file__).resolve().parents[2] / ".cache" / "shots"
PATIENCE = 60_000  # milliseconds until a text must be there; a loaded machine is slow
COMING = "[aria-busy=true], .loading, .coming"  # what stands where something is still to come


class Person:
    """A page of a server. `faults` is empty as long as all is well; `expect` names what a test provokes."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.url = url
        self.faults: list[str] = []
        self._expected: list[str] = []
        self._under_way: set[Request] = set()
        self.context = context
        context.route("**/*", self._at_home)
        self.page = self.open()

    def open(self) -> Page:
        """One more tab, minded as well."""
        page = self.context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: self._fault(f"error: {error.message}\n{error.stack or ''}"))
        page.on("console", self._heard)
        page.on("requestfailed", self._broken)
        page.on("request", self._left)
        page.on("requestfinished", self._over)
        page.on("requestfailed", self._over)
        page.on("dialog", self._asked)
        return page

    def expect(self, pattern: str) -> None:
        """Faults that match are part of this test."""
        self._expected.append(pattern)

    def go(self, place: str = "", **query: str) -> Page:
        """Goes to a place such as "runs/abc", from anew."""
        asked = f"?{urlencode(query)}" if query else ""
        self.page.goto("about:blank")
        self.page.goto(f"{self.url}/ui/#/{place}{asked}")
        return self.page

    def settled(self) -> Page:
        """The page once all that it shows now is there."""
        expect(self.page.locator(COMING)).to_have_count(0)
        self.page.wait_for_load_state("networkidle")
        expect(self.page.locator(COMING)).to_have_count(0)
        return self.page

    def be_answered(self) -> None:
        """Returns once no request is under way."""
        deadline = time.monotonic() + PATIENCE / 1000
        while self._under_way:
            assert time.monotonic() < deadline, f"no answer to {[request.url for request in self._under_way]}"
            self.page.wait_for_timeout(20)

    def shot(self, name: str, page: Page | None = None) -> None:
        """Keeps what is seen now."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        (page or self.page).screenshot(path=SHOTS / f"{re.sub(r'[^A-Za-z0-9.-]+', '_', name)}.png")

    def leave(self, name: str) -> None:
        """Keeps what is seen last, and closes the browser's windows."""
        self.shot(name)
        self.context.close()

    def _fault(self, text: str) -> None:
        if not any(re.search(pattern, text) for pattern in self._expected):
            self.faults.append(text)

    def _asked(self, dialog: Dialog) -> None:
        self._fault(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self._fault(f"console: {message.text}")

    def _left(self, request: Request) -> None:
        self._under_way.add(request)

    def _over(self, request: Request) -> None:
        self._under_way.discard(request)

    def _broken(self, request: Request) -> None:
        if request.failure not in {"net::ERR_ABORTED"}:  # what the page gave up itself
            self._fault(f"request: {request.url} {request.failure}")

    def _at_home(self, route: Route) -> None:
        asked = urlsplit(route.request.url)
        if asked.scheme in {"blob", "data"} or asked.netloc == urlsplit(self.url).netloc:
            route.fallback()
            return
        self._fault(f"foreign request: {route.request.url}")
        route.abort()
