"""Display ids, short ids, groups, and tags as texts."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.dialects import NOTE_TAG
from stepwell.dialects.pluto import names


@pytest.mark.parametrize(
    ("project", "prefix"),
    [
        ("my-ml-project", "MMP"),
        ("training", "TRA"),
        ("image-classification", "ICL"),
        ("resnet-50", "R50"),
        ("a", "A"),
        ("my project name", "MPN"),
        ("one_two.three four-five", "OTTF"),
        ("capture-proj", "CPR"),
        ("a b", "AB"),
        ("日本", "RUN"),
        ("--", "RUN"),
        ("日本 train", "TRA"),
    ],
)
def test_prefixes(project: str, prefix: str) -> None:
    assert names.prefix_of(project) == prefix


@given(project=st.text(), number=st.integers(1, 10**12))
def test_a_display_id_is_one_to_the_client_and_to_us(project: str, number: int) -> None:
    text = names.display_id(project, number)
    assert re.fullmatch(r"[A-Z0-9]{1,4}-\d+", text)
    assert names.parse_display_id(text) == (names.prefix_of(project), number)
    assert names.parse_display_id(text.lower()) == (names.prefix_of(project), number)


@pytest.mark.parametrize("text", ["", "MMP", "MMP-", "-1", "MMP-x", "MMPXX-1", "M MP-1", "MMP-1 ", "MMP-" + "9" * 30])
def test_what_is_no_display_id(text: str) -> None:
    assert names.parse_display_id(text) is None


@given(st.integers(0, 2**63 - 1))
def test_short_ids_come_back(key: int) -> None:
    assert names.parse_short_id(names.short_id(key)) == key


@pytest.mark.parametrize("text", ["", "R", "R1", "r00001", "R0000a", "R000001", "RZZZZZZZZZZZZZ", "00001", "R0000１"])
def test_what_is_no_short_id(text: str) -> None:
    assert names.parse_short_id(text) is None


def test_the_note_is_no_tag_in_the_list_and_stays_when_tags_are_replaced() -> None:
    known = {"a": "", "team": "vision", NOTE_TAG: "long", "old": ""}
    assert names.tag_list(known) == ["a", "team:vision", "old"]
    assert names.tag_changes(known, ["a", "b", NOTE_TAG]) == ({"b": ""}, ("old",))
    assert names.tag_changes({NOTE_TAG: ""}, []) == ({}, ())


def test_groups() -> None:
    assert [names.group_of(name) for name in ("a", "g/a", "g/h/a", "/a", "a/")] == ["", "g", "g/h", "", "a"]


@given(
    known=st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(["", "1"])),
    wanted=st.lists(st.sampled_from(["a", "b", "c", "a:1", "d:1", "new"])),
)
def test_a_run_has_the_tags_that_are_wanted_and_those_of_other_interfaces(
    known: dict[str, str], wanted: list[str]
) -> None:
    setting, removing = names.tag_changes(known, wanted)
    assert all(known[name] == "" for name in removing)
    after = {name: value for name, value in known.items() if name not in removing} | setting
    texts = set(names.tag_list(after))
    kept = {f"{name}:{value}" for name, value in known.items() if value and name not in setting}
    assert set(wanted) | kept == texts | (set(wanted) & set(names.tag_list(known)))
