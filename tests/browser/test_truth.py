"""Nothing is shown that is not in the data, and nothing of it is lost."""

from __future__ import annotations

import csv
from collections.abc import Callable
from xml.etree import ElementTree

import pytest
from playwright.sync_api import expect

from browser.filling import HTML, LONG_METRIC, LONG_MLFLOW_METRIC, LONG_SAP_METRIC, MANY, SPIKE_AT, START_MS, ask
from browser.looking import card, ink
from browser.person import Person
from serving import Server


@pytest.mark.parametrize("reach", [MANY, 400_000, 50_000, 5_000, 300, 20])
def test_one_spike_in_a_million_points_is_seen_at_every_zoom(person: Person, reach: int):
    low = max(0, SPIKE_AT - reach // 3)
    zoom = {} if reach == MANY else {"zoom": f"{low}~{low + reach}"}
    page = person.go("charts", shown="spike", **zoom)
    # The spike goes from the line to the top.
    ink(card(page, "spiky"), lambda found: found.bottom - found.top > found.height * 0.6)


@pytest.mark.parametrize("axis", ["relative_step", "wall"])
def test_the_spike_is_seen_on_every_axis(person: Person, axis: str):
    begin = {"relative_step": SPIKE_AT, "wall": START_MS // 1000 + SPIKE_AT}[axis] - 3000
    page = person.go("charts", shown="spike", x=axis, zoom=f"{begin}~{begin + 10_000}~{axis}")
    ink(card(page, "spiky"), lambda found: found.bottom - found.top > found.height * 0.6)


def test_the_last_text_of_an_axis_is_whole(person: Person):
    """660k that is cut to 660 is another number: nothing touches the right end of the canvas."""
    page = person.go("charts", shown="spike", zoom="650000~660000", columns="1")
    ink(card(page, "spiky"))
    edge = """canvas => {
        const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d");
        copy.drawImage(canvas, 0, 0);
        const { data } = copy.getImageData(canvas.width - 1, 0, 1, canvas.height);
        return data.some((part, at) => at % 4 === 3 && part > 0);
    }"""
    assert card(page, "spiky").locator("canvas").first.evaluate(edge) is False


def test_without_the_spike_the_line_is_flat(person: Person):
    page = person.go("charts", shown="spike", zoom="100000~200000")
    ink(card(page, "spiky"), lambda found: 0 <= found.bottom - found.top < 12)


def test_a_sampled_card_says_so(person: Person):
    page = person.go("charts", shown="spike")
    expect(card(page, "spiky")).to_contain_text("1,000,000 points in")
    expect(card(page, "spiky")).to_contain_text("lowest and highest kept")
    page = person.go("charts", shown="spike", zoom=f"{SPIKE_AT - 20}~{SPIKE_AT + 20}")
    expect(card(page, "spiky")).to_contain_text("Every one of")


def test_what_is_not_finite_is_marked_and_counted(person: Person):
    page = person.go("charts", shown="odd", metrics="broken")
    for badge in ("1 NaN", "1 +Inf", "1 -Inf"):
        expect(card(page, "broken")).to_contain_text(badge)
    ink(card(page, "broken"))


@pytest.mark.parametrize("metric", ["single", "equal", "negative", "huge"])
def test_odd_series_are_drawn(person: Person, metric: str):
    page = person.go("charts", shown="odd", metrics=f"^{metric}$")
    ink(card(page, metric))
    words = {"single": "1 point", "equal": "50 points", "negative": "3 points", "huge": "3 points"}
    expect(card(page, metric)).to_contain_text(words[metric])


@pytest.mark.parametrize("metric", ["negative", "equal", "broken"])
def test_a_logarithmic_axis_breaks_nothing(person: Person, metric: str):
    page = person.go("charts", shown="odd", metrics=f"^{metric}$", log_x="1", log_y="1")
    expect(card(page, metric)).to_be_visible()
    expect(card(page, metric)).not_to_have_attribute("aria-busy", "true")


@pytest.mark.parametrize("name", [LONG_METRIC, LONG_MLFLOW_METRIC])
def test_the_longest_names_do_not_widen_the_page(person: Person, name: str):
    page = person.go("charts", shown="odd", metrics="^(l|long/)")
    expect(card(page, name)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing is wider than the window"
    page = person.go("runs/odd")
    expect(page.get_by_text(name, exact=True)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_longest_name_of_sap(person: Person):
    page = person.go("runs/execution-1", part="charts")
    expect(card(page, LONG_SAP_METRIC)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize(
    "place", ["runs", "charts", "compare", "runs/odd", "runs/odd?part=charts", "runs/odd?part=code"]
)
def test_html_in_names_is_text(person: Person, place: str):
    path, _, query = place.partition("?")
    page = person.go(path, live="0", **(dict([query.split("=")]) if query else {}))
    if path != "compare":
        expect(page.get_by_text(HTML).first).to_be_visible()
    assert person.settled().locator("img[src=x]").count() == 0


@pytest.mark.parametrize("place", ["runs", "charts", "compare"])
def test_no_runs_at_all_is_said(look, server: Server, place: str):
    page = look(server.url).go(place)
    expect(page.get_by_text("No runs").first).to_be_visible()


def test_files_and_copies_keep_odd_names_in_their_place(look: Callable[..., Person], filled: Server):
    person = look(filled.url, permissions=["clipboard-read", "clipboard-write"])
    names = ["=1+1", '"open, "quote"', "bell\x07 \x1b[31mred", "\u202eright to left \u05d0", "\U0001f680 two\nlines"]
    series = {"metric": "odd\x01metric", "steps": [0, 1], "values": [1.0, "-Infinity"]}
    for number, name in enumerate(names):
        ask(filled.url, "/runs", {"id": f"named-{number}", "name": name, "status": "FINISHED"})
        ask(filled.url, f"/runs/named-{number}/points", {"series": [series]})
    page = person.go("charts", shown=",".join(f"named-{number}" for number in range(len(names))))
    drawn = page.get_by_role("article").first
    ink(drawn)
    drawn.get_by_role("button", name="More about").click()
    with page.expect_download() as begun:
        page.get_by_role("button", name="SVG", exact=True).click()
    texts = [each.text or "" for each in ElementTree.parse(begun.value.path()).iter("{http://www.w3.org/2000/svg}text")]
    assert "odd\ufffdmetric" in texts
    assert "bell\ufffd \ufffd[31mred" in texts
    with page.expect_download() as begun:
        page.get_by_role("button", name="CSV", exact=True).click()
    with begun.value.path().open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["run_name"] for row in rows[::2]] == ["'=1+1", *names[1:]]
    assert [row["value"] for row in rows[:2]] == ["1", "-Infinity"]
    page.keyboard.press("Escape")  # the menu
    drawn.locator(".u-over").click()
    page.locator(".tip.pinned").get_by_role("button", name="Copy").click()
    expect(page.get_by_text("Copied.")).to_be_visible()
    copied = list(csv.reader(str(page.evaluate("navigator.clipboard.readText()")).splitlines(), delimiter="\t"))
    assert {len(row) for row in copied} == {11}
    assert {row[0] for row in copied[1:]} == {"'=1+1", *names[1:4], "\U0001f680 two lines"}
