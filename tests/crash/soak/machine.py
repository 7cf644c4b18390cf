"""The machine of a soak: a server whose time runs fast, on a small disk, in a group with a limit of memory; and levers.

Nothing here knows who writes or what is checked.
"""

from __future__ import annotations

import http.client
import mmap
import os
import shutil
import signal
import ssl
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from serving import HOST, Server, binary

MIB: Final = 2**20
GROUPS: Final = Path("/sys/fs/cgroup/memory")
_LEVERS: Final = struct.Struct("<6q")  # as in levers.c
_FACTOR, _BEGUN, _WALL, _JUMP, _FAIL, _FAILED = range(6)


class Levers:
    """What the preloaded library of a server is told; times in microseconds."""

    def __init__(self, folder: Path, *, factor: int) -> None:
        self.factor = factor
        self.library = folder / "levers.so"
        source = Path(__file__).with_name("levers.c")
        command = ["cc", "-shared", "-fPIC", "-O2", "-o", str(self.library), str(source), "-ldl"]
        subprocess.run(command, check=True)
        self.file = folder / "levers"
        self._begun, wall = time.monotonic_ns(), time.time_ns()
        self.file.write_bytes(_LEVERS.pack(factor, self._begun, wall, 0, 0, 0))
        with self.file.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _LEVERS.size)
        self.latest = 0  # that the clock on the wall has ever shown

    def env(self) -> dict[str, str]:
        """What the server's process is started with."""
        return {"LD_PRELOAD": str(self.library), "SOAK_LEVERS": str(self.file)}

    @property
    def lived(self) -> int:
        """How much of the server's time has passed."""
        return (time.monotonic_ns() - self._begun) * self.factor // 1000

    @property
    def wall(self) -> int:
        """The clock on the server's wall."""
        now = self._get(_WALL) // 1000 + self._get(_JUMP) // 1000 + self.lived
        self.latest = max(self.latest, now)
        return now

    @property
    def failed_syncs(self) -> int:
        """How many syncs were told that they failed."""
        return self._get(_FAILED)

    def jump(self, by: int) -> None:
        """The clock on the wall is another from now on."""
        self._set(_JUMP, self._get(_JUMP) + by * 1000)
        _ = self.wall

    def fail_syncs(self, count: int) -> None:
        """So many syncs fail from now on; 0: none any more."""
        self._set(_FAIL, count)

    def _get(self, number: int) -> int:
        return int(struct.unpack_from("<q", self._map, 8 * number)[0])

    def _set(self, number: int, value: int) -> None:
        struct.pack_into("<q", self._map, 8 * number, value)


class Certificates:
    """A certificate and its key, which can be replaced by others."""

    def __init__(self, folder: Path) -> None:
        self.cert, self.key = folder / "cert.pem", folder / "key.pem"
        self.renew()

    def renew(self) -> bytes:
        """A new one, as it is shown to clients (DER)."""
        cert, key = self.cert.with_suffix(".new"), self.key.with_suffix(".new")
        made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        names = ["-subj", "/CN=localhost", "-days", "3650", "-keyout", str(key), "-out", str(cert)]
        subprocess.run([*made, *names], check=True, capture_output=True)
        key.chmod(0o600)
        key.replace(self.key)
        cert.replace(self.cert)
        return ssl.PEM_cert_to_DER_cert(self.cert.read_text())


def trusting() -> ssl.SSLContext:
    """Encrypts and asks for no name: certificates change, and are compared by what they are."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Encrypted(Server):
    """A server that is asked over TLS, in a group of its own where there is one."""

    group: Path | None = None

    def start(self, *, wait: bool = True) -> Encrypted:
        super().start(wait=False)
        if self.group is not None:
            (self.group / "cgroup.procs").write_text(str(self.pid))
        if wait:
            self.wait_ready()
        return self

    def answers(self) -> bool:
        return self.health() == 200

    def health(self) -> int:
        """The status of /healthz; 0 where nobody answers."""
        connection = http.client.HTTPSConnection(HOST, self.port, timeout=30, context=trusting())
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()

    def shown(self) -> bytes:
        """The certificate of a new connection (DER)."""
        return ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate((HOST, self.port), timeout=30))

    def pause(self, seconds: float) -> None:
        """Nothing of it runs meanwhile."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self.process.send_signal(signal.SIGCONT)

    def ask(self, *command: str) -> str:
        """What a command says about the data directory. AssertionError where it fails."""
        asked = [str(binary()), *command, "--data-dir", str(self.data_dir)]
        done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=600)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
        return done.stdout


@contextmanager
def memory_group() -> Iterator[Path]:
    """A control group whose memory can be limited."""
    group = GROUPS / f"stepwell-soak-{os.getpid()}"
    group.mkdir()
    try:
        yield group
    finally:
        for _ in range(100):  # the processes in it have ended; the kernel may not have noticed
            with suppress(OSError):
                group.rmdir()
            if not group.exists():
                break
            time.sleep(0.1)


def limit(group: Path, room: int) -> None:
    """So much memory more than what it has, once the kernel has taken back what can be read again."""
    size = int((group / "memory.usage_in_bytes").read_text()) // 2
    while True:
        try:
            (group / "memory.limit_in_bytes").write_text(str(size + room))
        except OSError:  # it cannot do with so little
            size += MIB
        else:
            return


def unlimit(group: Path) -> None:
    """As much memory as there is."""
    (group / "memory.limit_in_bytes").write_text("-1")


def killed_for_memory(group: Path) -> int:
    """How many processes of the group the kernel has killed."""
    words = dict(line.split() for line in (group / "memory.oom_control").read_text().splitlines())
    return int(words["oom_kill"])


def used(folder: Path) -> int:
    """Bytes of the file system in use."""
    return shutil.disk_usage(folder).used
