"""The server goes away, the network is cut, the credential is wrong: later everything is there, once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import stepwell
from client.cable import Cable
from client.conftest import Stored
from serving import HOST, Server, free_port
from stepwell.client import sender
from stepwell.client.commands import main
from stepwell.client.transport import Api


def test_a_server_that_restarts_misses_nothing(server: Server, spool: Path) -> None:
    with stepwell.init(experiment="restarts", url=server.url, spool=spool) as run:
        for step in range(2000):
            run.log({"loss": step / 2, "acc": -step}, step=step)
            if step in (300, 1200):
                server.kill()  # in the middle of whatever it does
            if step in (800, 1600):
                server.start()
            time.sleep(0.0005)
    stored = Stored(server.url)
    assert stored.points(run.id, "loss") == [(step, step / 2) for step in range(2000)]
    assert stored.points(run.id, "acc") == [(step, -float(step)) for step in range(2000)]
    assert list(spool.rglob("*")) == []


def test_a_network_that_is_cut_again_and_again_repeats_nothing(
    shared_server: Server, stored: Stored, spool: Path
) -> None:
    with Cable(shared_server.port) as cable:
        run = stepwell.init(url=cable.url, spool=spool)
        for step in range(3000):
            run.log({"loss": step}, step=step)
            if step % 500 == 250:
                cable.cut()
            if step % 500 == 400:
                cable.mend()
            time.sleep(0.0005)
        assert run.finish()
    assert stored.points(run.id, "loss") == [(step, float(step)) for step in range(3000)]
    assert run.dropped == 0


def test_a_server_that_is_away_until_the_end_gets_all_by_a_sync(
    serve: Callable[..., Server], spool: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    run = stepwell.init(experiment="away", url=f"http://{HOST}:{port}", spool=spool, params={"lr": 1})
    for step in range(500):
        run.log({"loss": step}, step=step)
    assert not run.finish(patience=0.5)
    server = serve(port=port)
    stored = Stored(server.url)
    assert main(["sync", str(spool)]) == 0
    assert "500 points" in capsys.readouterr().out
    before = stored.run(run.id)
    assert main(["sync", str(spool)]) == 0
    assert capsys.readouterr().out == "nothing to send\n"
    assert stored.run(run.id) == before
    assert stored.points(run.id, "loss") == [(step, float(step)) for step in range(500)]
    for sent in spool.rglob("sent.json"):
        sent.unlink()  # all of it once more
    assert main(["sync", str(spool)]) == 0
    assert stored.points(run.id, "loss") == [(step, float(step)) for step in range(500)]
    assert stored.run(run.id)["params"] == {"lr": "1"}


def test_a_wrong_credential_keeps_all_for_the_right_one(
    serve: Callable[..., Server], spool: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import json
    import subprocess

    server = serve("--auth", "required")
    run = stepwell.init(url=server.url, api_key="sw_" + "x" * 40, spool=spool)
    run.log({"loss": 1.0})
    assert not run.finish(patience=1.0)
    assert any("credential" in problem for problem in run.problems)
    assert main(["sync", str(spool)]) == 1
    made = subprocess.run(
        [server.program, "credential", "create", "--workspace=team", "--role=writer", f"--data-dir={server.data_dir}"],
        capture_output=True,
        check=True,
    )
    monkeypatch.setenv("STEPWELL_API_KEY", json.loads(made.stdout)["secret"])
    capsys.readouterr()
    assert main(["sync", str(spool)]) == 0
    assert "1 points" in capsys.readouterr().out


class Answers(BaseHTTPRequestHandler):
    """Answers each request with the next of `statuses`, then 200, and writes down when each came."""

    statuses: list[tuple[int, dict[str, str]]]
    came: list[tuple[float, str]]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.came.append((time.monotonic(), self.path))
        status, headers = self.statuses.pop(0) if self.statuses else (200, {})
        body = b'{"id": 1}' if status == 200 else b"<html>not ours</html>"
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_PATCH = do_POST  # noqa: N815  as the library calls it

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def test_the_end_of_a_run_waits_for_nothing_but_its_sending(
    shared_server: Server, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for delay in ("PERIOD", "_ENDING_DELAY"):
        monkeypatch.setattr(sender, delay, 3600.0)
    run = stepwell.init(url=shared_server.url, spool=spool)
    run.log({"loss": 1.0})
    assert run.flush()  # by now the thread that sends has looked once
    assert run.finish(patience=20)


def test_it_waits_as_long_as_the_server_says(spool: Path) -> None:
    class Own(Answers):
        statuses = [(503, {"Retry-After": "2"}), (404, {}), (502, {})]  # noqa: RUF012  of this class alone
        came: list[tuple[float, str]] = []  # noqa: RUF012

    with ThreadingHTTPServer((HOST, 0), Own) as front:
        threading.Thread(target=front.serve_forever, daemon=True).start()
        with stepwell.init(url=f"http://{HOST}:{front.server_port}", spool=spool) as run:
            run.log({"loss": 1.0})
        front.shutdown()
    first, second = Own.came[0][0], Own.came[1][0]
    assert second - first >= 2
    # What stands in the way and is no Stepwell refuses nothing: the same request came again until it was taken.
    assert [path for _, path in Own.came[:4]] == ["/api/v1/runs"] * 4
    assert not list(spool.rglob("refused.jsonl"))


@pytest.mark.parametrize(("date", "told"), [(0, ""), (-7200, "2:00:00 ahead of"), (90000, "1 day, 1:00:00 behind")])
def test_a_clock_that_is_wrong_is_told_once(
    spool: Path, caplog: pytest.LogCaptureFixture, date: float, told: str
) -> None:
    class Own(Answers):
        statuses: list[tuple[int, dict[str, str]]] = []  # noqa: RUF012  of this class alone
        came: list[tuple[float, str]] = []  # noqa: RUF012

        def date_time_string(self, timestamp: float | None = None) -> str:
            return formatdate(time.time() + date, usegmt=True)

    with ThreadingHTTPServer((HOST, 0), Own) as front:
        threading.Thread(target=front.serve_forever, daemon=True).start()
        with stepwell.init(url=f"http://{HOST}:{front.server_port}", spool=spool) as run:
            for step in range(2):
                run.log({"loss": 1.0}, step=step)
                time.sleep(0.6)
        front.shutdown()
    assert [count for problem, count in run.problems.items() if "clock" in problem] == [1] * bool(told)
    said = " ".join(record.getMessage() for record in caplog.records)
    assert ("this machine's clock" in said, told in said) == (bool(told), True)


def test_the_end_of_a_run_waits_as_long_as_a_file_moves(spool: Path, tmp_path: Path) -> None:
    class Slow(Answers):
        statuses: list[tuple[int, dict[str, str]]] = []  # noqa: RUF012  of this class alone
        came: list[tuple[float, str]] = []  # noqa: RUF012

        def do_PUT(self) -> None:
            for _ in range(120):
                self.rfile.read(200_000)
                time.sleep(0.05)
            del self.headers["Content-Length"]
            self.do_POST()

    (tmp_path / "large").write_bytes(bytes(24_000_000))
    with ThreadingHTTPServer((HOST, 0), Slow) as front:
        threading.Thread(target=front.serve_forever, daemon=True).start()
        run = stepwell.init(url=f"http://{HOST}:{front.server_port}", spool=spool)
        run.file(tmp_path / "large")
        assert run.finish(patience=3.0)  # far less than it takes
        front.shutdown()


def test_a_file_beyond_a_quota_holds_up_no_point_and_no_other_run(
    serve: Callable[..., Server], spool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = serve()

    def bound(size: int) -> None:
        with closing(Api(server.url)) as api:
            api.send("PUT", "/quotas", {"workspace": "default", "file_bytes": size})

    (tmp_path / "large").write_bytes(bytes(3_000_000))
    bound(1_000_000)
    runs = [stepwell.init(id=f"r{at}", url=server.url, spool=spool, system=0) for at in range(2)]
    for run in runs:
        run.file(tmp_path / "large")
        run.log({"loss": 1.0}, step=1)
        assert not run.finish(patience=2.0)  # which sending the file in vain does not prolong
        assert any("does not take all now" in problem for problem in run.problems)
    stored = Stored(server.url)
    assert [stored.points(run.id, "loss") for run in runs] == [[(1, 1.0)]] * 2
    assert [stored.run(run.id)["run"]["status"] for run in runs] == ["FINISHED"] * 2
    assert main(["sync", str(spool)]) == 1
    told = capsys.readouterr().err
    assert all(f"{spool}/r{at}/" in told for at in range(2))
    bound(0)
    assert main(["sync", str(spool)]) == 0
    assert [stored.get(f"/runs/{run.id}/artifacts")["size"] for run in runs] == [[3_000_000]] * 2


def test_values_keep_their_pace_while_a_file_waits(
    serve: Callable[..., Server], spool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for delay in ("_FIRST_DELAY", "_LAST_DELAY"):
        monkeypatch.setattr(sender, delay, 3600.0)  # of the file
    server = serve()
    stored = Stored(server.url)
    (tmp_path / "large").write_bytes(bytes(3_000_000))
    with closing(Api(server.url)) as api:
        api.send("PUT", "/quotas", {"workspace": "default", "file_bytes": 1_000_000})
    run = stepwell.init(url=server.url, spool=spool, system=0)
    run.file(tmp_path / "large")
    for step in range(3):
        run.log({"loss": 1.0}, step=step)
        run.change(tags={"step": str(step)})
        until = time.monotonic() + 60
        while stored.count(run.id, "loss") <= step or stored.run(run.id)["tags"].get("step") != str(step):
            assert time.monotonic() < until
            time.sleep(0.05)
    assert [count for problem, count in run.problems.items() if "does not take all now" in problem] == [1]
    with closing(Api(server.url)) as api:
        api.send("PUT", "/quotas", {"workspace": "default", "file_bytes": 0})
    assert run.finish(patience=20)  # which tries it at once
    assert stored.get(f"/runs/{run.id}/artifacts")["size"] == [3_000_000]
