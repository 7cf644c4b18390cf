"""Ascend NPUs, from the table that `npu-smi info` prints. Its versions draw it a little differently.

A chip has two lines: `| NPU name | health | power temperature pages |` and `| chip ... | bus id | AICore memory HBM |`,
where memory and HBM are `used / total` in megabytes and older chips have no HBM.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from typing import Final

from stepwell.agent.readings import Absent, Failed, Reading, Usage

_PROGRAM: Final = "npu-smi"
_PATIENCE: Final = 20.0  # seconds; with sixteen chips it takes one or two
_BUS: Final = re.compile(r"[0-9a-fA-Fx]{4,8}:[0-9a-fA-Fx]{2}:[0-9a-fA-Fx]{2}\.[0-9a-fA-Fx]")
_OF: Final = re.compile(r"([0-9]{1,15}) */ *([0-9]{1,15})")
_ID: Final = re.compile(r"[0-9]{1,5}")
_NUMBER: Final = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,6})?")
_MEGABYTE: Final = 1024 * 1024


def ask() -> str:
    """What `npu-smi info` prints. Absent where there is no such program, Failed."""
    program = shutil.which(_PROGRAM)
    if program is None:
        raise Absent
    try:
        done = subprocess.run(  # noqa: S603  the program of the device's own driver, without any input
            [program, "info"], capture_output=True, timeout=_PATIENCE, check=True, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"{_PROGRAM} info: no answer within {_PATIENCE:.0f} seconds") from None
    except subprocess.CalledProcessError as error:
        told = (error.stderr or error.stdout or b"").decode("utf-8", "replace").strip()[:200]
        raise Failed(f"{_PROGRAM} info: exit status {error.returncode}: {told}") from None
    except (OSError, subprocess.SubprocessError) as error:
        raise Failed(f"{_PROGRAM} info: {error}") from None
    return done.stdout.decode("utf-8", "replace")


class Npu:
    """`npu` and `npu_mem` in percent of each chip, named `NPU-CHIP`; `npu_..._memory_used_bytes`, power, temperature.

    runner: gives the text of `npu-smi info`; Absent, Failed.
    """

    name = "npu"

    def __init__(self, runner: Callable[[], str] = ask) -> None:
        self._runner = runner

    def read(self) -> Reading:
        """As `Collector.read`."""
        usage: list[Usage] = []
        measures: dict[str, float] = {}
        found = False
        for device, board, chip in _chips(self._runner()):
            found = True
            usage += _usage(device, chip)
            measures |= _measures(device, board, chip)
        if not found:
            raise Failed(f"{_PROGRAM} info: its answer names no chip")
        return Reading(usage=tuple(usage), measures=measures)


def _chips(text: str) -> Iterator[tuple[str, str, str]]:
    """Name, last cell of the first and of the second line of each chip."""
    before: list[str] = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.lstrip().startswith("|") else []
        if len(cells) == 3 and _BUS.fullmatch(cells[1]) and len(before) == 3:
            npu, chip = before[0].split()[:1], cells[0].split()[:1]
            if npu and chip and _ID.fullmatch(npu[0]) and _ID.fullmatch(chip[0]):
                yield f"{npu[0]}-{chip[0]}", before[2], cells[2]
        before = cells


def _usage(device: str, chip: str) -> Iterator[Usage]:
    busy = _word(chip, 0)
    if busy is not None:
        yield Usage(resource="npu", device=device, percent=busy)
    memory = _memory(chip)
    if memory is not None:
        yield Usage(resource="npu_mem", device=device, percent=memory[0] / memory[1] * 100)


def _measures(device: str, board: str, chip: str) -> dict[str, float]:
    memory = _memory(chip)
    found = {
        "power_watts": _word(board, 0),
        "temperature_celsius": _word(board, 1),
        "memory_used_bytes": None if memory is None else float(memory[0] * _MEGABYTE),
    }
    return {f"npu_{device}_{name}": value for name, value in found.items() if value is not None}


def _memory(chip: str) -> tuple[int, int] | None:
    """Megabytes used and in all: of the HBM, which is the last pair, or where a chip has none, of its other memory."""
    pairs = [(int(used), int(total)) for used, total in _OF.findall(chip)]
    return next((pair for pair in reversed(pairs) if pair[1]), None)


def _word(cell: str, place: int) -> float | None:
    """The number at a place of a cell; None for `NA`, `-` and whatever else is no number."""
    word = cell.split()[place : place + 1]
    return float(word[0]) if word and _NUMBER.fullmatch(word[0]) else None
