"""Params and tags, limits, what the environment says, what a person is shown."""

from __future__ import annotations

import io
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import stepwell
from stepwell.client import limits as ours
from stepwell.client.display import table
from stepwell.client.environment import target
from stepwell.client.limits import wrong_name, wrong_run_id, wrong_task, wrong_text, wrong_workspace
from stepwell.client.pipe import quoted_folder
from stepwell.client.progress import Progress
from stepwell.client.sender import backoff
from stepwell.client.texts import pairs
from stepwell.client.values import PLAIN
from stepwell.core import limits
from stepwell.core.errors import Invalid
from stepwell.core.ids import check_run_id, check_workspace
from stepwell.services.checks import check_name, check_text
from stepwell.services.resources import TASK_NAME_LENGTH, check_task


def test_params_are_flat_texts() -> None:
    told: list[str] = []
    given_params: dict[Any, Any] = {"a": {"b": {"c": 1}, "d": [1]}, 5: None, "e": "text", "f": {}}
    assert pairs(given_params, "param", told.append) == {"a.b.c": "1", "a.d": "[1]", "5": "None", "e": "text"}
    assert told == []


def test_what_the_server_would_refuse_is_told_and_left_out() -> None:
    told: list[str] = []
    assert pairs({"": 1, "a": "\0", "b": "x" * 65_537, "c": "x" * 65_536}, "tag", told.append).keys() == {"c"}
    assert len(told) == 3


def test_what_has_no_text_costs_no_other() -> None:
    class Mute:
        def __str__(self) -> str:
            raise ZeroDivisionError

    told: list[str] = []
    assert pairs({"a": 1, "b": Mute(), "c": 2}, "param", told.append) == {"a": "1", "c": "2"}
    assert told == ["param 'b': ZeroDivisionError: "]


texts = st.text(st.characters(), max_size=6) | st.sampled_from(
    ["x" * 1024, "x" * 1025, "x" * 255, "x" * 256, "a/b", ".", "a.b_c-1", "_a", "a\n"]
)


@given(texts)
def test_the_limits_are_the_server_s(text: str) -> None:
    def refused(check: Any, *args: Any, **named: Any) -> bool:
        try:
            check(*args, **named)
        except Invalid:
            return True
        return False

    assert bool(wrong_name(text)) == refused(check_name, text, field="x")
    assert bool(wrong_text(text)) == refused(check_text, text, field="x", limit=limits.TAG_VALUE_LENGTH)
    if text not in (".", ".."):  # clients and proxies take those for folders
        assert bool(wrong_run_id(text)) == refused(check_run_id, text)
        assert bool(wrong_task(text)) == refused(check_task, text)
        assert bool(wrong_workspace(text)) == refused(check_workspace, text)


def test_the_numbers_of_the_limits_are_the_server_s() -> None:
    assert (ours.NAME_LENGTH, ours.VALUE_LENGTH, ours.RUN_ID_LENGTH) == (
        limits.NAME_LENGTH,
        limits.PARAM_VALUE_LENGTH,
        limits.RUN_ID_LENGTH,
    )
    assert limits.TAG_VALUE_LENGTH == limits.PARAM_VALUE_LENGTH
    assert ours.TASK_LENGTH == TASK_NAME_LENGTH
    assert ours.WORKSPACE_LENGTH == limits.WORKSPACE_NAME_LENGTH
    assert ours.EXPERIMENT_LENGTH == limits.EXPERIMENT_NAME_LENGTH
    assert limits.RUN_NAME_LENGTH == limits.NAME_LENGTH


def test_what_is_given_comes_before_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STEPWELL_URL", "http://there:1")
    monkeypatch.setenv("STEPWELL_API_KEY", "key")
    monkeypatch.setenv("STEPWELL_WORKSPACE", "team")
    monkeypatch.setenv("STEPWELL_MODE", "offline")
    monkeypatch.setenv("STEPWELL_SPOOL", str(tmp_path))
    found = target()
    assert (found.url, found.api_key, found.workspace, found.mode) == ("http://there:1", "key", "team", "offline")
    assert found.spool == tmp_path
    assert target(api_key=" key\r\n").api_key == "key"
    found = target(url="http://here:2", api_key="", workspace="own", mode="online", spool=tmp_path / "a")
    assert (found.url, found.api_key, found.workspace, found.mode) == ("http://here:2", "", "own", "online")
    assert found.spool == tmp_path / "a"


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"mode": "perhaps"}, "perhaps"),
        ({"id": "a/b"}, "a/b"),
        ({"id": ""}, "0 characters"),
        ({"id": "x" * 256}, "256"),
        ({"resume": True}, "resume"),
        ({"url": "ftp://x"}, "ftp"),
        ({"workspace": "größe"}, "größe"),
        ({"api_key": "two\nlines"}, "^the API key holds characters that no key has$"),
        ({"system": 0.01}, "0.01"),
        ({"system": -5}, "-5"),
        ({"system": float("nan")}, "nan"),
        ({"system": True, "task": "a/b"}, "a/b"),
    ],
)
def test_a_wrong_argument_is_said_at_once(options: dict[str, Any], word: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=word):
        stepwell.init(**{"mode": "offline", "spool": tmp_path, **options})
    assert list(tmp_path.iterdir()) == []


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=255).filter(lambda t: "/" not in t))
def test_every_id_names_a_folder_of_its_own_kind(run_id: str) -> None:
    name = quoted_folder(run_id)
    assert 0 < len(name) <= 202
    assert "/" not in name
    assert not name.startswith(".")


def test_delays_grow_to_a_minute_and_differ() -> None:
    assert [backoff(failures, 1.0) for failures in range(4)] == [0.5, 1.0, 2.0, 4.0]
    assert backoff(1000, 1.0) == 60.0
    assert backoff(1000, 0.0) == 30.0


class Shape(HTMLParser):
    """Tags and text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@given(st.text(max_size=30))
def test_no_text_of_a_user_becomes_a_tag(text: str) -> None:
    evil = f"{text}<script>alert(1)</script>\"'><img src=x>"
    html = table(evil, evil, state=evil, params={evil: evil}, last={evil: 1.5}, step=evil, problems={evil: 2})
    shape = Shape()
    shape.feed(html)
    assert shape.tags <= {"table", "caption", "a", "tr", "th", "td", "i"}
    assert shape.text.count("<script>alert(1)</script>") == 7


def test_a_line_is_rewritten_on_a_terminal() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    progress = Progress(out)
    progress.show(0, 2_000_000, "run")
    progress.show(1, 2_000_000, "run")  # too soon
    progress.show(2_000_000, 2_000_000, "run")
    progress.end()
    first, second = out.getvalue().split("\r\x1b[K")[1:]
    assert first.endswith("  0% of 2.0 MB  run")
    assert second == "█" * 30 + " 100% of 2.0 MB  run\n"


def test_elsewhere_there_are_plain_lines() -> None:
    out = io.StringIO()
    progress = Progress(out)
    for done in range(11):
        progress.show(done * 100, 1000, "run")
    progress.end()
    assert out.getvalue() == "  0% of 1.0 kB  run\n100% of 1.0 kB  run\n"


def test_plain_values_are_told_by_their_exact_type() -> None:
    assert frozenset({float, int, bool}) == PLAIN
