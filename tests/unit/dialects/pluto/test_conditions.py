"""What a list asks for in the store's terms means what it says in Pluto's."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stepwell.core.model import Status
from stepwell.dialects import NOTE_TAG
from stepwell.dialects.pluto import names, statuses

TEXTS = st.text("a:", max_size=4) | st.just(NOTE_TAG)


@given(TEXTS.filter(bool), st.dictionaries(TEXTS.filter(bool), TEXTS, max_size=4))
def test_a_tag_is_shown_as_a_text_where_one_of_its_pairs_is_there(text: str, tags: dict[str, str]) -> None:
    found = any(tags.get(name) == value for name, value in names.tag_pairs(text))
    assert found == (text in names.tag_list(tags))


@given(st.sets(st.sampled_from(statuses.WORDS), min_size=1))
def test_words_are_the_statuses_that_runs_of_them_have(words: set[str]) -> None:
    found, exact = statuses.among(words)
    shown = {status: {word for word in statuses.WORDS if statuses.inside(word)[0] is status} for status in Status}
    shown[Status.SCHEDULED] = {statuses.RUNNING}
    assert set(found) == {status for status in Status if shown[status] & words}
    assert exact == all(shown[status] <= words for status in found)
