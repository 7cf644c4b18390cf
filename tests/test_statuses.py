"""docs/reference/statuses.md says of every status what each interface calls it: held to the interfaces themselves."""

from __future__ import annotations

import re
from pathlib import Path

from stepwell.core.model import Lifecycle, Run, Status
from stepwell.dialects.mlflow import render as mlflow
from stepwell.dialects.modelarts import translate as modelarts
from stepwell.dialects.pluto import statuses as pluto

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "statuses.md"
READ = re.compile(r"^\| `([A-Z]+)` \| `([A-Z]+)` \| `([A-Z]+)` \| `([A-Za-z]+)` \|$", re.MULTILINE)
WRITTEN = re.compile(r"^\| Pluto \| (.+?) \| (.+?)(?: with the reason (.+?))? \|$", re.MULTILINE)


def run(status: Status, reason: str = "") -> Run:
    return Run(
        workspace="w",
        id="r",
        key=1,
        experiment_id=0,
        project_number=1,
        name="n",
        user="",
        status=status,
        status_reason=reason,
        lifecycle=Lifecycle.ACTIVE,
        artifact_uri="",
        origin="native",
        start_time=None,
        end_time=None,
        created_at=0,
        updated_at=0,
    )


def words(cell: str) -> list[str]:
    return re.findall(r"`(\w+)`", cell)


def test_every_status_stands_there_with_the_word_that_each_interface_answers() -> None:
    found = [
        (
            str(status),
            mlflow.run_info(run(status)).status,
            pluto.word_of(run(status)),
            modelarts.PHASES[status][0],
        )
        for status in Status
    ]
    assert sorted(READ.findall(PAGE.read_text())) == sorted(found)


def test_every_word_of_pluto_stands_there_with_what_it_becomes() -> None:
    rows = WRITTEN.findall(PAGE.read_text())
    told = {
        word: (status, reason)
        for given, becomes, reasons in rows
        for word, status, reason in zip(
            words(given),
            words(becomes) * (len(words(given)) if reasons else 1),
            words(reasons) or [""] * len(words(given)),
            strict=True,
        )
    }
    assert told == {word: (str(status), reason) for word in pluto.WORDS for status, reason in (pluto.inside(word),)}


def test_a_run_that_was_cancelled_is_told_from_one_that_was_terminated() -> None:
    assert "A killed run whose reason is `cancelled` is `CANCELLED` in Pluto." in PAGE.read_text()
    assert pluto.word_of(run(Status.KILLED, "cancelled")) == "CANCELLED"
