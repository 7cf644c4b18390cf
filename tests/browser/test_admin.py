"""The place of admins: health and usage, workspaces, credentials."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from browser.person import Person
from proxying import Behind
from serving import Server


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Behind]:
    """A server that wants credentials."""
    with Server(tmp_path / "data", args=["--auth", "required"]) as server:
        yield Behind(server, server.url)


def sign_in(page: Page, secret: str) -> None:
    page.get_by_label("Secret").fill(secret)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Sign in")).to_have_count(0)


def test_health_usage_and_workspaces(person: Person):
    page = person.go("admin")
    expect(page.get_by_role("heading", name="Health and usage")).to_be_visible()
    expect(page.get_by_role("region", name="Workspaces")).to_contain_text("default")


def test_a_credential_is_shown_once_works_and_is_revoked(look: Callable[..., Person], guarded: Behind):
    person = look(guarded.url)
    person.expect("401")
    page = person.go("admin")
    sign_in(page, guarded.credential(workspace="*", role="admin")["secret"])
    form = page.get_by_role("form", name="New credential")
    form.get_by_label("What it is for").fill("the cluster")
    form.get_by_label("Role").select_option("reader")
    form.get_by_role("button", name="Make a credential").click()
    secret = page.get_by_role("textbox", name="Secret").input_value()
    assert secret.startswith("sw_")
    page.get_by_role("button", name="I have kept it").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert secret not in page.content()
    expect(page.get_by_role("region", name="Credentials")).to_contain_text("the cluster")

    reader = look(guarded.url)
    reader.expect("401")
    sign_in(reader.go("runs"), secret)
    expect(reader.page.get_by_text("No runs").first).to_be_visible()

    page.get_by_role("button", name="Revoke the cluster").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("Credential the cluster is revoked.")).to_be_visible()
    reader.page.reload()
    expect(reader.page.get_by_role("heading", name="Sign in")).to_be_visible()
