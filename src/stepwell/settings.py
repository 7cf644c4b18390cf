"""Settings: flags, then STEPWELL_* variables, a TOML file, defaults. Nobody else reads the environment."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, cast

PREFIX: Final = "STEPWELL_"
AUTH: Final = ("off", "required")
LOG_LEVELS: Final = ("debug", "info", "warning", "error")
LOG_FORMATS: Final = ("auto", "json", "text")


class SettingsError(Exception):
    """A setting that cannot be used: one sentence that names it and where it came from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a server runs."""

    host: str = "127.0.0.1"
    port: int = 8585
    data_dir: Path = Path("stepwell-data")
    store: str | None = field(default=None, repr=False)  # a warehouse in the place of data_dir; it holds passwords
    auth: str = "off"
    key_file: Path = Path("keys/server.key")  # relative paths begin at data_dir, or where a warehouse keeps files
    insecure_http: bool = False
    tls_cert: Path | None = None
    tls_key: Path | None = None
    behind_proxy: int = 0  # how many proxies before the server are trusted
    rate_limit: int = 0  # requests per second of one credential; 0: any number
    max_connections: int = 4096  # of all clients together; 0: as many as files may be open
    slow_request: int = 1000  # milliseconds after which a request is logged; 0: however long it takes, none is
    trace_to: str | None = None  # the OTLP endpoint that gets traces; without it none are made
    log_level: str = "info"
    log_format: str = "auto"

    @property
    def auth_required(self) -> bool:
        """Whether callers need a credential."""
        return self.auth == "required"

    @property
    def place(self) -> Path | str:
        """Where the data is: a directory, or the URL of a warehouse."""
        return self.store or self.data_dir


def load(flags: Mapping[str, object], *, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings that hold. `flags` has the names of the fields and `config`; None means not given. SettingsError."""
    env = os.environ if environ is None else environ
    config = flags.get("config") or env.get(PREFIX + "CONFIG")
    file = _read_file(Path(str(config))) if config else {}
    values = _given(_READERS, flags, env)
    for name, value in file.items():
        if name not in values:
            values[name] = _READERS[name](value, f"{name} in {config}")
    if flags.get("data_dir") is not None and flags.get("store") is None:
        values.pop("store", None)  # the flag comes first
    settings = Settings(**cast("dict[str, Any]", values))
    _check_together(settings)
    return settings


def places(
    *, data_dir: object, store: object = None, key_file: object = None, environ: Mapping[str, str] | None = None
) -> Settings:
    """Only where the data and the key are, for commands that need nothing else; None means not given. SettingsError."""
    env = dict(os.environ if environ is None else environ)
    if data_dir is not None:
        env.pop(PREFIX + "STORE", None)  # the flag comes first
    flags = {"data_dir": data_dir, "store": store, "key_file": key_file}
    return Settings(**cast("dict[str, Any]", _given(flags, flags, env)))


def _given(names: Iterable[str], flags: Mapping[str, object], env: Mapping[str, str]) -> dict[str, object]:
    """What flags say, and variables where there is no flag. SettingsError."""
    values: dict[str, object] = {}
    for name in names:
        flag, variable = flags.get(name), env.get(PREFIX + name.upper())
        if flag is not None:
            values[name] = _READERS[name](flag, "--" + name.replace("_", "-"))
        elif variable is not None:
            values[name] = _READERS[name](variable, PREFIX + name.upper())
    return values


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`. Names other than localhost count as no."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _check_together(settings: Settings) -> None:
    if (settings.tls_cert is None) != (settings.tls_key is None):
        missing, given = ("tls_cert", "tls_key") if settings.tls_cert is None else ("tls_key", "tls_cert")
        raise SettingsError(f"{given} is given and {missing} is not; a certificate and its key go together")
    if settings.behind_proxy and not settings.auth_required:
        raise SettingsError(
            f"behind_proxy {settings.behind_proxy} lets other machines in, so --auth required is needed "
            "(create a credential with `stepwell credential create`)"
        )
    if is_loopback(settings.host):
        return
    if not settings.auth_required:
        raise SettingsError(
            f"host {settings.host} can be reached from other machines, so --auth required is needed "
            "(create a credential with `stepwell credential create`)"
        )
    if settings.tls_cert is None and not settings.insecure_http and not settings.behind_proxy:
        raise SettingsError(
            f"host {settings.host} can be reached from other machines, and secrets and data would travel unencrypted; "
            "give --tls-cert and --tls-key, or serve on 127.0.0.1 behind something that ends TLS, or name that with "
            "--behind-proxy 1, or say --insecure-http"
        )


def _read_file(path: Path) -> dict[str, object]:
    import tomllib  # noqa: PLC0415  few starts need it

    try:
        content: dict[str, object] = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"--config {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"--config {path}: not TOML: {error}") from None
    unknown = sorted(content.keys() - _READERS.keys())
    if unknown:
        raise SettingsError(f"--config {path}: unknown setting {unknown[0]!r}; there are {', '.join(_READERS)}")
    return content


def _text(value: object, source: str) -> str:
    if not isinstance(value, str) or not value or not value.isprintable():
        raise SettingsError(f"{source}: {value!r} is not a printable text")
    return value


def _url(value: object, source: str) -> str:
    text = _text(value, source)
    if not text.startswith(("http://", "https://")):
        raise SettingsError(f"{source}: {value!r} is not a URL that begins with http:// or https://")
    return text


def _number(what: str, most: int) -> Callable[[object, str], int]:
    def read(value: object, source: str) -> int:
        text = str(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
        if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and int(text) <= most):
            raise SettingsError(f"{source}: {value!r} is not {what} from 0 to {most}")
        return int(text)

    return read


def _path(value: object, source: str) -> Path:
    if not isinstance(value, (str, Path)) or not str(value) or "\0" in str(value):
        raise SettingsError(f"{source}: {value!r} is not a path")
    return Path(value)


def _warehouse(value: object, source: str) -> str:
    if not isinstance(value, str) or not value.startswith("warehouse://") or not value.isprintable():
        raise SettingsError(f"{source}: not the URL of a warehouse, which begins with warehouse://")  # nor shown
    return value


def _switch(value: object, source: str) -> bool:
    words = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
    meant = words.get(str(value).lower())
    if meant is None:
        raise SettingsError(f"{source}: {value!r} is neither true nor false")
    return meant


def _one_of(choices: tuple[str, ...]) -> Callable[[object, str], str]:
    def read(value: object, source: str) -> str:
        if value not in choices:
            raise SettingsError(f"{source}: {value!r} is not one of {', '.join(choices)}")
        return str(value)

    return read


_READERS: Final[Mapping[str, Callable[[object, str], object]]] = {
    "host": _text,
    "port": _number("a port", 65_535),
    "data_dir": _path,
    "store": _warehouse,
    "auth": _one_of(AUTH),
    "key_file": _path,
    "insecure_http": _switch,
    "tls_cert": _path,
    "tls_key": _path,
    "behind_proxy": _number("a number of proxies", 9),
    "rate_limit": _number("a number of requests", 9_999_999),
    "max_connections": _number("a number of connections", 999_999),
    "slow_request": _number("a number of milliseconds", 9_999_999),
    "trace_to": _url,
    "log_level": _one_of(LOG_LEVELS),
    "log_format": _one_of(LOG_FORMATS),
}
