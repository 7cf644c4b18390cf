"""Several machines on this one: network namespaces behind a bridge, which can be cut off from each other. Needs root.

A cut is silent: nothing is refused, packets only do not arrive, as when a cable is pulled.
"""

from __future__ import annotations

import itertools
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from warehouse.servers import Host

NOWHERE = "02:00:00:00:00:01"  # a hardware address that nobody has
_NUMBERS = itertools.count()


@dataclass(frozen=True, kw_only=True)
class Network:
    """Hosts, and `here`: this machine, as they see it."""

    here: Host
    hosts: Sequence[Host]
    bridge: str

    def cut(self, one: Host, *others: Host) -> None:
        """Nothing comes from one to the others any more, nor back."""
        for other in others:
            for a, b in ((one, other), (other, one)):
                ip(*_neighbour(a, "replace"), b.address, "lladdr", NOWHERE, "dev", self._device(a), "nud", "permanent")

    def heal(self, one: Host, *others: Host) -> None:
        """As before the cut."""
        for other in others:
            for a, b in ((one, other), (other, one)):
                ip(*_neighbour(a, "del"), b.address, "dev", self._device(a))

    def _device(self, host: Host) -> str:
        return "eth0" if host.enter else self.bridge


def ip(*words: str) -> None:
    """Run `ip`; says what it said where it fails."""
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr} (this test needs root, and the package iproute2)"


def _neighbour(host: Host, verb: str) -> list[str]:
    return ["-n", host.enter[-1], "neigh", verb] if host.enter else ["neigh", verb]


@contextmanager
def network(count: int) -> Iterator[Network]:
    """A network of some hosts, which goes at the end."""
    number = (8 * os.getpid() + next(_NUMBERS)) % 512
    name, subnet = f"sw{number}", f"198.{18 + number // 256}.{number % 256}"
    with ExitStack() as undo:
        ip("link", "add", name, "type", "bridge")
        undo.callback(ip, "link", "del", name)
        ip("addr", "add", f"{subnet}.1/24", "dev", name)
        ip("link", "set", name, "up")
        hosts = []
        for at in range(count):
            space, outside = f"{name}h{at}", f"{name}v{at}"
            ip("netns", "add", space)
            undo.callback(ip, "netns", "del", space)
            ip("link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", space)
            ip("link", "set", outside, "master", name, "up")
            address = f"{subnet}.{at + 2}"
            ip("-n", space, "addr", "add", f"{address}/24", "dev", "eth0")
            ip("-n", space, "link", "set", "lo", "up")
            ip("-n", space, "link", "set", "eth0", "up")
            enter = ("ip", "netns", "exec", space)
            hosts.append(Host(address=address, network=f"{subnet}.0/24", enter=enter))
        here = Host(address=f"{subnet}.1", network=f"{subnet}.0/24")
        yield Network(here=here, hosts=hosts, bridge=name)
