"""Log lines on stderr: JSON for machines, one plain line for people. The command line sets them up."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Final

_STANDARD: Final = frozenset(vars(logging.LogRecord("", 0, "", 0, "", None, None))) | {"message", "color_message"}


def set_up(*, level: str, form: str) -> None:
    """Replace all handlers by one on stderr. `form` is json, text, or auto: text on a terminal, else json."""
    handler = logging.StreamHandler(sys.stderr)
    as_text = form == "text" or (form == "auto" and sys.stderr.isatty())
    handler.setFormatter(TextLine() if as_text else JsonLine())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    # What it says at info level is about itself; the application logs requests.
    logging.getLogger("asyncio").setLevel(max(logging.WARNING, logging.getLevelName(level.upper())))
    logging.raiseExceptions = False  # a closed stderr must not cost more than the lines


class JsonLine(logging.Formatter):
    """One JSON object a line: time, level, logger, message, then the record's extra fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        fields: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_extra(record),
        }
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return json.dumps(fields, default=str)


class TextLine(logging.Formatter):
    """time level message key=value ..., and a traceback below."""

    def format(self, record: logging.LogRecord) -> str:
        """The lines."""
        extra = " ".join(f"{key}={value}" for key, value in _extra(record).items() if value not in ("", None))
        message = record.getMessage().translate({10: "\\n", 13: "\\r", 27: "\\e"})  # one record, one line
        line = f"{_time(record)} {record.levelname.lower():7} {message} {extra}".rstrip()
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _extra(record: logging.LogRecord) -> dict[str, object]:
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}
