"""What happens to the server of a soak. A fault is over when its function returns, and says in a word how it went."""

from __future__ import annotations

import os
import random
import resource
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from crash.soak.machine import MIB, Certificates, Encrypted, Levers, killed_for_memory, limit, unlimit
from crash.soak.memory import SECOND
from crash.soak.talking import Secured
from crash.soak.writers import Writer
from crash.traffic import Gone

WITHIN: Final = 60.0  # real seconds, for what must come about by itself
HOUR: Final = 3_600 * SECOND


@dataclass(slots=True)
class Site:
    """All that faults can reach."""

    server: Encrypted
    levers: Levers
    certificates: Certificates
    disk: Path
    group: Path | None
    writers: list[Writer]
    secret: str
    rng: random.Random
    backups: int = 0


def until(come_about: Callable[[], object], what: str, *, within: float = WITHIN) -> None:
    """Wait for it. AssertionError."""
    end = time.monotonic() + within
    while not come_about():
        assert time.monotonic() < end, f"not within {within:.0f} s: {what}"
        time.sleep(0.05)


def kill(site: Site) -> str:
    """kill -9."""
    site.server.kill()
    site.server.start()
    return "killed"


def kill_twice(site: Site) -> str:
    """kill -9 again while it recovers."""
    site.server.kill()
    site.server.start(wait=False)
    time.sleep(site.rng.uniform(0.2, 1.5))
    site.server.kill()
    site.server.start()
    return "killed twice"


def restart(site: Site) -> str:
    """SIGTERM, as an upgrade does it."""
    site.server.restart()
    return "restarted"


def full_disk(site: Site) -> str:
    """No room is left on the disk, until there is again."""
    refused = sum(writer.answers[507] for writer in site.writers)
    ballast = site.disk / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while (found := os.statvfs(site.disk)).f_bavail * found.f_frsize > 2 * MIB:
            file.write(bytes(MIB))
    until(lambda: sum(writer.answers[507] for writer in site.writers) > refused, "a write is refused")
    if site.rng.random() < 0.3:
        site.server.kill()
        site.server.start(wait=False)
        until(lambda: site.server.health() in {200, 503}, "it answers on a full disk")
    ballast.unlink()
    until(site.server.answers, "it recovers by itself")
    return "full"


def failing_sync(site: Site) -> str:
    """A sync fails: nothing more is acknowledged, until a new process reads what the disk really has."""
    failed = site.levers.failed_syncs
    site.levers.fail_syncs(site.rng.randint(1, 3))
    until(lambda: site.levers.failed_syncs > failed, "a sync fails")
    until(lambda: site.server.health() == 503, "it says so")
    site.levers.fail_syncs(0)
    assert site.server.health() == 503, "it took itself for sound again"
    site.server.stop()
    site.server.start()
    return "refused all writes"


def clock_jumps(site: Site) -> str:
    """The clock on the wall is set; now and then by more than a day, and later back."""
    by = site.rng.choice((30 * SECOND, -30 * SECOND, HOUR, -HOUR, 26 * HOUR, -26 * HOUR))
    site.levers.jump(by)
    return f"jumped by {by // SECOND} s"


def no_memory(site: Site) -> str:
    """The control group gets no more memory: the kernel kills the process."""
    if site.group is None:
        return poor(site)
    before = killed_for_memory(site.group)
    limit(site.group, site.rng.choice((0, 1, 4)) * MIB)
    end = time.monotonic() + 20
    while site.server.running and time.monotonic() < end:
        _eat(site)
    unlimit(site.group)
    died = not site.server.running
    if died:
        assert killed_for_memory(site.group) > before, "it ended by itself"
        site.server.start()
    until(site.server.answers, "it answers")
    return "killed for memory" if died else "lived with little memory"


def poor(site: Site) -> str:
    """The process may have no more address space: what asks for memory fails. Then it is started anew."""
    now = int(Path(f"/proc/{site.server.pid}/statm").read_text().split()[0]) * resource.getpagesize()
    for writer in site.writers:
        writer.poor.set()
    room = site.rng.choice((0, 1, 8)) * MIB
    resource.prlimit(site.server.pid, resource.RLIMIT_AS, (now + room, resource.RLIM_INFINITY))
    end = time.monotonic() + 3
    while site.server.running and time.monotonic() < end:
        _eat(site)
    if site.server.running:
        resource.prlimit(site.server.pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    died = not site.server.running
    site.server.kill()  # nobody knows what is left of it
    site.server.start()
    for writer in site.writers:
        writer.poor.clear()
    return "ended for want of memory" if died else "was refused memory"


def _eat(site: Site) -> None:
    """A request that takes memory."""
    talk = Secured(site.server.port, timeout=2.0)
    with suppress(Gone):
        talk.ask("PUT", "/api/v1/runs/nobody/artifacts/x", bytes(4 * MIB), secret=site.secret)
    talk.close()


def cut_connections(site: Site) -> str:
    """All connections break, in whatever is on its way."""
    for _ in range(5):
        for writer in site.writers:
            if writer.cuttable:
                writer.talk.cut()
        time.sleep(site.rng.uniform(0.0, 0.3))
    return "cut"


def stand_still(site: Site) -> str:
    """The machine is suspended for a while."""
    site.server.pause(site.rng.uniform(0.5, 3.0))
    return "stood still"


def renew_certificate(site: Site) -> str:
    """New connections see the new certificate, without a restart."""
    new = site.certificates.renew()
    until(lambda: site.server.shown() == new, "the new certificate is shown")
    return "renewed"


def back_up(site: Site) -> str:
    """A backup of the served directory is whole: it can be restored, and the copy is sound."""
    site.backups += 1
    folder = site.certificates.cert.parent
    copy, restored = folder / f"backup-{site.backups}", folder / f"restored-{site.backups}"
    site.server.ask("backup", str(copy))
    program = site.server
    there = Encrypted(restored, port=program.port)
    there.ask("restore", str(copy))
    assert there.ask("check") == "no damage found\n"
    return "backed up"


FAULTS: Final[Mapping[str, Callable[[Site], str]]] = MappingProxyType(
    {
        each.__name__: each
        for each in (
            kill,
            kill_twice,
            restart,
            full_disk,
            failing_sync,
            clock_jumps,
            no_memory,
            poor,
            cut_connections,
            stand_still,
            renew_certificate,
            back_up,
        )
    }
)
