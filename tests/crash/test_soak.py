"""Eight hours of a server's time under load from several dialects, while everything happens to it that may.

Its time runs sixteen times as fast, so that all that it does by the clock - flushes, merges, checkpoints, retention,
signs of life, ends of tokens - comes as often as in eight hours. After each fault, and at the end, all that was ever
acknowledged is read and compared while the writers go on; and the process, its files and its log are looked at.
"""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from crash.soak.faults import FAULTS, Site, until
from crash.soak.machine import GROUPS, MIB, Certificates, Encrypted, Levers, memory_group, used
from crash.soak.memory import SECOND, Fate, Found, compare
from crash.soak.talking import Secured
from crash.soak.writers import WRITERS, Pluto, Trimmed
from crash.traffic import Gone
from disks import small_disk
from serving import free_port

DISK = 512 * MIB
MEMORY = 600 * MIB  # of the process, at most
THREADS = 100
HANDLES = 300
LOG = 280 * MIB  # of the database, not yet copied into it: its hard cap and what one commit adds
SILENT = 2_400 * SECOND  # after which a run that gave signs of life has failed, whatever the clock did


@dataclass(slots=True)
class Seen:
    """What a soak has been."""

    hours: float = 0.0
    minutes: float = 0.0  # real ones
    faults: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    checks: int = 0
    acknowledged: int = 0
    read: int = 0
    lost: int = 0
    double: int = 0
    runs: int = 0
    answers: Counter[int] = field(default_factory=Counter)
    memory_mib: float = 0.0
    threads: int = 0
    handles: int = 0
    log_mib: float = 0.0
    disk_mib: float = 0.0
    audited: int = 0


@contextmanager
def site(folder: Path, *, seed: int, factor: int) -> Iterator[Site]:
    """A server with its writers, who have begun."""
    levers, certificates = Levers(folder, factor=factor), Certificates(folder)
    limited = memory_group() if GROUPS.is_dir() else nullcontext(None)
    with small_disk(folder / "disk", str(DISK)) as disk, limited as group:
        tls = ("--tls-cert", str(certificates.cert), "--tls-key", str(certificates.key), "--auth", "required")
        server = Encrypted(disk / "data", port=free_port(), args=tls, env=levers.env())
        server.log_file = folder / "log"
        server.group = group
        made = ("credential", "create", "--role", "admin")
        secret = json.loads(server.ask(*made, "--workspace", "default", "--id", "soak"))["secret"]
        trimmed = json.loads(server.ask(*made, "--workspace", "trimmed"))["secret"]
        server.ask("retention", "set", "--workspace", "trimmed", "--points-per-series", str(Trimmed.most))
        server.ask("retention", "set", "--workspace", "*", "--deleted-runs-days", "1")
        server.start()
        writers = [kind(server.port, levers, secret, 10 * seed + n) for n, kind in enumerate(WRITERS)]
        writers.append(Trimmed(server.port, levers, trimmed, 10 * seed + 9))
        for writer in writers:
            writer.start()
        try:
            yield Site(server, levers, certificates, disk, group, writers, secret, random.Random(seed))
        finally:
            for writer in writers:
                writer.end.set()
            server.kill()
            for writer in writers:
                writer.join(120)
                assert not writer.is_alive()


def look(here: Site, seen: Seen) -> None:
    """Read all that was ever acknowledged, and measure the process."""
    found = Found()
    talk = Secured(here.server.port)
    for writer in here.writers:
        assert not writer.surprises, writer.surprises[:3]
        assert writer.is_alive() or writer.end.is_set(), f"{writer.name} has ended"
        for run in list(writer.runs):
            while True:
                try:
                    compare(talk, run, found, latest=here.levers.latest)
                    break
                except Gone:
                    time.sleep(0.1)
    talk.close()
    seen.checks += 1
    seen.read += found.points
    seen.lost += found.lost
    seen.double += found.double
    assert not found.wrong, found.wrong[:5]
    measure(here, seen)


def measure(here: Site, seen: Seen) -> None:
    """Memory, threads, open files and the sizes of files stay within their bounds."""
    proc = Path(f"/proc/{here.server.pid}")
    status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
    memory = int(status["VmRSS"].split()[0]) / 1024
    handles = len(list((proc / "fd").iterdir()))
    log = sum(path.stat().st_size for path in here.server.data_dir.glob("*-wal")) / MIB
    seen.memory_mib = max(seen.memory_mib, memory)
    seen.threads = max(seen.threads, int(status["Threads"]))
    seen.handles = max(seen.handles, handles)
    seen.log_mib = max(seen.log_mib, log)
    seen.disk_mib = max(seen.disk_mib, used(here.disk) / MIB)
    assert memory < MEMORY / MIB
    assert int(status["Threads"]) < THREADS
    assert handles < HANDLES
    assert log < LOG / MIB


def end(here: Site, seen: Seen) -> None:
    """The writers end; everything is looked for once more, before and after a restart, and the store is sound."""
    for writer in here.writers:
        writer.end.set()
    for writer in here.writers:
        writer.join(120)
        assert not writer.is_alive()
        assert writer.runs
    look(here, seen)
    here.server.restart()
    look(here, seen)
    assert_the_silent_have_failed(here)
    seen.audited = assert_audited(here)
    assert here.server.stop() == 0
    assert here.server.ask("check") == "no damage found\n"
    errors = [line for line in here.server.log().splitlines() if "Traceback" in line]
    assert not [line for line in errors if "MemoryError" not in line]


def assert_the_silent_have_failed(here: Site) -> None:
    """Runs that gave signs of life and then none."""
    talk = Secured(here.server.port)
    for run in [run for writer in here.writers if isinstance(writer, Pluto) for run in writer.runs]:
        if run.silent_since is not None and here.levers.lived - run.silent_since > SILENT:
            answer = talk.ask("GET", f"/api/v1/runs/{run.id}", secret=run.secret)
            assert answer.json["run"]["status"] == "FAILED", answer.body[:300]
    talk.close()


def assert_audited(here: Site) -> int:
    """Each purge and each deletion that was acknowledged is in the log of what was done; how many entries it has."""
    found: list[dict[str, object]] = []
    talk = Secured(here.server.port)
    cursor = ""
    while True:
        answer = talk.ask("GET", f"/api/v1/audit?limit=1000{'&cursor=' + cursor if cursor else ''}", secret=here.secret)
        assert answer.status == 200, answer.body
        found += answer.json["entries"]
        cursor = answer.json["cursor"] or ""
        if not cursor:
            break
    talk.close()
    numbers = [entry["number"] for entry in found]
    assert numbers == sorted(set(numbers), reverse=True)  # type: ignore[type-var]
    actions = {Fate.PURGED: "run.purge", Fate.DELETED: "run.delete"}
    told = {(entry["action"], entry["subject"]) for entry in found}
    for run in [run for writer in here.writers for run in writer.runs if run.fate in actions]:
        assert (actions[run.fate], run.id) in told
    return len(found)


def soak(folder: Path, *, seed: int, factor: int, hours: float, pause: tuple[float, float]) -> Seen:
    """`pause`: real seconds between two faults, at least and at most."""
    seen, began = Seen(), time.monotonic()
    with site(folder, seed=seed, factor=factor) as here:
        until(lambda: all((w.runs and w.runs[0].sure) or w.surprises for w in here.writers), "all write", within=120)
        names: list[str] = []
        while here.levers.lived < hours * 3_600 * SECOND:
            names = names or here.rng.sample(list(FAULTS), len(FAULTS))  # each once, in any order, then again
            time.sleep(here.rng.uniform(*pause))
            name = names.pop()
            outcome = FAULTS[name](here)
            seen.faults[name] += 1
            seen.outcomes[outcome] += 1
            look(here, seen)
            sum_up(here, seen, began)
            print(f"{seen.hours:.2f} h {name}: {outcome}; {seen.acknowledged} points", flush=True)
        end(here, seen)
        sum_up(here, seen, began)
    print(seen, flush=True)
    return seen


def sum_up(here: Site, seen: Seen, began: float) -> None:
    seen.hours = here.levers.lived / SECOND / 3_600
    seen.minutes = (time.monotonic() - began) / 60
    runs = [run for writer in here.writers for run in writer.runs]
    seen.runs = len(runs)
    seen.acknowledged = sum(run.sure * len(run.metrics) for run in runs)
    seen.answers = sum((writer.answers for writer in here.writers), Counter())


@pytest.mark.long
def test_eight_hours_of_faults(tmp_path: Path) -> None:
    seen = soak(tmp_path, seed=8, factor=16, hours=8.0, pause=(2.0, 8.0))
    assert seen.faults.keys() == FAULTS.keys()
    assert (seen.lost, seen.double) == (0, 0)
    assert seen.acknowledged > 100_000
