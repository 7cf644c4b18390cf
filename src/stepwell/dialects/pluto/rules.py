"""Pluto's own limits, and the limits that this dialect sets where its contract has none."""

from __future__ import annotations

from typing import Final

BODY_BYTES: Final = 16 << 20  # of a JSON body
LINE_BYTES: Final = 32 << 20  # of one line of a stream; the stream itself may be as long as it likes
BLOCK_BYTES: Final = 1 << 20  # of a stream: what is parsed and made durable at once
TAGS: Final = 50
NOTE_LENGTH: Final = 1_000
EXTERNAL_ID_LENGTH: Final = 1_024
RUNS_COMPARED: Final = 100
LEADERBOARD_ROWS: Final = 100
METRIC_NAMES: Final = 500
STATISTICS: Final = 100
LOG_NAMES: Final = 1_000
FILES_SHOWN: Final = 1_000
FILES_PER_REQUEST: Final = 1_000
LOG_TYPES: Final = frozenset(
    {"METRIC", "IMAGE", "VIDEO", "AUDIO", "FILE", "TEXT", "ARTIFACT", "HISTOGRAM", "TABLE", "DATA"}
)
LINE_TYPES: Final = frozenset({"INFO", "ERROR", "WARNING", "DEBUG", "PRINT"})
DOWNLOAD_SECONDS: Final = 5 * 24 * 3600  # how long a link to a file works
UPLOAD_SECONDS: Final = 24 * 3600
