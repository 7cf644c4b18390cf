"""Log lines."""

from __future__ import annotations

import json
import logging
import sys

from stepwell.web.log import JsonLine, TextLine


def record(message: str, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("stepwell.web", logging.WARNING, "", 0, message, None, None)
    made.created = 1_700_000_000.25
    vars(made).update(extra)
    return made


def test_json_lines_hold_the_extra_fields():
    line = JsonLine().format(record('odd "text"\n', request_id="r1", status=503))
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2023-11-14T22:13:20.250Z",
        "level": "warning",
        "logger": "stepwell.web",
        "message": 'odd "text"\n',
        "request_id": "r1",
        "status": 503,
    }


def test_text_lines_stay_one_line():
    line = TextLine().format(record("one\ntwo\x1b[31m", path="/x", empty=""))
    assert line == "2023-11-14T22:13:20.250Z warning one\\ntwo\\e[31m path=/x"


def test_tracebacks_are_told():
    made = record("failed")
    try:
        dict[str, int]()["inner"]
    except KeyError:
        made.exc_info = sys.exc_info()
    assert "KeyError: 'inner'" in json.loads(JsonLine().format(made))["traceback"]
    assert TextLine().format(made).endswith("KeyError: 'inner'")
