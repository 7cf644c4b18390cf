"""The place of admins: health and usage, workspaces, credentials."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
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


def test_what_workspaces_hold_and_what_is_being_written(look: Callable[..., Person], tmp_path: Path):
    points = {"metric": "loss", "steps": [1, 2], "values": [0.5, 0.25]}
    with Server(tmp_path / "data") as server, httpx.Client(base_url=f"{server.url}/api/v1", timeout=60) as api:
        assert api.post("/runs", json={"id": "busy", "name": "busy bee"}).status_code == 201
        assert api.post("/runs/busy/points", json={"series": [points]}).status_code == 200
        assert api.put("/quotas", json={"workspace": "default", "points": 500}).status_code == 200
        page = look(server.url).go("admin")
        expect(page.get_by_role("region", name="Workspaces").get_by_role("cell", name="2 of 500")).to_be_visible()
        now = page.get_by_role("region", name="Right now")
        expect(now).to_contain_text("Points per second")
        for step in range(3, 200):  # until the page looks while points wait in memory
            if now.get_by_role("cell", name="busy bee").count():
                break
            more = {**points, "steps": [step], "values": [0.5]}
            assert api.post("/runs/busy/points", json={"series": [more]}).status_code == 200
            page.wait_for_timeout(300)
        expect(now.get_by_role("cell", name="busy bee")).to_be_visible()
        page.goto("about:blank")  # before its server goes


def test_the_audit_log_is_narrowed_and_paged(look: Callable[..., Person], guarded: Behind):
    """Sixty runs are purged with one credential: a page has fifty entries."""
    writer = guarded.credential(workspace="default", role="writer")
    admin = guarded.credential(workspace="*", role="admin")
    with httpx.Client(
        base_url=f"{guarded.url}/api/v1", headers={"Authorization": f"Bearer {writer['secret']}"}, timeout=60
    ) as client:
        for number in range(60):
            assert client.post("/runs", json={"id": f"run-{number:02}"}).status_code == 201
            assert client.delete(f"/runs/run-{number:02}?purge=true").status_code == 200
    person = look(guarded.url)
    person.expect("401")
    page = person.go("admin")
    sign_in(page, admin["secret"])
    log = page.get_by_role("region", name="Audit log")
    log.get_by_role("combobox", name="Action").select_option("run")
    expect(log.get_by_role("cell", name="run-59", exact=True)).to_be_visible()
    expect(log.get_by_role("row")).to_have_count(51)
    log.get_by_role("button", name="Older").click()
    expect(log.get_by_role("cell", name="run-00", exact=True)).to_be_visible()
    expect(log.get_by_role("row")).to_have_count(11)
    log.get_by_role("button", name="Newer").click()
    expect(log.get_by_role("cell", name="run-59", exact=True)).to_be_visible()
    log.get_by_role("textbox", name="Credential").fill(writer["id"])
    log.get_by_role("combobox", name="Within").select_option("1")
    expect(log.get_by_role("row")).to_have_count(51)
    log.get_by_role("textbox", name="Credential").fill("nobody")
    expect(log).to_contain_text("Nothing that fits was noted.")
    log.get_by_role("textbox", name="Credential").fill("")
    log.get_by_role("combobox", name="Action").select_option("credential")
    expect(log.get_by_role("cell", name=admin["id"], exact=True)).to_be_visible()
