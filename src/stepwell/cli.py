"""The command line: flags in, lines and exit statuses out. 0: done, 1: failed, 2: wrongly asked or not startable."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from stepwell import __version__, store_commands
from stepwell.client.printing import printed, stop_printing
from stepwell.core.errors import Conflict, StepwellError
from stepwell.settings import AUTH, LOG_FORMATS, LOG_LEVELS, Settings, SettingsError, load
from stepwell.web import control, log, stopping

if TYPE_CHECKING:
    from stepwell.transfer.directories import Ask

_MISUSE = frozenset({"invalid", "too_large"})


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        """Exit 2."""
        message = re.sub(r"warehouse://\S+", "warehouse://...", message)  # it holds passwords
        self.exit(2, f"{self.prog}: {message} (try `{self.prog} --help`)\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status."""
    return printed(lambda: _main(sys.argv[1:] if argv is None else argv))


def _main(given: Sequence[str]) -> int:
    asked = vars(parser(serving=given[:1] == ["serve"]).parse_args(given))
    run = asked.pop("run")
    try:
        return int(run(asked))
    except (StepwellError, control.Refused) as error:
        told = error.message if isinstance(error, StepwellError) else str(error)
        return _fail(told, 2 if error.code in _MISUSE else 1)
    except SettingsError as error:
        return _fail(str(error), 2)
    except BrokenPipeError:
        raise  # of standard output
    except OSError as error:
        return _fail(_told(error), 2 if error.filename else 1)


def parser(*, serving: bool = False) -> Parser:
    """All commands and their flags. `serving`: `serve` alone, which is ready sooner without the others."""
    root = Parser(prog="stepwell", description="The metrics store for machine-learning training.")
    root.add_argument("--version", action="version", version=f"stepwell {__version__}")
    commands = root.add_subparsers(required=True, metavar="COMMAND")

    _add_serve(commands.add_parser("serve", help="serve a data directory or a warehouse"))
    if not serving:
        _add_others(commands)
    return root


def _add_others(commands: Any) -> None:
    from stepwell.client import commands as client_commands  # noqa: PLC0415  a fifth of the time until `serve` is ready
    from stepwell.client import terminal  # noqa: PLC0415  as above
    from stepwell.transfer import commands as transfer_commands  # noqa: PLC0415  as above

    store_commands.add(commands)
    client_commands.add(commands)
    terminal.add(commands)
    transfer_commands.add(commands, _opened)
    commands.add_parser("version", help="print the version").set_defaults(run=_version)


def _add_serve(serve: argparse.ArgumentParser) -> None:
    serve.description = "Every flag is also a STEPWELL_* variable and a setting of the TOML file."
    default = Settings()
    serve.add_argument("--host", metavar="H", help=f"address to listen on ({default.host})")
    serve.add_argument("--port", metavar="P", help=f"port; 0 takes a free one ({default.port})")
    store_commands.add_place(serve)
    serve.add_argument("--auth", metavar="|".join(AUTH), help=f"whether callers need a credential ({default.auth})")
    store_commands.add_key_file(serve)
    serve.add_argument(
        "--insecure-http",
        action="store_const",
        const=True,
        help="serve other machines without encryption; secrets and data can be read on the way",
    )
    serve.add_argument("--tls-cert", metavar="FILE", help="encrypt connections: the certificate chain, PEM")
    serve.add_argument("--tls-key", metavar="FILE", help="and its key, PEM; both are read again when they change")
    serve.add_argument(
        "--behind-proxy", metavar="N", help="how many proxies before the server tell what clients sent (0: none)"
    )
    serve.add_argument("--rate-limit", metavar="N", help="requests per second of one credential; 0: any number (0)")
    serve.add_argument("--slow-request", metavar="MS", help="log what takes longer; 0: nothing for that (1000)")
    serve.add_argument("--trace-to", metavar="URL", help="send traces to this OTLP endpoint; needs the extra otel")
    serve.add_argument("--log-level", metavar="|".join(LOG_LEVELS), help=f"what is logged ({default.log_level})")
    serve.add_argument("--log-format", metavar="|".join(LOG_FORMATS), help="auto: text on a terminal, else json")
    serve.add_argument("--config", metavar="FILE", help="TOML file with settings; names as the flags with '_'")
    serve.set_defaults(run=_serve)


def _serve(asked: dict[str, object]) -> int:
    settings = load(asked)
    with stopping.held():
        return _serve_until_told(settings)


def _serve_until_told(settings: Settings) -> int:
    from stepwell import app, storage  # noqa: PLC0415  as in _items

    log.set_up(level=settings.log_level, form=settings.log_format)

    def ready(url: str) -> None:
        try:
            print(f"Stepwell {__version__} serves {url}")
            print(f"{'Store' if settings.store else 'Data directory'}: {storage.told(settings.place)}")
            print(f'MLflow clients: mlflow.set_tracking_uri("{url}")')
            print(f"            or: export MLFLOW_TRACKING_URI={url}", flush=True)
        except OSError:  # it serves, whoever reads it
            stop_printing()

    try:
        app.serve(settings, ready=ready)
    except StepwellError as error:
        return _fail(error.message, 2)
    except OSError as error:
        return _fail(_told(error, address=f"{settings.host}:{settings.port}"), 2)
    return 0


def _version(_asked: dict[str, object]) -> int:
    print(f"stepwell {__version__}")
    return 0


@contextmanager
def _opened(directory: str, *, make: bool) -> Iterator[Ask]:
    """A data directory that no server has open, for commands that speak to one."""
    from stepwell import app  # noqa: PLC0415  as in _items

    path = Path(directory)
    try:
        with app.opened(path, make=make) as within:
            yield within.ask
    except Conflict:
        raise Conflict(
            f"{path} is open in a server or another command: give that server's address with --url"
        ) from None


def _told(error: OSError, *, address: str = "") -> str:
    place = error.filename or address
    told = str(error.strerror or error)
    return f"{place}: {told}" if place else told


def _fail(message: str, status: int) -> int:
    print(f"stepwell: {' '.join(message.split())}", file=sys.stderr)
    return status
