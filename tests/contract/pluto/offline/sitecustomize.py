"""Loaded by the Python of a client under test: it may talk to this machine only; what else it tried is written down."""

import os
import pathlib
import sys
from ipaddress import ip_address


def refuse(event, args):
    """An audit hook, in the client's own processes."""
    if event == "socket.getaddrinfo":
        host = args[0]
    elif event == "socket.connect" and isinstance(args[1], tuple):
        host = args[1][0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else str(host or "localhost")
    try:
        inside = host == "localhost" or ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        inside = False
    if not inside:
        with pathlib.Path(os.environ["OUTSIDE_LOG"]).open("a") as log:
            log.write(f"{event} {host}\n")
        msg = f"the client tried to reach {host}"
        raise PermissionError(msg)


sys.addaudithook(refuse)
