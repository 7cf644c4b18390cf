"""The frame: places, themes, keys, links, sign-in, and a server under a path."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from browser.filling import DIGITS, PLUTO_RUN, ask
from browser.looking import card, ink
from browser.person import Person
from proxying import PREFIX, Behind, behind_proxy
from serving import Server


@pytest.fixture
def digits(filled: Server) -> str:
    """The id of the sweep's experiment."""
    found = ask(filled.url, "/experiments")["experiments"]
    return str(found["id"][found["name"].index(DIGITS)])


def test_every_place_and_back(person: Person):
    page = person.go("runs")
    for place in ("Charts", "Compare", "Admin", "Runs"):
        page.get_by_role("navigation", name="Places").get_by_role("link", name=place).click()
        expect(page.get_by_role("link", name=place, exact=True)).to_have_attribute("aria-current", "page")
    page.go_back()
    expect(page.get_by_role("link", name="Admin", exact=True)).to_have_attribute("aria-current", "page")


def test_a_link_opens_the_same_view(person: Person, look, filled: Server):
    page = person.go("runs")
    box = page.get_by_role("combobox", name="Search runs").or_(page.get_by_label("Search runs by name or filter")).first
    box.fill("pluto")
    box.press("Enter")
    expect(page.get_by_role("link", name=PLUTO_RUN)).to_be_visible()
    expect(page.get_by_role("link", name="adam 0.1", exact=True)).to_have_count(0)
    other = look(filled.url)
    other.page.goto(page.evaluate("location.href"))
    expect(other.page.get_by_role("link", name=PLUTO_RUN)).to_be_visible()
    expect(other.page.get_by_role("link", name="adam 0.1", exact=True)).to_have_count(0)


def test_a_key_goes_to_the_search(person: Person):
    page = person.go("runs")
    expect(page.get_by_role("link", name="adam 0.1", exact=True)).to_be_visible()
    page.keyboard.press("/")
    expect(page.get_by_label("Search runs by name or filter")).to_be_focused()


def test_a_key_tells_the_keys(person: Person):
    page = person.go("runs")
    expect(page.get_by_role("link", name="adam 0.1", exact=True)).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Go to the search")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_theme_is_kept(person: Person):
    page = person.go("runs")
    button = page.get_by_role("button", name="Theme")
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    for theme in ("light", "dark"):
        button.click()
        expect(button).to_have_text(f"Theme: {theme}")
    body = page.locator("body")
    expect(body).not_to_have_css("background-color", before)
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.reload()
    expect(button).to_have_text("Theme: dark")
    expect(body).to_have_css("background-color", dark)


def test_an_answer_that_fails_can_be_asked_again(person: Person):
    person.expect("503|Failed to load")
    person.page.route("**/api/v1/runs/search", lambda route: route.fulfill(status=503, body="{}"), times=1)
    page = person.go("compare", live="0")
    page.get_by_role("button", name="Try again").first.click()
    expect(page.get_by_text("runs.", exact=False).first).to_be_visible()


def test_a_server_that_was_away_is_asked_again(person: Person, digits: str):
    person.expect("503|Failed to load")
    for path in ("session", "runs/search", "summaries", "buckets"):
        person.page.route(f"**/api/v1/{path}", lambda route: route.fulfill(status=503, body="{}"), times=1)
    page = person.go("charts", experiments=digits)
    ink(card(page, "train/loss"))
    page.get_by_role("link", name="Runs", exact=True).click()
    page.get_by_role("row").nth(1).get_by_role("gridcell").first.click()
    # Who may write is known by now.
    expect(page.get_by_role("toolbar", name="Selected runs").get_by_role("button", name="Archive")).to_be_visible()


def test_a_telephone_shows_whole_charts(look: Callable[..., Person], filled: Server, digits: str):
    person = look(filled.url, viewport={"width": 390, "height": 844})
    page = person.go("charts", experiments=digits)
    assert ink(card(page, "train/loss")).width > 300
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing is wider than the window"
    for view in ("scatter", "parallel"):
        page = person.go("compare", experiments=digits, view=view)
        text = page.locator(".points text").first
        expect(text).to_be_visible()
        assert text.evaluate("text => text.getScreenCTM().a * 12") > 7, "texts are large enough to be read"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.fixture(params=["alone", "behind nginx, under a path"])
def guarded(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Behind]:
    """A server that wants credentials."""
    if request.param == "alone":
        with Server(tmp_path / "data", args=["--auth", "required"]) as server:
            yield Behind(server, server.url)
    else:
        with behind_proxy(tmp_path) as behind:
            assert PREFIX in behind.url
            yield behind


def test_a_workspace_that_no_header_can_name(person: Person):
    page = person.go("runs", workspace="\u7814\u7a76")
    expect(page.get_by_role("alert")).to_contain_text("There is no workspace \u7814\u7a76.")


def test_signing_in_and_out(look: Callable[..., Person], guarded: Behind):
    secret = guarded.credential(workspace="*", role="admin")["secret"]
    person = look(guarded.url)
    person.expect("401")
    page = person.go("runs")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    for wrong, said in {"sw_wrong": "does not take", "sw_\u201cwrong\u201d": "letters that no secret has"}.items():
        page.get_by_label("Secret").fill(wrong)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_contain_text(said)
    page.get_by_label("Secret").fill(secret)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("No runs").first).to_be_visible()
    ask(guarded.url, "/runs", {"id": "first", "name": "the first", "status": "FINISHED"}, secret=secret)
    ask(guarded.url, "/runs/first/artifacts/notes.txt", b"all went well", verb="PUT", secret=secret)
    page.reload()
    expect(page.get_by_role("link", name="the first")).to_be_visible()
    assert secret not in page.url
    page = person.go("runs/first", part="files", file="notes.txt")
    expect(page.get_by_text("all went well")).to_be_visible()
    page = person.go("runs/first", part="code", client="curl")
    expect(page.get_by_text(f"{guarded.url}/api/v1/runs/first", exact=False).first).to_be_visible()
    assert secret not in page.content()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_revoked_credential_is_told_of_and_another_goes_on(look: Callable[..., Person], guarded: Behind):
    admin = guarded.credential(workspace="*", role="admin")["secret"]
    reader = guarded.credential(role="reader")
    ask(guarded.url, "/runs", {"id": "long", "name": "a long run"}, secret=guarded.credential()["secret"])
    person = look(guarded.url)
    person.expect("401")
    page = person.go("charts", metrics="loss")
    page.get_by_label("Secret").fill(reader["secret"])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("link", name="a long run")).to_be_visible()
    ask(guarded.url, f"/credentials/{reader['id']}", verb="DELETE", secret=admin)
    expect(page.get_by_role("alert")).to_contain_text("expired, or somebody revoked it")
    page.get_by_label("Secret").fill("sw_wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert").last).to_contain_text("does not take")
    page.get_by_label("Secret").fill(guarded.credential(role="reader")["secret"])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("link", name="a long run")).to_be_visible()
    expect(page.get_by_placeholder("loss|accuracy")).to_have_value("loss")
    expect(page.get_by_role("alert")).to_have_count(0)
