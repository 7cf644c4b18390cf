"""What one vendor's client wrote, every other vendor's client reads: same points, latest values, status, tags.

Each client runs where nothing else is installed (drivers/); one server stands between them. The matrix is every
ordered pair of clients, each client with itself too; `views` says what a client can say of a run at all.
"""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import pytest

from contract.cross.conversation import CLIENTS, DELETERS, JOINERS, Conversation, outside_log
from contract.cross.drivers.telling import STATUSES, Point, Run
from contract.cross.views import ASPECTS, VIEWS, own_tags
from serving import Server

PAGES = Path(__file__).resolve().parents[3] / "docs" / "reference"
MATRIX = [
    pytest.param(writer, reader, aspect, id=f"{writer}-to-{reader}-{aspect}")
    for writer, reader in product(CLIENTS, CLIENTS)
    for aspect in VIEWS[reader].seen
]


def exact(point: Point) -> tuple[int, int, str]:
    step, time, value = point
    return step, time, repr(float(value))


def comparable(aspect: str, value: Any) -> Any:
    """A value of an aspect such that equal means the same, NaN and the sign of zero too."""
    if aspect == "points":
        rows = {
            metric: sorted((step, time, repr(float(v))) for step, time, v in found) for metric, found in value.items()
        }
        return {metric: found for metric, found in rows.items() if found}
    if aspect == "latest":
        return {metric: repr(float(v)) for metric, v in value.items()}
    if aspect == "files":
        return sorted(value)
    if aspect == "tags":
        return own_tags(value)
    return value


def readable(conversation: Conversation, writer: str, reader: str) -> list[Run]:
    """The runs of the writer that the reader's client has a word for."""
    return [run for run in there(conversation, writer) if VIEWS[reader].ids.fullmatch(run["id"])]


def there(conversation: Conversation, writer: str) -> list[Run]:
    """The runs that the writer has not deleted."""
    return [run for run in conversation.written[writer] if not run.get("gone")]


@pytest.mark.parametrize(("writer", "reader", "aspect"), MATRIX)
def test_what_one_wrote_the_other_reads(conversation: Conversation, writer: str, reader: str, aspect: str) -> None:
    runs = readable(conversation, writer, reader)
    assert runs, f"{writer} wrote nothing that {reader} could read"
    for run in runs:
        seen = conversation.seen[reader][run["id"]]
        assert "refused" not in seen, seen
        found = comparable(aspect, seen[aspect])  # type: ignore[literal-required]
        assert found == comparable(aspect, VIEWS[reader].seen[aspect](run)), run["name"]


@pytest.mark.parametrize(("writer", "reader"), list(product(CLIENTS, CLIENTS)))
def test_a_run_whose_id_a_client_has_no_word_for_is_refused_with_a_reason(
    conversation: Conversation, writer: str, reader: str
) -> None:
    told = [conversation.seen[reader][run["id"]] for run in there(conversation, writer)]
    refused = {run["id"] for run in told if run.get("refused")}
    named = {run["id"] for run in readable(conversation, writer, reader)}
    others = {run["id"] for run in there(conversation, writer)} - named
    assert refused == others
    assert all(run["listed"] for run in told if "listed" in VIEWS[reader].seen)


@pytest.mark.parametrize(("writer", "joiner"), [pair for pair in product(CLIENTS, JOINERS) if pair[0] != pair[1]])
def test_what_one_began_the_other_goes_on_with(conversation: Conversation, writer: str, joiner: str) -> None:
    (shared,) = [run for run in conversation.written[writer] if run.get("shared")]
    assert f"by/{joiner}" in shared["points"]  # that all clients see it is in the matrix
    assert f"by-{joiner}" in shared["tags"]


@pytest.mark.parametrize(("writer", "reader"), list(product(DELETERS, CLIENTS)))
def test_what_one_deletes_is_gone_for_the_other(conversation: Conversation, writer: str, reader: str) -> None:
    (gone,) = [run for run in conversation.written[writer] if run.get("gone")]
    assert conversation.seen[reader][gone["id"]]["gone"]


@pytest.mark.parametrize("reader", CLIENTS)
def test_a_client_tells_nothing_of_what_it_has_no_word_for(conversation: Conversation, reader: str) -> None:
    told = {aspect for run in conversation.seen[reader].values() for aspect in run}
    assert told & set(VIEWS[reader].lost) == set()


@pytest.mark.parametrize("reader", CLIENTS)
def test_a_view_says_of_every_aspect_what_becomes_of_it(reader: str) -> None:
    view = VIEWS[reader]
    assert sorted([*view.seen, *view.lost]) == sorted(ASPECTS)
    assert all(view.lost.values())


def test_every_dialect_that_the_server_speaks_is_here(shared_server: Server) -> None:
    found = httpx.get(f"{shared_server.url}/api/v1/dialects", timeout=60).json()["dialects"]
    assert {each["name"] for each in found} == {dialect for dialect, _, _ in CLIENTS.values()}


def test_no_client_talks_to_anyone_else(conversation: Conversation, shared_server: Server) -> None:
    assert conversation.written
    assert not outside_log(shared_server).exists(), outside_log(shared_server).read_text()


def test_every_status_is_written_by_someone(conversation: Conversation) -> None:
    written = {run["status"] for runs in conversation.written.values() for run in runs}
    assert written == set(STATUSES)


def test_each_writer_has_a_run_with_points_and_tags_or_params(conversation: Conversation) -> None:
    for writer, runs in conversation.written.items():
        full = max(runs, key=lambda run: len(run["points"]))
        assert full["points"], writer
        assert full["tags"] or full["params"], writer


def test_notes_custom_info_and_console_lines_are_written_by_all_who_can(conversation: Conversation) -> None:
    def writers(aspect: str) -> set[str]:
        return {writer for writer, runs in conversation.written.items() if any(run.get(aspect) for run in runs)}

    assert writers("note") == set(CLIENTS)
    assert writers("custom_info") == {client for client in CLIENTS if "custom_info" in VIEWS[client].seen}
    assert writers("lines") == {"native", "pluto"}


def test_the_reference_lists_what_is_lost() -> None:
    page = (PAGES / "names-across.md").read_text()
    rows = re.findall(r"^\| `([\w-]+)` \| (\w+) \| (.+?) \|$", page, re.MULTILINE)
    wanted = [
        (dialect, aspect, reason)
        for dialect in dict.fromkeys(dialect for dialect, _, _ in CLIENTS.values())
        for aspect, reason in VIEWS[dialect].lost.items()
    ]
    assert rows == wanted
