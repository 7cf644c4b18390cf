"""Making bad input out of good: bytes, texts and JSON, changed at random. The same numbers make the same input."""

from __future__ import annotations

import json
import random
from typing import Any, Final

TEXTS: Final = (
    "", " ", "\0", "a" * 70_000, "é", "\ud800", "\U0001f600" * 300, "../../etc/passwd", "a/../b", "%00", "%", "NaN",
    "Infinity", "-0", "1e400", "null", "'", '"', "`", "\\", "metrics.loss > 1 AND", "tags.`a", "' OR 1=1 --", "*", "{}",
)  # fmt: skip
NUMBERS: Final = (
    0, -0.0, -1, 1, 2**31, -(2**31) - 1, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64, 10**400, 0.1,
    1e308, -1e308, 5e-324, float("nan"), float("inf"), float("-inf"),
)  # fmt: skip
OTHERS: Final[tuple[Any, ...]] = (None, True, False, [], {}, [[]], [None], {"": None})


def of_bytes(data: bytes, rng: random.Random) -> bytes:
    """Some bytes changed, cut, doubled or put in."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        at = rng.randrange(len(changed) + 1)
        match rng.randrange(6):
            case 0:
                changed[at:at] = rng.randbytes(rng.choice((1, 2, 8, 300)))
            case 1:
                del changed[at : at + rng.choice((1, 2, 8, 300))]
            case 2:
                changed[at:at] = changed[at : at + rng.choice((1, 8, 100))] * rng.choice((1, 2, 50))
            case 3:
                changed[at : at + 1] = bytes([rng.choice((0, 1, 0x7F, 0x80, 0xFF))])
            case 4:
                del changed[at:]
            case _:
                if at < len(changed):
                    changed[at] ^= 1 << rng.randrange(8)
    return bytes(changed)


def of_text(text: str, rng: random.Random) -> str:
    """Another text."""
    if rng.random() < 0.5:
        return rng.choice(TEXTS)
    return of_bytes(text.encode("utf-8", "surrogatepass"), rng).decode("utf-8", "replace")


def of_json(value: Any, rng: random.Random) -> Any:
    """The value with some of what is in it changed."""
    return _changed(value, rng, 1 + rng.randrange(3) / max(1, _size(value)))


def dumped(value: Any) -> bytes:
    """JSON as the worst client writes it: NaN, and halves of surrogate pairs."""
    return json.dumps(value).encode("utf-8", "surrogatepass")


def _size(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(_size, inner))


def _changed(value: Any, rng: random.Random, share: float) -> Any:
    if rng.random() < share - 1 or (not isinstance(value, dict | list) and rng.random() < 0.2):
        return _other(value, rng)
    if isinstance(value, dict):
        found = {name: _changed(each, rng, share) for name, each in value.items()}
        if found and rng.random() < 0.1:
            del found[rng.choice(list(found))]
        if rng.random() < 0.05:
            found[rng.choice(TEXTS)] = rng.choice(OTHERS)
        return found
    if isinstance(value, list):
        found_list = [_changed(each, rng, share) for each in value]
        return found_list * rng.choice((0, 2, 100)) if rng.random() < 0.05 else found_list
    return value


def _other(value: Any, rng: random.Random) -> Any:
    match rng.randrange(5):
        case 0:
            return rng.choice(NUMBERS)
        case 1:
            return rng.choice(OTHERS)
        case 2:
            return [value] * rng.choice((1, 3))
        case 3:
            return _deep(rng.choice((5, 200)))
        case _:
            return of_text(value if isinstance(value, str) else str(value), rng)


def _deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value
