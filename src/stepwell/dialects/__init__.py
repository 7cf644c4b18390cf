"""The interfaces of other products and our own: their words, status codes and quirks; no rules, no storage.

Here is only what several of them share: which tag is a run's note (docs/adr/0019-one-note.md).
"""

from collections.abc import Mapping
from typing import Final

NOTE_TAG: Final = "mlflow.note.content"


def note_tags(text: str | None) -> tuple[Mapping[str, str], tuple[str, ...]]:
    """Which tags to set and which to clear so that this is the note. An empty one is none."""
    return ({NOTE_TAG: text}, ()) if text else ({}, (NOTE_TAG,))
