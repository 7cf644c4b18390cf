"""Saved views: what is shown now, kept under a name for everybody."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from browser.filling import ask
from browser.person import Person
from serving import Server


def views(page: Page):
    """The panel of saved views, open."""
    page.get_by_role("button", name="Saved views").click()
    return page.get_by_role("dialog", name="Saved views")


def test_a_view_is_saved_opened_by_another_and_deleted(person: Person, look: Callable[..., Person], filled: Server):
    name = "sgd, <b>steepest</b>"
    page = person.go("runs", filter="sgd 0", table="run.status,param.learning_rate", order="params.learning_rate DESC")
    links = page.get_by_role("grid", name="Runs").locator("a[href*='/runs/']")
    expect(links).to_have_text(["sgd 0.1", "sgd 0.01", "sgd 0.001"])
    panel = views(page)
    panel.get_by_label("Keep what is shown now as").fill(name)
    panel.get_by_role("button", name="Save").click()
    expect(page.get_by_text(f"View {name} is saved.")).to_be_visible()
    other = look(filled.url).go("admin")
    views(other).get_by_role("link", name=name).click()
    links = other.get_by_role("grid", name="Runs").locator("a[href*='/runs/']")
    expect(links).to_have_text(["sgd 0.1", "sgd 0.01", "sgd 0.001"])
    expect(other.get_by_role("columnheader").filter(has_text="learning_rate")).to_be_visible()
    expect(other.get_by_role("columnheader").filter(has_text="Started")).to_have_count(0)
    views(other).get_by_role("button", name=f"Delete the view {name}").click()
    expect(other.get_by_text(f"View {name} is deleted.")).to_be_visible()
    assert name not in [view["name"] for view in ask(filled.url, "/views")["views"]]
    page.reload()
    panel = views(page)
    expect(panel.get_by_label("Keep what is shown now as")).to_be_visible()
    expect(panel.get_by_role("link", name=name)).to_have_count(0)
