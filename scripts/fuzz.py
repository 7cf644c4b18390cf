"""Asks decoders and dialects with bad input for as long as it is told; what makes one fail is kept as a test.

    make fuzz ARGS="--seconds 3600 native mlflow"

Each thing found is a file in tests/fuzzing/found/, which tests/fuzzing/test_found.py asks again from then on.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import resource
import sys
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOUND = ROOT / "tests" / "fuzzing" / "found"
SHOWN = 5  # failures of one target after which it is enough
sys.path.insert(0, str(ROOT / "tests"))


def fuzz(name: str, *, seconds: float, seed: int) -> int:
    """How many inputs made the target fail."""
    from fuzzing.targets import TARGETS  # noqa: PLC0415  the path is known only now

    rng = random.Random(seed)
    target = TARGETS[name]()
    began, asked, failed, least = time.monotonic(), 0, 0, 0
    try:
        while time.monotonic() - began < seconds and failed < SHOWN:
            data = target.make(rng)
            asked += 1
            try:
                target.run(data)
            except Exception:  # noqa: BLE001  whatever it is, it was found
                failed += 1
                print(f"{name}: {_kept(name, data)}\n{traceback.format_exc(limit=-6)}", flush=True)
            if asked == 2_000:
                least = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    finally:
        target.close()
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - least) // 1024 if least else 0
    print(
        f"{name}: {asked} inputs in {time.monotonic() - began:.0f} s, {failed} failed, {grown} MiB more memory",
        flush=True,
    )
    return failed


def _kept(name: str, data: bytes) -> Path:
    file = FOUND / name / f"{hashlib.sha256(data).hexdigest()[:16]}.bin"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return file.relative_to(ROOT)


def main() -> int:
    """0: nothing was found."""
    from fuzzing.targets import TARGETS  # noqa: PLC0415  as above

    asked = argparse.ArgumentParser(prog="make fuzz", description=__doc__.partition("\n")[0])
    asked.add_argument("targets", nargs="*", metavar="TARGET", help=f"some of {', '.join(TARGETS)} (all)")
    asked.add_argument("--seconds", type=float, default=60, help="for each target (60)")
    asked.add_argument("--seed", type=int, default=random.randrange(2**32), help="the numbers to begin with (any)")
    given = asked.parse_args()
    unknown = set(given.targets) - set(TARGETS)
    if unknown:
        asked.error(f"there is no target {', '.join(sorted(unknown))}")
    os.nice(19)
    print(f"seed {given.seed}", flush=True)
    return int(sum(fuzz(name, seconds=given.seconds, seed=given.seed) for name in given.targets or TARGETS) > 0)


if __name__ == "__main__":
    sys.exit(main())
