"""One server filled through the real clients, one browser, and a person for each test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from browser.filling import fill
from browser.person import PATIENCE, Person
from serving import Server

PEOPLE = pytest.StashKey[list[Person]]()
expect.set_options(timeout=PATIENCE)
WIDE = {"width": 1400, "height": 900}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Sends everybody home when the test is over, and keeps what they saw last.

    Before any fixture ends: a page that still follows its server would find it gone, and that is no fault of the page.
    """
    failed = True
    try:
        yield
        failed = False
    finally:
        for person in item.stash.get(PEOPLE, []):
            person.leave(f"{'FAILED-' if failed else ''}{item.nodeid.rpartition('/')[2]}")


@pytest.fixture(scope="session")
def filled(shared_server: Server) -> Server:
    """A server with runs of every client; tests read it, and change only what they made."""
    fill(shared_server.url)
    return shared_server


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium. Without a sandbox: tests run as root in containers, and open our own page alone."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert program, "there is no chromium; install it (apt-get install chromium)"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def look(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Callable[..., Person]]:
    """look(url, **options of the context): a person. What went wrong on their pages fails the test."""
    people = request.node.stash.setdefault(PEOPLE, [])

    def come(url: str, **options: Any) -> Person:
        context = chromium.new_context(**{"viewport": WIDE, "color_scheme": "light", **options})
        people.append(Person(context, url))
        return people[-1]

    yield come
    for person in people:
        person.context.close()  # of a test that was never called
    faults = [fault for person in people for fault in person.faults]
    assert not faults, "\n".join(faults)


@pytest.fixture
def person(look: Callable[..., Person], filled: Server) -> Person:
    """Somebody who looks at the filled server."""
    return look(filled.url)
