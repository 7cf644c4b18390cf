"""The page of one run."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from browser.filling import CONFUSION, DIGITS, EXECUTION, HTML, PLUTO_RUN, STEPS, ask, loss_of
from browser.looking import card, ink
from browser.person import Person
from serving import Server

MANY_LINES = 100_000


@pytest.fixture(scope="session")
def sweep(filled: Server) -> str:
    """The id of the sweep's first run, which has files and a note."""
    found = ask(filled.url, "/runs/search", {"filter": "run_name = 'adam 0.1'"})
    return str(found["runs"]["id"][0])


def part(page: Page, name: str):
    return page.get_by_role("region", name=name, exact=True)


def test_the_overview_has_facts_params_tags_and_last_values(person: Person, sweep: str):
    page = person.go(f"runs/{sweep}")
    expect(page.get_by_role("heading", name="adam 0.1")).to_be_visible()
    expect(page.get_by_text("Finished", exact=False).first).to_be_visible()
    expect(page).to_have_title("adam 0.1 · Stepwell")
    for text in (sweep, DIGITS, "3 min 20 s", "MLflow's client", "The **first** of the sweep."):
        expect(page.get_by_text(text, exact=True)).to_be_visible()
    expect(part(page, "Params")).to_contain_text("learning_rate")
    expect(part(page, "Params")).to_contain_text("0.1")
    expect(part(page, "Tags")).to_contain_text("sweep")
    last = loss_of("0.1", "adam", STEPS - 1)
    row = part(page, "Metrics").get_by_role("row").filter(has_text="train/loss")
    expect(row).to_contain_text(f"{last:.6g}")
    expect(row).to_contain_text(str(STEPS))


def test_a_long_param_leaves_room_for_its_name(person: Person, filled: Server):
    params = {"p" * 500: "v" * 5000}
    ask(filled.url, "/runs", {"id": "long-params", "name": "long params", "status": "FINISHED", "params": params})
    name = part(person.go("runs/long-params"), "Params").get_by_role("rowheader")
    expect(name).to_be_visible()
    assert name.evaluate("name => name.clientWidth") > 100


def test_why_a_run_failed(person: Person):
    page = person.go("runs/odd")
    expect(page.get_by_text("FAILED: a worker ran out of memory")).to_be_visible()


def test_a_run_that_is_not_there(person: Person):
    person.expect("404")
    page = person.go("runs/nobody")
    expect(page.get_by_role("alert")).to_contain_text("nobody")
    expect(page.get_by_role("button", name="Try again")).to_be_visible()


def test_the_link_that_mlflows_client_prints(person: Person, sweep: str):
    page = person.go(f"experiments/1/runs/{sweep}")
    expect(page.get_by_role("heading", name="adam 0.1")).to_be_visible()


def test_notes_are_written_and_kept(person: Person, filled: Server):
    ask(filled.url, "/runs", {"id": "noted", "name": "noted", "status": "FINISHED"})
    page = person.go("runs/noted")
    page.get_by_role("button", name="Edit notes").click()
    page.get_by_role("textbox", name="Notes").fill("<b>look</b> at step 7")
    page.get_by_role("button", name="Save notes").click()
    expect(page.get_by_text("<b>look</b> at step 7", exact=True)).to_be_visible()
    assert ask(filled.url, "/runs/noted")["note"] == "<b>look</b> at step 7"
    page.get_by_role("button", name="Edit notes").click()
    page.get_by_role("textbox", name="Notes").fill("")
    page.get_by_role("button", name="Save notes").click()
    expect(page.get_by_text("No notes.")).to_be_visible()
    assert ask(filled.url, "/runs/noted")["note"] is None


def test_custom_info_is_shown_as_it_is(person: Person, filled: Server):
    page = person.go(f"runs/{EXECUTION}", part="custom")
    expect(part(page, "confusion matrix").locator("pre")).to_have_text(CONFUSION)
    texts = {"page": HTML, "counts": '[{"digit": 7, "count": 12}]', "long": "x" * 1_100_000}
    ask(filled.url, "/runs", {"id": "informed", "name": "informed", "status": "FINISHED"})
    ask(filled.url, "/runs/informed", {"set_custom_info": texts}, verb="PATCH")
    page = person.go("runs/informed", part="custom")
    expect(part(page, "page").locator("pre")).to_have_text(HTML)
    expect(part(page, "counts").get_by_role("columnheader", name="digit")).to_be_visible()
    expect(part(page, "long")).to_contain_text("The first 1,048,576 of 1,100,000 characters.")
    with page.expect_download() as begun:
        part(page, "long").get_by_role("button", name="Save as text").click()
    assert begun.value.path().read_text() == texts["long"]


def test_a_run_without_custom_info(person: Person, sweep: str):
    page = person.go(f"runs/{sweep}", part="custom")
    expect(page.get_by_text("This run has no custom info.")).to_be_visible()


def test_the_curves_of_the_run(person: Person, sweep: str):
    page = person.go(f"runs/{sweep}", part="charts")
    for metric in ("train/loss", "train/accuracy", "valid/loss"):
        ink(card(page, metric), lambda found: found.count > 200)


def test_label_sets_of_a_metric_are_lines_of_their_own(person: Person, filled: Server):
    ask(filled.url, "/runs", {"id": "folded", "name": "folded", "status": "FINISHED"})
    series = [
        {"metric": "loss", "steps": [0, 1, 2], "values": values, "labels": labels}
        for values, labels in (([1, 1, 1], {"fold": "1"}), ([2, 2, 2], {"fold": "2"}))
    ]
    ask(filled.url, "/runs/folded/points", {"series": series})
    page = person.go("runs/folded", part="charts")
    legend = card(page, "loss").get_by_label("Legend")
    expect(legend.get_by_role("button")).to_have_text(["fold=1 · folded", "fold=2 · folded"])
    legend.get_by_role("button", name="fold=2").click()
    ink(card(page, "loss"), lambda found: 0 <= found.bottom - found.top < 12)  # flat, and no jump to the other


def test_the_cursor_stands_in_the_charts_of_all_sections(person: Person, sweep: str):
    page = person.go(f"runs/{sweep}", part="charts")
    ink(card(page, "train/loss"))
    ink(card(page, "valid/loss"))
    card(page, "train/loss").locator(".u-over").hover()
    ink(card(page, "valid/loss"), where="canvas.above")


def test_usage_of_each_task(person: Person):
    page = person.go("runs/odd", part="usage")
    for title in ("CPU", "Memory", "GPU", "GPU memory"):
        found = part(page, "worker-0").get_by_role("article", name=title, exact=True)
        ink(found, lambda drawn: drawn.count > 50)
    expect(part(page, "worker-1").get_by_role("article", name="NPU memory")).to_be_visible()


def test_a_run_without_samples_says_how_to_send_them(person: Person, sweep: str):
    page = person.go(f"runs/{sweep}", part="usage")
    expect(page.get_by_text("Nobody measured the machines")).to_be_visible()


def test_files_are_text_tables_and_pictures(person: Person, sweep: str):
    page = person.go(f"runs/{sweep}", part="files")
    page.get_by_role("button", name="notes.txt").click()
    expect(page.get_by_text("all went well")).to_be_visible()
    page.get_by_role("button", name="tables/").click()
    page.get_by_role("button", name="scores.csv").click()
    expect(page.get_by_role("cell", name="<b>eight</b>")).to_be_visible()
    page.get_by_role("button", name="counts.json").click()
    expect(page.get_by_role("columnheader", name="digit")).to_be_visible()
    page.get_by_role("button", name="pictures/").click()
    page.get_by_role("button", name="red.png").click()
    picture = page.get_by_role("img", name="pictures/red.png")
    expect(picture).to_be_visible()
    assert picture.evaluate("img => img.decode().then(() => [img.naturalWidth, img.naturalHeight])") == [60, 40]
    assert str(picture.get_attribute("src")).startswith("blob:")


def test_a_file_that_needs_another_credential(person: Person, sweep: str):
    person.expect("401")
    refusal = {"status": 401, "body": "{}", "headers": {"www-authenticate": 'Basic realm="stepwell"'}}
    person.page.route("**/artifacts/notes.txt", lambda route: route.fulfill(**refusal))
    page = person.go(f"runs/{sweep}", part="files", file="notes.txt")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_html_of_a_run_is_shown_and_never_runs(person: Person, sweep: str):
    page = person.go(f"runs/{sweep}", part="files", file="page.html")
    expect(page.get_by_text("<script>document.title='run'</script>")).to_be_visible()
    assert page.title() != "run"


def test_a_large_file_says_how_much_is_shown(person: Person, sweep: str):
    page = person.go(f"runs/{sweep}", part="files", file="large.txt")
    expect(page.get_by_text("The first 1 MiB of 2.86 MiB.")).to_be_visible()


def test_a_file_is_downloaded_whole(person: Person, sweep: str):
    page = person.go(f"runs/{sweep}", part="files", file="large.txt")
    with page.expect_download() as begun:
        page.get_by_role("button", name="Download").click()
    assert begun.value.suggested_filename == "large.txt"
    assert begun.value.path().stat().st_size == 3_000_000


def test_events_are_told(person: Person):
    page = person.go("runs/odd", part="events")
    expect(page.get_by_text("Nothing has happened").or_(page.get_by_role("columnheader", name="When"))).to_be_visible()


def test_console_lines_are_read_and_searched(person: Person, filled: Server):
    run = ask(filled.url, "/runs/search", {"filter": f"run_name = '{PLUTO_RUN}'"})["runs"]["id"][0]
    page = person.go(f"runs/{run}", part="logs")
    log = page.get_by_role("log")
    expect(log).to_contain_text("epoch 0 is done")
    expect(log).to_contain_text("epoch 19 is done")
    page.get_by_label("Find in the lines").fill("EPOCH 7 ")
    expect(log.locator("p")).to_have_count(1)
    expect(log).to_contain_text("epoch 7 is done")
    expect(page).to_have_url(re.compile("log_search="))


def test_many_console_lines_are_not_all_mounted(person: Person, filled: Server):
    ask(filled.url, "/runs", {"id": "talker", "name": "talker", "status": "FINISHED"})
    for begin in range(0, MANY_LINES, 10_000):
        lines = [
            {"stream": "stdout", "line": number, "text": f"said {number}."} for number in range(begin, begin + 10_000)
        ]
        ask(filled.url, "/runs/talker/logs", {"lines": lines})
    page = person.go("runs/talker", part="logs")
    log = page.get_by_role("log")
    expect(page.get_by_text("100,000 lines", exact=True)).to_be_visible()
    expect(log.get_by_text("said 99999.")).to_be_in_viewport()  # a log is read from its end
    assert log.locator("p").count() < 200
    height = log.evaluate("log => { log.scrollTo({ top: 0 }); return log.scrollHeight }")
    expect(log.get_by_text("said 0.")).to_be_in_viewport()
    for number in (70_000, 123, 50_000):
        log.evaluate("(log, top) => log.scrollTo({ top })", number * height / MANY_LINES)
        expect(log.get_by_text(f"said {number}.")).to_be_in_viewport()
        assert log.locator("p").count() < 200
    page.get_by_label("Find in the lines").fill("SAID 4242.")
    expect(log.locator("p")).to_have_count(1)
    expect(page.get_by_text("1 of 100,000 lines", exact=True)).to_be_visible()
    with page.expect_download() as begun:
        page.get_by_role("button", name="Save as text").click()
    assert begun.value.path().read_text() == "said 4242.\n"


def test_a_running_run_is_read_from_its_end(person: Person, filled: Server):
    def say(begin: int, end: int) -> None:
        for first in range(begin, end, 10_000):
            numbers = range(first, min(end, first + 10_000))
            lines = [{"stream": "stdout", "line": number, "text": f"said {number}."} for number in numbers]
            ask(filled.url, "/runs/speaker/logs", {"lines": lines})

    ask(filled.url, "/runs", {"id": "speaker", "name": "speaker"})
    say(0, 130_000)
    asked: list[str] = []
    person.page.on("request", lambda request: asked.append(request.url) if "/logs?" in request.url else None)
    page = person.go("runs/speaker", part="logs", live="1")
    log = page.get_by_role("log")
    expect(page.get_by_text("the last 10,000 lines", exact=True)).to_be_visible()
    expect(log.get_by_text("said 129999.")).to_be_in_viewport()
    assert len(asked) <= 3, "nothing is read but the end"
    say(130_000, 130_003)
    expect(log.get_by_text("said 130002.")).to_be_in_viewport()
    expect(page.get_by_text("the last 10,003 lines", exact=True)).to_be_visible()
    log.evaluate("log => log.scrollTo({ top: 0 })")
    expect(log.get_by_text("said 120000.")).to_be_in_viewport()
    page.get_by_role("button", name="Earlier lines").click()
    expect(page.get_by_text("the last 20,003 lines", exact=True)).to_be_visible()
    expect(log.get_by_text("said 120000.")).to_be_in_viewport()  # who reads goes on reading the same line
    log.evaluate("log => log.scrollBy({ top: -18 })")
    expect(log.get_by_text("said 119999.")).to_be_in_viewport()
    say(130_003, 130_004)
    expect(page.get_by_text("the last 20,004 lines", exact=True)).to_be_visible()
    expect(log.get_by_text("said 119999.")).to_be_in_viewport()
    page.get_by_role("button", name="From the beginning").click()
    expect(log.get_by_text("said 0.")).to_be_in_viewport()
    expect(page.get_by_text("the first 110,000 lines", exact=True)).to_be_visible()
    page.get_by_role("button", name="Load more").click()
    expect(page.get_by_text("130,004 lines", exact=True)).to_be_visible()
    page = person.go("runs/speaker", part="logs", log_side="begin")
    page.get_by_role("button", name="To the end").click()
    expect(log.get_by_text("said 130003.")).to_be_in_viewport()
    for lines in range(20_000, 140_000, 10_000):
        page.get_by_role("button", name="Earlier lines").click()
        expect(page.get_by_text(f"the last {lines:,} lines", exact=True)).to_be_visible()
    page.get_by_role("button", name="Earlier lines").click()
    expect(page.get_by_text("130,004 lines", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Earlier lines")).to_have_count(0)
    ask(filled.url, "/runs/speaker", {"status": "FINISHED"}, verb="PATCH")


def test_a_run_that_said_nothing(person: Person):
    page = person.go("runs/odd", part="logs")
    expect(page.get_by_text("This run has said nothing")).to_be_visible()


def test_data_sets_that_a_run_used(person: Person, sweep: str):
    page = person.go(f"runs/{sweep}", part="lineage")
    expect(page.get_by_text("handwritten").first).to_be_visible()
    expect(page.get_by_text("training").first).to_be_visible()
