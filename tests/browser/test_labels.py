"""The label sets of a metric, and steps of 64 bits: as lines, in legends, and in files."""

from __future__ import annotations

import csv

import pytest
from playwright.sync_api import Download, Page, expect

from browser.filling import ask, points
from browser.looking import card, ink
from browser.person import Person
from serving import Server

HUGE = 2**53 + 1
RUNS = ("labelled-a", "labelled-b")
SHOWN = ",".join(RUNS)
WORKERS = 60


@pytest.fixture(scope="module")
def labelled(filled: Server) -> Server:
    """Two runs with folds and with more workers than two runs can show."""
    for number, run in enumerate(RUNS):
        ask(
            filled.url,
            "/runs",
            {"id": run, "name": f"run {run[-1]}", "status": "FINISHED", "params": {"lr": str(number)}},
        )
        folds = [
            points("loss", [fold] * 3, [0, 1, HUGE], labels={"fold": name}) for fold, name in ((1, "1"), (2, "été"))
        ]
        workers = [points("busy", [worker], labels={"worker": str(worker)}) for worker in range(WORKERS)]
        ask(
            filled.url,
            f"/runs/{run}/points",
            {"series": [*folds, *workers, points("plain", [1, 2]), points("损失/é", [1, 2])]},
        )
    return filled


def names(page: Page, metric: str) -> list[str]:
    return card(page, metric).get_by_label("Legend").get_by_role("button").all_text_contents()


def saved(page: Page, metric: str) -> Download:
    page.get_by_role("button", name=f"More about {metric}", exact=True).click()
    with page.expect_download() as begun:
        page.get_by_role("button", name="CSV").click()
    return begun.value


def rows_of(page: Page, metric: str) -> list[dict[str, str]]:
    return list(csv.DictReader(saved(page, metric).path().read_text(encoding="utf-8").splitlines()))


def test_charts_draw_each_label_set(person: Person, labelled: Server):
    page = person.go("charts", shown=SHOWN, metrics="^(loss|plain)$")
    lines = ["fold=1 · run a", "fold=été · run a", "fold=1 · run b", "fold=été · run b"]
    legend = card(page, "loss").get_by_label("Legend")
    expect(legend.get_by_role("button")).to_have_text(lines)
    expect(card(page, "plain").get_by_label("Legend").get_by_role("button")).to_have_text(["run a", "run b"])
    flat = ink(card(page, "loss"))
    assert flat.bottom - flat.top > 40, "the lines of both folds, apart"
    for name in ("fold=été · run a", "fold=été · run b"):
        legend.get_by_role("button", name=name).click()
    ink(card(page, "loss"), lambda found: 0 <= found.bottom - found.top < 12)  # flat, and no jump to the other
    expect(card(page, "plain").get_by_role("button", name="run a")).to_have_attribute("aria-pressed", "true")
    card(page, "loss").locator(".u-over").hover()
    expect(page.get_by_role("tooltip")).to_contain_text("fold=1 · run a")


def test_a_run_of_the_list_lights_all_its_lines(person: Person, labelled: Server):
    page = person.go("charts", shown=SHOWN, metrics="^loss$")
    ink(card(page, "loss"))
    page.get_by_label("Runs", exact=True).get_by_role("link", name="run a").hover()
    lit = ink(card(page, "loss"), where="canvas.above")
    assert lit.bottom - lit.top > 40, "both folds"
    card(page, "loss").get_by_role("button", name="fold=1 · run b").hover()
    expect(page.locator(".runlist li.lit")).to_have_text("run b")


def test_label_sets_without_room_are_counted(person: Person, labelled: Server):
    page = person.go("charts", shown=SHOWN, metrics="^busy$")
    expect(card(page, "busy").locator(".chart-notes")).to_contain_text("10 label sets left out")
    assert len(names(page, "busy")) == 100
    page = person.go("compare", shown=SHOWN, colour_by="params.lr", metrics="^busy$")
    expect(card(page, "busy").locator(".chart-notes")).to_contain_text("10 label sets left out")


def test_compare_draws_each_label_set_of_each_group(person: Person, labelled: Server):
    page = person.go("compare", shown=SHOWN, metrics="^(loss|plain)$")
    legend = card(page, "loss").get_by_label("Legend").get_by_role("button")
    expect(legend).to_have_text(["fold=1 · n = 2 runs", "fold=été · n = 2 runs"])
    expect(card(page, "plain").get_by_label("Legend").get_by_role("button")).to_have_text(["All runs · n = 2 runs"])
    page.get_by_label("Colour by").select_option("params.lr")
    groups = [f"fold={fold} · lr = {lr} · n = 1 run" for lr in (0, 1) for fold in ("1", "été")]
    expect(legend).to_have_text(groups)


def test_a_file_has_labels_and_unrounded_steps_of_what_is_drawn(person: Person, labelled: Server):
    page = person.go("charts", shown=SHOWN, metrics="^loss$")
    ink(card(page, "loss"))
    card(page, "loss").get_by_role("button", name="fold=été · run b").click()
    rows = rows_of(page, "loss")
    assert {(row["run_id"], row["labels"]) for row in rows} == {
        (RUNS[0], '{"fold":"1"}'),
        (RUNS[0], '{"fold":"été"}'),
        (RUNS[1], '{"fold":"1"}'),
    }
    assert [row["step"] for row in rows] == ["0", "1", str(HUGE)] * 3


def test_label_sets_stand_along_a_metric_that_has_none(person: Person, labelled: Server):
    page = person.go("charts", shown=SHOWN, metrics="^loss$", x="metric", x_metric="plain")
    flat = ink(card(page, "loss"))
    assert flat.bottom - flat.top > 40
    expect(card(page, "loss").get_by_label("Legend").get_by_role("button")).to_have_count(4)


def test_a_file_is_called_as_its_metric(person: Person, labelled: Server):
    page = person.go("charts", shown=SHOWN, metrics="损失")
    ink(card(page, "损失/é"))
    assert saved(page, "损失/é").suggested_filename == "损失_é.csv"
