"""The little of YAML that files of MLflow are made of: one level of names, each with a text. Nothing else is read."""

from __future__ import annotations

import re
from typing import Final

_NAME: Final = re.compile(r"([A-Za-z_][\w.-]*):(?: |$)")
_BREAKS: Final = re.compile(r"[ \t]*\n((?:[ \t]*\n)*)[ \t]*")
_ESCAPES: Final = re.compile(
    r"\\(?:\n[ \t]*|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)|" + _BREAKS.pattern, re.DOTALL
)
_LETTERS: Final = dict(zip("0abtnvfreN_LP", "\0\a\b\t\n\v\f\r\x1b\x85\xa0\u2028\u2029"))  # noqa: B905  equally many


def read(text: str) -> dict[str, str | None]:
    """Names with their texts, None for null. What is a list or has names of its own is left out. ValueError."""
    found: dict[str, str] = {}
    name = ""
    for line in text.split("\n"):
        begun = _NAME.match(line)
        if begun is not None:
            name = begun[1]
            found[name] = line[begun.end() :]
        elif name:
            found[name] += f"\n{line}"
    return {name: _value(raw.rstrip("\n")) for name, raw in found.items() if "\n- " not in raw and raw[:1] not in "[{"}


def _value(raw: str) -> str | None:
    if raw[:1] == "'":
        return _folded(raw[1:-1]).replace("''", "'")
    if raw[:1] == '"':
        return _ESCAPES.sub(_unescaped, raw[1:-1])
    return None if raw in ("", "null", "~") else _folded(raw)


def _folded(raw: str) -> str:
    return _BREAKS.sub(_broken, raw)


def _broken(breaks: re.Match[str]) -> str:
    """One end of a line is a space, each empty line after it an end of a line."""
    return "\n" * breaks[1].count("\n") or " "


def _unescaped(found: re.Match[str]) -> str:
    told = found[0]
    if told[0] != "\\":
        return _broken(found)
    if told[1] == "\n":
        return ""
    if told[1] in "xuU" and len(told) > 2:
        return chr(int(told[2:], 16))
    return _LETTERS.get(told[1], told[1])
