"""The commands on a data directory or a warehouse: through the server that has it open, else right here.

Each is flags, and a function from what was asked to the exit status. What they do is `web.commands`' and the services'.
"""

from __future__ import annotations

import argparse
import errno
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from stepwell.client.printing import stop_printing
from stepwell.client.progress import Progress
from stepwell.settings import Settings, SettingsError, places
from stepwell.web import control

_KEY_FILE_CHARACTERS: Final = 32_000


def add(commands: Any) -> None:
    """Add them to a parser's: each sets `run`, from what was asked to the exit status."""
    _add_credential(commands.add_parser("credential", help="create, list or revoke credentials"))
    _add_workspace(commands.add_parser("workspace", help="say which workspace a vendor's id means"))
    check = commands.add_parser("check", help="read everything and name what is damaged")
    check.add_argument("--repair", action="store_true", help="make it sound; what goes of a directory stays beside it")
    add_place(check)
    check.set_defaults(run=_check)
    gc = commands.add_parser("gc", help="merge what is scattered and give space back")
    add_place(gc)
    gc.set_defaults(run=_gc)
    _add_backup(commands.add_parser("backup", help="copy everything, also while a server runs"))
    _add_audit(commands.add_parser("audit", help="print who changed what, newest first"))
    _add_retention(commands.add_parser("retention", help="say how long points and deleted runs are kept"))
    _add_quota(commands.add_parser("quota", help="say how much workspaces may hold and ask"))
    _add_restore(commands.add_parser("restore", help="make a data directory of a backup"))
    migrate = commands.add_parser("migrate", help="bring the tables of a warehouse up to date")
    _add_store(migrate)
    migrate.set_defaults(run=_migrate)
    _add_migrate_store(commands.add_parser("migrate-store", help="move a data directory into a warehouse"))


def _add_credential(credential: argparse.ArgumentParser) -> None:
    actions = credential.add_subparsers(required=True, metavar="create|list|revoke")
    create = actions.add_parser("create", help="make a credential and print it with its secret, once")
    add_place(create)
    create.add_argument("--workspace", metavar="W", required=True, help="a workspace, or '*' for all")
    create.add_argument("--role", metavar="reader|writer|admin", required=True)
    create.add_argument("--name", metavar="N", help="what it is for")
    create.add_argument("--expires", metavar="90d", help="a number with s, m, h, d or w (never)")
    create.add_argument("--id", metavar="ID", help="a given id (a new one is made)")
    create.add_argument("--secret-stdin", action="store_true", help="read a given secret from standard input")
    create.add_argument(
        "--no-signing", action="store_true", help="keep no encrypted secret: signed requests are refused"
    )
    create.add_argument(
        "--oci-key-id", metavar="T/U/F", help="tenancy/user/fingerprint under which requests are signed"
    )
    create.add_argument("--public-key", metavar="FILE", help="PEM file with the RSA public key of that key id")
    add_key_file(create)
    create.set_defaults(run=_create)
    listing = actions.add_parser("list", help="print all credentials, one JSON object a line")
    add_place(listing)
    listing.set_defaults(run=_list)
    revoke = actions.add_parser("revoke", help="end a credential")
    add_place(revoke)
    revoke.add_argument("id", metavar="ID")
    revoke.set_defaults(run=_revoke)


def _add_workspace(workspace: argparse.ArgumentParser) -> None:
    actions = workspace.add_subparsers(required=True, metavar="alias|aliases|unalias")
    alias = actions.add_parser("alias", help="let a dialect's id mean a workspace")
    add_place(alias)
    alias.add_argument("dialect", metavar="DIALECT")
    alias.add_argument("id", metavar="ID")
    alias.add_argument("workspace", metavar="WORKSPACE")
    alias.set_defaults(run=_alias)
    aliases = actions.add_parser("aliases", help="print all aliases, one JSON object a line")
    add_place(aliases)
    aliases.set_defaults(run=_aliases)
    unalias = actions.add_parser("unalias", help="let the id mean itself again")
    add_place(unalias)
    unalias.add_argument("dialect", metavar="DIALECT")
    unalias.add_argument("id", metavar="ID")
    unalias.set_defaults(run=_unalias)


def _add_backup(backup: argparse.ArgumentParser) -> None:
    backup.add_argument("target", metavar="DIR|FILE.zip", help="a new or empty directory, or a new file")
    backup.add_argument(
        "--with-credentials", action="store_true", help="let credentials come along; without it the copy has none"
    )
    add_place(backup)
    backup.set_defaults(run=_backup)


def _add_audit(audit: argparse.ArgumentParser) -> None:
    audit.add_argument("--workspace", metavar="W", help="of this workspace (all)")
    audit.add_argument("--credential", metavar="ID", help="by this credential (anybody)")
    audit.add_argument("--action", metavar="A", help="such as run.purge, or run for all of that kind (any)")
    audit.add_argument("--since", metavar="7d", help="not longer ago: a number with s, m, h, d or w (ever)")
    audit.add_argument("--limit", metavar="N", default="100", help="at most so many (100)")
    add_place(audit)
    audit.set_defaults(run=_audit)


def _add_retention(retention: argparse.ArgumentParser) -> None:
    actions = retention.add_subparsers(required=True, metavar="set|list|apply")
    change = actions.add_parser("set", help="set a rule and print it; what is not named stays as it is")
    change.add_argument("--workspace", metavar="W", required=True, help="a workspace, or '*' for all without a rule")
    change.add_argument("--experiment", metavar="N", help="one experiment of it, by its number (all)")
    change.add_argument("--points-days", metavar="N", help="days that points are kept; 0: for ever; none: no rule")
    change.add_argument("--points-per-series", metavar="N", help="how many points of a series are kept; 0: all; none")
    change.add_argument("--deleted-runs-days", metavar="N", help="days that deleted runs are kept; 0: for ever; none")
    add_place(change)
    change.set_defaults(run=_set_retention)
    listing = actions.add_parser("list", help="print all rules, one JSON object a line")
    add_place(listing)
    listing.set_defaults(run=_list_retention)
    apply = actions.add_parser("apply", help="remove now what is not kept; a server does it too")
    apply.add_argument("--dry-run", action="store_true", help="only print what would go")
    add_place(apply)
    apply.set_defaults(run=_apply_retention)


def _add_quota(quota: argparse.ArgumentParser) -> None:
    actions = quota.add_subparsers(required=True, metavar="set|list|usage")
    change = actions.add_parser("set", help="set a quota and print it; what is not named stays as it is")
    change.add_argument("--workspace", metavar="W", required=True, help="a workspace, or '*' for all without a quota")
    change.add_argument("--points", metavar="N", help="how many points it may have; 0: any number; none: no quota")
    change.add_argument("--series", metavar="N", help="how many series")
    change.add_argument("--file-bytes", metavar="N", help="how many bytes of files")
    change.add_argument(
        "--requests-per-second", metavar="N", help="how many requests its credentials may make together"
    )
    add_place(change)
    change.set_defaults(run=_set_quota)
    listing = actions.add_parser("list", help="print all quotas, one JSON object a line")
    add_place(listing)
    listing.set_defaults(run=_list_quotas)
    usage = actions.add_parser("usage", help="print what workspaces have and may have")
    usage.add_argument("--workspace", metavar="W", help="of one workspace (all)")
    add_place(usage)
    usage.set_defaults(run=_quota_usage)


def _add_restore(restore: argparse.ArgumentParser) -> None:
    restore.add_argument("source", metavar="DIR|FILE.zip", help="what `stepwell backup` made")
    _add_data_dir(restore)
    restore.set_defaults(run=_restore)


def add_key_file(command: argparse.ArgumentParser) -> None:
    """`--key-file`."""
    command.add_argument("--key-file", metavar="K", help=f"the server's key (<data-dir>/{Settings().key_file})")


def _add_migrate_store(move: argparse.ArgumentParser) -> None:
    move.add_argument("--from", metavar="DIR", required=True, help="the data directory; a server may run on it")
    move.add_argument("--to", metavar="URL", required=True, help="an empty warehouse: warehouse://?clickhouse=...")
    move.set_defaults(run=_migrate_store)


def add_place(command: argparse.ArgumentParser) -> None:
    """`--data-dir` and `--store`."""
    _add_data_dir(command)
    _add_store(command)


def _add_store(command: argparse.ArgumentParser) -> None:
    command.add_argument("--store", metavar="URL", help="a warehouse in its place: warehouse://?clickhouse=...")


def _add_data_dir(command: argparse.ArgumentParser) -> None:
    command.add_argument("--data-dir", metavar="D", help=f"where the data is (./{Settings().data_dir})")


def _create(asked: dict[str, object]) -> int:
    arguments = _texts(asked, "workspace", "role", "name", "expires", "id")
    if asked["secret_stdin"]:
        arguments["secret"] = sys.stdin.readline().rstrip("\r\n")
    if asked["no_signing"]:
        arguments["signing"] = "no"
    arguments["key_id"] = _texts(asked, "oci_key_id")["oci_key_id"]
    if asked["public_key"] is not None:
        arguments["public_key"] = _small_file(Path(str(asked["public_key"])))
    return _print_items(asked, "credential create", arguments, create=True)


def _list(asked: dict[str, object]) -> int:
    return _print_items(asked, "credential list", {})


def _revoke(asked: dict[str, object]) -> int:
    return _print_items(asked, "credential revoke", _texts(asked, "id"))


def _alias(asked: dict[str, object]) -> int:
    return _print_items(asked, "workspace alias", _texts(asked, "dialect", "id", "workspace"))


def _aliases(asked: dict[str, object]) -> int:
    return _print_items(asked, "workspace aliases", {})


def _unalias(asked: dict[str, object]) -> int:
    return _print_items(asked, "workspace unalias", _texts(asked, "dialect", "id"))


def _check(asked: dict[str, object]) -> int:
    if asked["repair"]:
        return _repair(asked)
    damaged = 0
    try:
        for item in _items(asked, "check", {}):
            damaged += 1
            print(f"{item['place']}: {item['cost']}", flush=True)
        print(f"{damaged} places are damaged" if damaged else "no damage found")
    except BrokenPipeError:
        stop_printing()
    return 1 if damaged else 0


def _repair(asked: dict[str, object]) -> int:
    from stepwell import app  # noqa: PLC0415  as in _items

    asked_for = places(data_dir=asked["data_dir"], store=asked["store"], key_file=None)
    if not asked_for.store:
        _must_be_there(asked_for.data_dir)
    damaged = 0
    for damage in app.repair(asked_for.place):
        damaged += 1
        print(f"{damage.place}: {damage.cost}", flush=True)
    if not damaged:
        print("no damage found")
    elif asked_for.store:
        print(f"{damaged} places were damaged; what each had is told beside it")
    else:
        kept = max(asked_for.data_dir.glob("repair-*"), key=lambda path: path.stat().st_mtime_ns, default=None)
        print(f"{damaged} places were damaged; what was there before is in {kept}")
    return 0


def _gc(asked: dict[str, object]) -> int:
    return _print_items(asked, "gc", {})


def _backup(asked: dict[str, object]) -> int:
    target = Path(str(asked["target"])).absolute()  # the server has another working directory
    arguments = {"target": str(target), "credentials": "yes" if asked["with_credentials"] else "no"}
    return _follow(_items(asked, "backup", arguments), told=f"everything is in {target}")


def _audit(asked: dict[str, object]) -> int:
    return _print_items(asked, "audit", _texts(asked, "workspace", "credential", "action", "since", "limit"))


def _set_retention(asked: dict[str, object]) -> int:
    arguments = _texts(asked, "workspace", "experiment", "points_days", "points_per_series", "deleted_runs_days")
    return _print_items(asked, "retention set", arguments)


def _list_retention(asked: dict[str, object]) -> int:
    return _print_items(asked, "retention list", {})


def _apply_retention(asked: dict[str, object]) -> int:
    return _print_items(asked, "retention apply", {"dry": "yes" if asked["dry_run"] else "no"})


def _set_quota(asked: dict[str, object]) -> int:
    arguments = _texts(asked, "workspace", "points", "series", "file_bytes", "requests_per_second")
    return _print_items(asked, "quota set", arguments)


def _list_quotas(asked: dict[str, object]) -> int:
    return _print_items(asked, "quota list", {})


def _quota_usage(asked: dict[str, object]) -> int:
    return _print_items(asked, "quota usage", _texts(asked, "workspace"))


def _restore(asked: dict[str, object]) -> int:
    from stepwell import app  # noqa: PLC0415  as in _items

    directory = places(data_dir=asked["data_dir"], key_file=None).data_dir
    return _follow(app.restore(Path(str(asked["source"])), directory), told=f"everything is in {directory}")


def _migrate(asked: dict[str, object]) -> int:
    from stepwell import storage  # noqa: PLC0415  as in _items

    url = places(data_dir=None, store=asked["store"]).store
    if url is None:
        raise SettingsError("--store or STEPWELL_STORE must say which warehouse")
    done = storage.migrate_store(url)
    for name in done:
        print(f"did migration {name}")
    if not done:
        print("everything is up to date")
    return 0


def _migrate_store(asked: dict[str, object]) -> int:
    url = places(data_dir=None, store=asked["to"], environ={}).store
    if not asked["from"]:
        raise SettingsError("--from: '' is not a path")
    items = _items({"data_dir": asked["from"], "store": None}, "migrate-store", {"to": url})
    told = "everything is in the warehouse; stop what serves the directory, and serve that instead"
    return _follow(items, told=told, units="points to bring and compare")


def _follow(items: Iterator[control.Item], *, told: str, units: str = "") -> int:
    progress = Progress(sys.stderr, units)
    try:
        for item in items:
            progress.show(int(str(item["done"])), int(str(item["total"])), str(item["name"]))
    finally:
        progress.end()
    print(told)
    return 0


def _print_items(
    asked: dict[str, object], command: str, arguments: dict[str, str | None], *, create: bool = False
) -> int:
    for item in _items(asked, command, arguments, create=create):
        print(json.dumps(item, ensure_ascii=False))
    return 0


def _items(
    asked: dict[str, object], command: str, arguments: control.Arguments, *, create: bool = False
) -> Iterator[control.Item]:
    """Through the server that has the directory open, or, when none has or it is a warehouse, right here."""
    found = places(data_dir=asked["data_dir"], store=asked["store"], key_file=asked.get("key_file"))
    directory = found.data_dir
    if not found.store:
        answers = control.ask(directory, command, arguments)
        if answers is not None:
            return answers
        if not create:
            _must_be_there(directory)
    from stepwell import app  # noqa: PLC0415  half a second that most commands need not spend

    return app.command(found, command, arguments)


def _must_be_there(directory: Path) -> None:
    if not directory.is_dir():
        raise FileNotFoundError(errno.ENOENT, "no such data directory", str(directory))


def _small_file(path: Path) -> str:
    """The text of a file that somebody named; OSError. Of a large one the beginning, which then is no key."""
    with path.open("r", encoding="utf-8", errors="replace") as file:
        return file.read(_KEY_FILE_CHARACTERS)


def _texts(asked: dict[str, object], *names: str) -> dict[str, str | None]:
    return {name: None if asked[name] is None else str(asked[name]) for name in names}
