"""Names that Pluto makes from others: display ids, short ids, groups of metrics, a run's tags as a list of texts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from stepwell.dialects import NOTE_TAG

_WORDS: Final = re.compile(r"[A-Za-z0-9]+")
_DISPLAY_ID: Final = re.compile(r"([A-Za-z0-9]{1,4})-([0-9]{1,18})")
_SHORT_ID: Final = re.compile(r"R([0-9A-Z]{5,13})")
_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_GROUP: Final = "group:"


def prefix_of(project: str) -> str:
    """What the display ids of a project's runs begin with: 1 to 4 capital letters and digits, not its alone.

    The initials of its words; of one word its first three signs, and of two words one sign more of the last.
    """
    words: list[str] = _WORDS.findall(project)
    if not words:
        return "RUN"
    if len(words) == 1:
        prefix = words[0][:3]
    else:
        initials = "".join(word[0] for word in words)
        missing = max(3 - len(initials), 0)
        prefix = initials[:-1] + words[-1][: missing + 1] if missing else initials[:4]
    return prefix.upper()


def display_id(project: str, number: int) -> str:
    """How people call a run, for example MMP-1."""
    return f"{prefix_of(project)}-{number}"


def parse_display_id(text: str) -> tuple[str, int] | None:
    """Prefix and number; None for what is no display id."""
    found = _DISPLAY_ID.fullmatch(text)
    return None if found is None else (found[1].upper(), int(found[2]))


def short_id(key: int) -> str:
    """A run's key as a short word: never a segment of another path, since those are in small letters."""
    digits = ""
    while key:
        key, digit = divmod(key, 36)
        digits = _DIGITS[digit] + digits
    return "R" + digits.rjust(5, "0")


def parse_short_id(text: str) -> int | None:
    """The key behind `short_id`; None for what is none."""
    found = _SHORT_ID.fullmatch(text)
    if found is None:
        return None
    key = int(found[1], 36)
    return key if key < 2**63 and short_id(key) == text else None


def group_of(name: str) -> str:
    """The group of a metric or file: all before the last slash."""
    return name.rpartition("/")[0]


def tag_list(tags: Mapping[str, str]) -> list[str]:
    """A run's tags as texts: the name, and a value behind a colon where there is one. The note is none of them."""
    return [f"{name}:{value}" if value else name for name, value in tags.items() if name != NOTE_TAG]


def tag_pairs(text: str) -> list[tuple[str, str]]:
    """The tags, name and value, of which `tag_list` makes this text: a colon may be part of both."""
    pairs = [(text, "")] + [(text[:at], text[at + 1 :]) for at, sign in enumerate(text) if sign == ":"]
    return [(name, value) for name, value in pairs if name and name != NOTE_TAG and (value or name == text)]


def tag_changes(known: Mapping[str, str], wanted: Iterable[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Which tags to set and which to remove so that the texts are those wanted.

    Only tags without a value are ever removed: those with one come from other interfaces, which know more of them.
    """
    texts = dict.fromkeys(wanted)
    shown = set(tag_list(known))
    setting = {text: "" for text in texts if text not in shown and text != NOTE_TAG}
    removing = tuple(name for name, value in known.items() if not value and name not in texts and name != NOTE_TAG)
    return setting, removing


def without_group(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags, but for those whose texts name the group of the run."""
    return {name: value for name, value in tags.items() if not groups_in(tag_list({name: value}))}


def groups_in(tags: Iterable[str]) -> int:
    """How many of a list of tags name the group of the run."""
    return sum(tag.startswith(_GROUP) for tag in dict.fromkeys(tags))
