"""The command line over a store in memory: flags, output, exit statuses, and never a traceback."""

from __future__ import annotations

import argparse
import io
import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from signing import PrivateKey
from stepwell import __version__, app, cli
from stepwell.client import commands as client_commands
from stepwell.core.errors import Conflict, Corrupt, Invalid
from stepwell.core.model import Damage, Workspace
from stepwell.settings import load
from stepwell.web import log, server
from unit.web.asking import CredentialStore


class ClosingStore(CredentialStore):
    def __init__(self) -> None:
        super().__init__()
        self.closed = 0

    def close(self) -> None:
        self.closed += 1

    def list_workspaces(self) -> list[Workspace]:
        return []


@pytest.fixture(autouse=True)
def log_as_pytest_does(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(log, "set_up", lambda **_: None)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> ClosingStore:
    made = ClosingStore()
    monkeypatch.setattr(app, "open_store", lambda _directory, **_: made)
    return made


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def runs(*argv: str) -> tuple[int, str, str]:
        try:
            status = cli.main(argv)
        except SystemExit as ended:
            status = int(ended.code or 0)
        told = capsys.readouterr()
        return status, told.out, told.err

    return runs


def test_version(run: Any):
    assert run("version") == (0, f"stepwell {__version__}\n", "")
    assert run("--version") == (0, f"stepwell {__version__}\n", "")


def test_whoever_interrupts_a_command_is_told_nothing(run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    def interrupted(*_: Any, **__: Any) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(app, "open_store", interrupted)
    assert run("check", "--data-dir", str(tmp_path)) == (130, "", "")


@pytest.mark.parametrize(
    "argv",
    [
        (),
        ("nonsense",),
        ("serve", "--prot", "1"),
        ("serve", "--port"),
        ("serve", "--port", "many"),
        ("serve", "--auth", "sometimes"),
        ("serve", "--host", "0.0.0.0"),
        ("serve", "--config", "/none.toml"),
        ("credential",),
        ("credential", "create"),
        ("credential", "create", "--workspace", "w"),
        ("credential", "revoke"),
        ("check", "--port", "1"),
    ],
)
def test_a_bad_flag_is_one_line_and_2(run: Any, argv: tuple[str, ...]):
    status, out, err = run(*argv)
    assert (status, out) == (2, "")
    assert err.startswith("stepwell")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "argv",
    [
        ("serve",),
        ("check",),
        ("check", "--repair"),
        ("gc",),
        ("backup", "copy"),
        ("restore", "copy"),
        ("audit",),
        ("credential", "list"),
        ("quota", "list"),
        ("import", "csv", "a.csv"),
        ("export", "csv", "out"),
    ],
)
def test_no_path_is_no_data_directory(run: Any, argv: tuple[str, ...]):
    assert run(*argv, "--data-dir", "") == (2, "", "stepwell: --data-dir: '' is not a path\n")


def test_no_path_is_no_directory_to_move(run: Any):
    argv = ("migrate-store", "--to", "warehouse://?clickhouse=clickhouse://h/d&catalog=postgresql://h/d&files=/f")
    assert run(*argv, "--from", "") == (2, "", "stepwell: --from: '' is not a path\n")


def test_the_client_alone_knows_which_commands_need_the_server(capsys: pytest.CaptureFixture[str]):
    (every,) = (each.choices for each in cli.parser()._actions if isinstance(each, argparse._SubParsersAction))
    alone = {"sync", "agent", "runs", "metrics", "tail", "import", "export", "version"}
    for command in sorted(set(every) - alone):
        assert client_commands.main([command]) == 2
        assert f"{command} needs the server" in capsys.readouterr().err


def test_a_credential_is_made_listed_and_revoked(run: Any, store: ClosingStore, tmp_path: Path):
    place = ("--data-dir", str(tmp_path))
    status, out, err = run(
        "credential", "create", *place, "--workspace", "*", "--role", "writer", "--name", "é", "--expires", "2w"
    )
    assert (status, err) == (0, "")
    made = json.loads(out)
    assert (made["workspace"], made["role"], made["name"]) == ("*", "writer", "é")
    assert made.pop("secret").startswith("sw_")
    status, out, _ = run("credential", "list", *place)
    assert (status, json.loads(out)) == (0, made)
    status, out, _ = run("credential", "revoke", *place, made["id"])
    assert status == 0
    assert json.loads(out)["revoked_at"]
    status, out, err = run("credential", "revoke", *place, "cr_none")
    assert (status, out, err) == (1, "", "stepwell: no credential 'cr_none'\n")
    assert store.closed == 4


def test_a_given_secret_comes_from_standard_input(
    run: Any, store: ClosingStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    argv = ("credential", "create", "--data-dir", str(tmp_path), "--workspace", "w", "--role", "reader")
    monkeypatch.setattr("sys.stdin", io.StringIO("a secret of a vault".replace(" ", "-") + "\n"))
    status, out, _ = run(*argv, "--id", "vault", "--secret-stdin")
    assert status == 0
    assert (json.loads(out)["id"], json.loads(out)["secret"]) == ("vault", "a-secret-of-a-vault")
    monkeypatch.setattr("sys.stdin", io.StringIO("short\n"))
    status, out, err = run(*argv, "--secret-stdin")
    assert (status, out) == (2, "")
    assert "16 to 255" in err
    assert "short" not in err
    assert list(store.kept) == ["vault"]


def test_a_public_key_comes_from_a_file(run: Any, store: ClosingStore, tmp_path: Path):
    private = PrivateKey()
    (tmp_path / "public.pem").write_text(private.pem)
    argv = ("credential", "create", "--data-dir", str(tmp_path), "--workspace", "w", "--role", "reader", "--no-signing")
    key = ("--oci-key-id", private.key_id, "--public-key", str(tmp_path / "public.pem"))
    status, out, err = run(*argv, *key)
    assert (status, err) == (0, "")
    assert (json.loads(out)["key_id"], json.loads(out)["signing"]) == (private.key_id, False)
    status, _, err = run(*argv, "--oci-key-id", "a/b/c", "--public-key", str(tmp_path / "none.pem"))
    assert (status, err) == (2, f"stepwell: {tmp_path}/none.pem: No such file or directory\n")
    (tmp_path / "large.pem").write_bytes(b"\xff" * 100_000)
    status, _, err = run(*argv, "--oci-key-id", "a/b/c", "--public-key", str(tmp_path / "large.pem"))
    assert (status, "not PEM" in err) == (2, True)
    assert len(store.kept) == 1


def test_the_key_file_is_made_where_it_is_named(run: Any, store: ClosingStore, tmp_path: Path):
    argv = ("credential", "create", "--workspace", "w", "--role", "reader", "--data-dir")
    (tmp_path / "one").mkdir()
    for other in (("check",), ("gc",), ("credential", "list"), ("workspace", "aliases")):
        assert run(*other, "--data-dir", str(tmp_path / "one"))[0] == 0
    assert list((tmp_path / "one").iterdir()) == [], "most commands need no key"
    assert run(*argv, str(tmp_path / "one"))[0] == 0
    assert (tmp_path / "one" / "keys" / "server.key").is_file()
    assert run(*argv, str(tmp_path / "two"), "--key-file", str(tmp_path / "my.key"))[0] == 0
    assert (tmp_path / "my.key").is_file()
    assert not (tmp_path / "two").exists(), "the store of this test makes none"
    (tmp_path / "my.key").write_text("not a key")
    status, out, err = run(*argv, str(tmp_path / "two"), "--key-file", str(tmp_path / "my.key"))
    assert (status, out) == (2, "")
    assert "64 hexadecimal digits" in err


def test_an_alias_is_made_listed_and_removed(run: Any, store: ClosingStore, tmp_path: Path):
    place = ("--data-dir", str(tmp_path))
    joined = {"dialect": "mlflow", "id": "0123", "workspace": "w"}
    status, out, _ = run("workspace", "alias", *place, "mlflow", "0123", "w")
    assert (status, json.loads(out)) == (0, joined)
    status, out, _ = run("workspace", "aliases", *place)
    assert (status, json.loads(out)) == (0, joined)
    status, out, _ = run("workspace", "unalias", *place, "mlflow", "0123")
    assert (status, json.loads(out), store.aliases) == (0, joined, {})
    status, _, err = run("workspace", "alias", *place, "nobody", "0123", "w")
    assert status == 2
    assert "there is no dialect 'nobody', only " in err
    assert run("workspace", "unalias", *place, "mlflow", "0123")[0] == 1


@pytest.mark.parametrize(
    ("flag", "value"), [("--role", "owner"), ("--workspace", "a/b"), ("--expires", "soon"), ("--id", "a b")]
)
def test_a_bad_argument_is_2(run: Any, store: ClosingStore, tmp_path: Path, flag: str, value: str):
    good = {"--workspace": "w", "--role": "reader", flag: value}
    flags = [word for pair in good.items() for word in pair]
    status, out, err = run("credential", "create", "--data-dir", str(tmp_path), *flags)
    assert (status, out, err.count("\n"), store.kept) == (2, "", 1, {})


def test_check_says_what_is_damaged(run: Any, store: ClosingStore, tmp_path: Path):
    assert run("check", "--data-dir", str(tmp_path)) == (0, "no damage found\n", "")
    store.damages.append(Damage(place="block 7", cost="100 points"))
    assert run("check", "--data-dir", str(tmp_path)) == (1, "block 7: 100 points\n1 places are damaged\n", "")


def test_repair_works_on_the_directory_itself(run: Any, tmp_path: Path):
    assert run("check", "--repair", "--data-dir", str(tmp_path))[0] == 1
    (tmp_path / "stepwell.db").write_bytes(b"no database" * 1_000)
    status, out, err = run("check", "--repair", "--data-dir", str(tmp_path))
    assert (status, out) == (1, "")
    assert "restore a backup" in err


def test_the_usage_of_a_workspace_that_is_not_there_is_1(run: Any, store: ClosingStore, tmp_path: Path):
    status, out, err = run("quota", "usage", "--workspace", "none", "--data-dir", str(tmp_path))
    assert (status, out, err) == (1, "", "stepwell: there is no workspace 'none'\n")


@pytest.mark.parametrize("since", ["0d", "1000000d", "9", "٣d", "-1d"])
def test_a_wrong_time_names_its_flag_and_the_limit(run: Any, store: ClosingStore, tmp_path: Path, since: str):
    status, out, err = run("audit", f"--since={since}", "--data-dir", str(tmp_path))
    assert (status, out) == (2, "")
    assert err.startswith(f"stepwell: since {since!r} must be a number from 1 to 999999 with s, m, h, d or w")


def test_gc(run: Any, store: ClosingStore, tmp_path: Path):
    status, _, _ = run("gc", "--data-dir", str(tmp_path))
    assert (status, store.done) == (0, ["flush", "compact"])


@pytest.mark.parametrize(
    "argv",
    [("check",), ("check", "--repair"), ("gc",), ("credential", "list"), ("credential", "revoke", "x")],
)
def test_a_directory_that_is_not_there_is_said_and_not_made(run: Any, store: ClosingStore, tmp_path: Path, argv: Any):
    status, out, err = run(*argv, "--data-dir", str(tmp_path / "none"))
    assert (status, out) == (2, "")
    assert "no such data directory" in err
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    "error",
    [
        Conflict("another server has it"),
        Invalid("the directory\nholds something else"),
        Corrupt("the head is damaged"),
        PermissionError(13, "Permission denied", "/somewhere"),
    ],
)
def test_a_store_that_does_not_open_is_one_line(
    run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception
):
    def refuse(_directory: Path, **_: object) -> None:
        raise error

    monkeypatch.setattr(app, "open_store", refuse)
    status, out, err = run("serve", "--port", "0", "--data-dir", str(tmp_path))
    assert (status, out, err.count("\n")) == (2, "", 1)
    status, out, err = run("check", "--data-dir", str(tmp_path))
    assert status in (1, 2)
    assert (out, err.count("\n")) == ("", 1)


def test_a_port_in_use_is_one_line_and_nothing_is_opened(
    run: Any, store: ClosingStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        status, out, err = run("serve", "--port", str(port), "--data-dir", str(tmp_path))
    assert (status, out) == (2, "")
    assert err == f"stepwell: 127.0.0.1:{port}: Address already in use\n"
    assert store.closed == 0


def test_an_address_that_is_not_ours_is_one_line(run: Any, store: ClosingStore, tmp_path: Path, monkeypatch: Any):
    argv = ("--host", "192.0.2.1", "--auth", "required", "--insecure-http", "--data-dir", str(tmp_path))
    status, _, err = run("serve", *argv)
    assert (status, err.count("\n")) == (2, 1)
    assert err.startswith("stepwell: 192.0.2.1:8585: ")


def test_the_url_of_an_ipv6_address_has_brackets(store: ClosingStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    told: list[str] = []

    async def serve_nothing(*_args: object, ready: Callable[[], None], **_options: object) -> None:
        ready()

    monkeypatch.setattr(server, "serve", serve_nothing)
    settings = load({"host": "::1", "port": "0", "data_dir": str(tmp_path)}, environ={})
    before = threading.active_count()
    app.serve(settings, ready=told.append)
    assert told[0].startswith("http://[::1]:")
    assert store.closed == 1
    assert threading.active_count() <= before
