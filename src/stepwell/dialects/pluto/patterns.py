"""The regular expressions that a filter may hold: few enough that no pattern and no text can take long.

Literal signs, `.` for any one, `.*` for any number of them, `^` and `$` for the ends, `\\` before a sign to take it as
it is; in any case of letters. Each part between two `.*` is found as far left as it can be, so the cost is at most the
length of the text times that of the pattern.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

_LENGTH: Final = 1_000
_OTHERS: Final = frozenset("*+?[](){}|")


def compile_pattern(pattern: str) -> Callable[[str], bool]:
    """Whether a text holds the pattern. ValueError: it is too long, or has what is not known here."""
    if len(pattern) > _LENGTH:
        raise ValueError(f"a pattern has at most {_LENGTH} characters, not {len(pattern)}")
    at_start, at_end = pattern.startswith("^"), pattern.endswith("$") and not pattern.endswith("\\$")
    parts = [re.compile(part, re.IGNORECASE | re.DOTALL) for part in _parts(pattern[at_start : len(pattern) - at_end])]
    lengths = [_length(part) for part in parts]

    def holds(text: str) -> bool:
        position = 0
        for number, part in enumerate(parts):
            if at_end and number == len(parts) - 1:
                start = len(text) - lengths[number]
                fixed = at_start and number == 0
                return start >= position and (not fixed or start == 0) and part.match(text, start) is not None
            found = part.match(text) if at_start and number == 0 else part.search(text, position)
            if found is None:
                return False
            position = found.end()
        return True

    return holds


def _parts(pattern: str) -> list[str]:
    """Between `.*`, as expressions of single signs."""
    parts, place = [""], 0
    while place < len(pattern):
        sign = pattern[place]
        if pattern.startswith(".*", place):
            parts.append("")
            place += 2
            continue
        if sign == "\\":
            place += 1
            if place == len(pattern) or pattern[place].isalnum():
                raise ValueError("a backslash stands before the sign that is meant as it is")
            parts[-1] += re.escape(pattern[place])
        elif sign == ".":
            parts[-1] += "."
        elif sign in _OTHERS:
            raise ValueError(f"{sign!r} is not known in patterns here; known are . .* ^ $ and a backslash")
        else:
            parts[-1] += re.escape(sign)
        place += 1
    return parts


def _length(part: re.Pattern[str]) -> int:
    """How many signs a part takes: an escaped one is one."""
    return len(re.sub(r"\\(.)", r"\1", part.pattern, flags=re.DOTALL))
