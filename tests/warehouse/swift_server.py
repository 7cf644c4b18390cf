"""OpenStack Swift, all of it in one process, with its interface of S3: a real object store for tests.

    .cache/swift/bin/python tests/warehouse/swift_server.py FOLDER PORT

Everything is kept in FOLDER, so that a process that was killed goes on where it was when it is started again. It
listens on loopback alone. `buckets.py` starts it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import eventlet
import eventlet.wsgi
from swift.common import utils, wsgi
from swift.common.http_protocol import SwiftHttpProtocol
from swift.common.ring import RingBuilder

ADDRESS = "127.0.0.1"
KINDS = ("account", "container", "object")
SWIFT = "[swift-hash]\nswift_hash_path_suffix = tests\n[storage-policy:0]\nname = Policy-0\ndefault = yes\n"
STORAGE = """[DEFAULT]
devices = {folder}
swift_dir = {folder}
mount_check = false
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
"""
PROXY = """[DEFAULT]
swift_dir = {folder}
[pipeline:main]
pipeline = catch_errors gatekeeper listing_formats bulk s3api tempauth slo dlo proxy-server
[app:proxy-server]
use = egg:swift#proxy
allow_account_management = true
account_autocreate = true
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
user_test_reader = reading
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:bulk]
use = egg:swift#bulk
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
"""


def configure(folder: Path, ports: dict[str, int]) -> None:
    """Write what Swift reads: its rings, with one device each, and one file for each server."""
    (folder / "device").mkdir(exist_ok=True)
    (folder / "proxy.conf").write_text(PROXY.format(folder=folder))
    for kind in KINDS:
        (folder / f"{kind}.conf").write_text(STORAGE.format(folder=folder, kind=kind))
        builder = RingBuilder(1, 1, 0)
        place = {"ip": ADDRESS, "port": ports[kind], "device": "device", "region": 1, "zone": 1, "weight": 1}
        builder.add_dev(place)
        builder.rebalance()
        builder.get_ring().save(str(folder / f"{kind}.ring.gz"))


def serve(folder: Path, port: int) -> None:
    """Serve until the process is ended."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "swift.conf").write_text(SWIFT)
    utils.eventlet_monkey_patch()
    utils.set_swift_dir(str(folder))
    sockets = {kind: eventlet.listen((ADDRESS, 0)) for kind in KINDS}
    configure(folder, {kind: one.getsockname()[1] for kind, one in sockets.items()})
    for kind, one in sockets.items():
        eventlet.spawn(run, folder / f"{kind}.conf", one)
    eventlet.sleep(0)
    run(folder / "proxy.conf", eventlet.listen((ADDRESS, port), backlog=128))


def run(config: Path, listening: object) -> None:
    """One of the servers. Clients look for `ETag`, which eventlet would write as `Etag`."""
    application = wsgi.loadapp(str(config), global_conf={"log_name": config.stem})
    eventlet.wsgi.server(
        listening,
        application,
        wsgi.NullLogger(),
        protocol=SwiftHttpProtocol,
        capitalize_response_headers=False,
    )


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))
