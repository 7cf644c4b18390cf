"""One server filled through the real clients, one browser, and a person for each test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from browser.filling import fill
from browser.person import PATIENCE, Person
from serving import Server

KEY = pytest.StashKey[bool]()
expect.set_options(timeout=PATIENCE)
WIDE = {"width": 1400, "height": 900}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Remembers whether the test itself failed, for the name of its last picture."""
    report = yield
    if report.when == "call":
        item.stash[KEY] = report.failed
    return report


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
    """look(url, **options of the context): a person. At the end a picture is kept, and faults fail the test."""
    with ExitStack() as open_contexts:
        people: list[Person] = []

        def come(url: str, **options: Any) -> Person:
            context = chromium.new_context(**{"viewport": WIDE, "color_scheme": "light", **options})
            open_contexts.callback(context.close)
            people.append(Person(context, url))
            return people[-1]

        yield come
        failed = request.node.stash.get(KEY, True)
        for person in people:
            person.shot(f"{'FAILED-' if failed else ''}{request.node.nodeid.rpartition('/')[2]}")
        faults = [fault for person in people for fault in person.faults]
        assert not faults, "\n".join(faults)


@pytest.fixture
def person(look: Callable[..., Person], filled: Server) -> Person:
    """Somebody who looks at the filled server."""
    return look(filled.url)
