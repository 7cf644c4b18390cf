"""The small files that the kernel shows below /proc and /sys. Whatever stands in them, only Failed is raised."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from stepwell.agent.readings import Failed

_LONGEST: Final = 4_000_000  # bytes; /proc/stat of a thousand cores has a tenth
_NUMBER: Final = re.compile(r"[0-9]{1,20}")  # 64 bits, without a sign


def text(path: Path) -> str:
    """What stands in a file. Failed."""
    found = text_or_none(path)
    if found is None:
        raise Failed(f"{path}: no such file")
    return found


def text_or_none(path: Path) -> str | None:
    """What stands in a file; None where there is none. Failed."""
    try:
        with path.open("rb") as file:
            return file.read(_LONGEST).decode("utf-8", "replace")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise Failed(f"{path}: {error}") from None


def integer(word: str, where: Path) -> int:
    """The number that a word of a file is. Failed."""
    if not _NUMBER.fullmatch(word):
        raise Failed(f"{where}: {word[:40]!r} is no number")
    return int(word)


def integers(words: list[str], where: Path) -> list[int]:
    """The numbers that words of a file are. Failed."""
    return [integer(word, where) for word in words]


def table(found: str) -> dict[str, list[str]]:
    """Lines of words, by their first word without its colon."""
    lines = (line.split() for line in found.splitlines())
    return {words[0].rstrip(":"): words[1:] for words in lines if words}


def entry(lines: dict[str, list[str]], name: str, where: Path) -> int:
    """The number behind a name in a table. Failed."""
    words = lines.get(name)
    if not words:
        raise Failed(f"{where}: there is no {name}")
    return integer(words[0], where)
