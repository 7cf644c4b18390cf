"""Words for statuses, and which may follow which."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stepwell.core.errors import Invalid
from stepwell.core.model import Lifecycle, Run, Status
from stepwell.dialects.pluto import statuses

RUN = Run(
    workspace="w", key=1, id="r", experiment_id=0, project_number=1, name="n", user="", status=Status.RUNNING,
    status_reason="", lifecycle=Lifecycle.ACTIVE, artifact_uri="", origin="test", start_time=None, end_time=None,
    created_at=0, updated_at=0,
)  # fmt: skip


@pytest.mark.parametrize("word", statuses.WORDS)
def test_a_word_comes_back(word: str) -> None:
    status, reason = statuses.inside(word)
    assert statuses.word_of(replace(RUN, status=status, status_reason=reason)) == word


def test_statuses_of_other_interfaces() -> None:
    assert statuses.word_of(replace(RUN, status=Status.SCHEDULED)) == "RUNNING"
    assert statuses.word_of(replace(RUN, status=Status.KILLED, status_reason="whatever")) == "TERMINATED"


def test_only_worse_ends_replace_an_end() -> None:
    rising = ["COMPLETED", "TERMINATED", "CANCELLED", "FAILED"]
    for place, word in enumerate(rising):
        assert statuses.may_follow(word, "RUNNING")
        assert not statuses.may_follow("RUNNING", word)
        for other, before in enumerate(rising):
            assert statuses.may_follow(word, before) is (place > other)
    assert not statuses.may_follow("RUNNING", "RUNNING")


def test_words_in_filters() -> None:
    for text, word in (("running", "RUNNING"), ("finished", "COMPLETED"), ("Crashed", "FAILED"), ("FAILED", "FAILED")):
        assert statuses.word_asked(text, "filter") == word
    for text in ("", "done", "RUNNING "):
        with pytest.raises(Invalid, match="Expected RUNNING"):
            statuses.word_asked(text, "filter")
    with pytest.raises(Invalid):
        statuses.word_in("running")
