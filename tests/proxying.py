"""A Stepwell that clients reach through nginx alone, set up as docs/howto/proxy.md says.

Nothing here imports stepwell: contract tests run where only the vendor's client is installed.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from serving import HOST, READY_WITHIN, Server, free_port

PREFIX = "/team/stepwell"  # in the page
PAGE = Path(__file__).parents[1] / "docs/howto/proxy.md"
PLACES = f"/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:{Path(__file__).parents[1] / '.cache/nginx/usr/sbin'}"
MAIN = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{site}
}}
"""


class Nginx:
    """nginx before servers, as a page says. `changes`: texts of the page and what stands here in their place, the
    addresses of the servers among them; `block`: which of the page's configurations; `prefix`: the path that it adds.
    `certificate`: the PEM files of a certificate and its key; without them, plain HTTP."""

    def __init__(
        self,
        folder: Path,
        changes: Mapping[str, str],
        *,
        page: Path = PAGE,
        block: int = 0,
        prefix: str = "",
        certificate: tuple[Path, Path] | None = None,
    ) -> None:
        self.port = free_port()
        self.url = f"{'https' if certificate else 'http'}://{HOST}:{self.port}{prefix}"
        self.folder = folder
        site = re.findall(r"```nginx\n(.*?)```", page.read_text(), re.DOTALL)[block]
        changes = {
            **changes,
            "listen 443 ssl;": f"listen {HOST}:{self.port}{' ssl' if certificate else ''};",
            "ssl_certificate /etc/ssl/certs/ml.example.com.pem;": f"ssl_certificate {certificate[0]};"
            if certificate
            else "",
            "ssl_certificate_key /etc/ssl/private/ml.example.com.key;": f"ssl_certificate_key {certificate[1]};"
            if certificate
            else "",
        }
        for told, here in changes.items():
            assert told in site, f"{page.name} says nothing of {told}"
            site = site.replace(told, here)
        folder.mkdir()
        self._config = folder / "nginx.conf"
        self._config.write_text(MAIN.format(folder=folder, site=site))

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Runs until the end of the block."""
        program = shutil.which("nginx", path=PLACES)
        assert program, "nginx is not there; `scripts/setup.sh test` fetches it where it can"
        log = self.folder / "error.log"
        process = subprocess.Popen(
            [program, "-p", str(self.folder), "-c", str(self._config), "-e", str(log)], stderr=subprocess.DEVNULL
        )
        try:
            deadline = time.monotonic() + READY_WITHIN
            while not self._listens():
                assert process.poll() is None, f"nginx ended with {process.returncode}:\n{log.read_text()}"
                assert time.monotonic() < deadline, "nginx does not listen"
                time.sleep(0.02)
            yield
        finally:
            process.terminate()
            process.wait(READY_WITHIN)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((HOST, self.port)) == 0


class Behind:
    """A server that wants credentials, and the address under which clients reach it."""

    def __init__(self, server: Server, url: str) -> None:
        self.server = server
        self.url = url

    def credential(self, *flags: str, workspace: str = "w", role: str = "writer") -> dict[str, str]:
        """A new credential: its id and secret among others."""
        command = [str(self.server.program), "credential", "create", *self.server.place]
        command += ["--workspace", workspace, "--role", role, *flags]
        made: dict[str, str] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
        return made


@contextlib.contextmanager
def behind_proxy(
    folder: Path, *, prefix: str = PREFIX, certificate: tuple[Path, Path] | None = None
) -> Iterator[Behind]:
    """A new server with nginx before it. `folder` exists; what they write lies in it."""
    with Server(folder / "data", args=["--auth", "required", "--behind-proxy", "1"]) as server:
        changes = {"http://127.0.0.1:8585": server.url}
        nginx = Nginx(folder / "nginx", changes, block=int(bool(prefix)), prefix=prefix, certificate=certificate)
        with nginx.running():
            yield Behind(server, nginx.url)
