"""The first answer to a request is given again under its token, for a day."""

from __future__ import annotations

import pytest

from stepwell.core.errors import Busy, Conflict
from stepwell.core.model import Record
from stepwell.services import retries
from stepwell.services.retries import KEPT, UNDER_WAY, Answer
from unit.services.recorded import Recorded, W

ANSWER = Answer(status=200, body='{"a":"é"}', etag="e")


def begin(
    held: Recorded, token: str = "t", *, request: str = "one", caller: str = "c", at: int = 0
) -> tuple[Record, Answer | None]:
    return retries.begin(held.store, workspace=W, caller=caller, token=token, request=request, at=at)


def answered(held: Recorded, token: str = "t", *, at: int = 0) -> None:
    mark, known = begin(held, token, at=at)
    assert known is None
    retries.finish(held.store, workspace=W, mark=mark, request="one", answer=ANSWER, at=at + 5)


def test_the_same_request_gets_the_first_answer_for_a_day() -> None:
    held = Recorded()
    answered(held)
    assert begin(held, at=KEPT - 1)[1] == ANSWER
    assert begin(held, at=KEPT)[1] is None  # a new day
    assert len(held.held) == 1


def test_another_request_is_refused_for_a_day() -> None:
    held = Recorded()
    answered(held)
    with pytest.raises(Conflict) as caught:
        begin(held, request="two", at=KEPT - 1)
    assert caught.value.field == retries.RETRY_FIELD
    assert begin(held, request="two", at=KEPT)[1] is None


def test_tokens_of_two_callers_do_not_meet() -> None:
    held = Recorded()
    answered(held)
    assert begin(held, request="two", caller="d")[1] is None


def test_a_request_under_way_is_waited_for_but_not_for_ever() -> None:
    held = Recorded()
    begin(held)
    with pytest.raises(Busy):
        begin(held, at=UNDER_WAY - 1)
    assert begin(held, at=UNDER_WAY)[1] is None


def test_of_two_at_once_one_begins() -> None:
    held = Recorded()
    held.between.append(lambda: begin(held))
    with pytest.raises(Busy):
        begin(held)
    assert len(held.held) == 1


def test_a_request_that_failed_begins_anew() -> None:
    held = Recorded()
    mark, _ = begin(held)
    retries.forget(held.store, workspace=W, mark=mark)
    assert begin(held, request="two")[1] is None


def test_old_answers_go() -> None:
    held = Recorded()
    for number in range(6):
        answered(held, str(number), at=number)
    for number in range(6):
        begin(held, f"new{number}", at=KEPT + 10)
    assert len(held.held) == 6


def test_a_token_is_not_kept_in_clear() -> None:
    held = Recorded()
    answered(held, "a-token-that-nobody-should-see")
    assert "a-token" not in repr(held.held)
