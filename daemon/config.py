"""The daemon's settings: environment (`TANDEM_<NAME>`) over `tandem.toml` over defaults; every fault at once.

Each setting is one field of `Config`, with its meaning beside it: `--help`, `--check-config`, docs and validation follow
from the field. Must not: open anything but the configuration file, or repeat a secret value in a message.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
import tomllib
import typing
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec

PREFIX: Final = "TANDEM_"
SECRETS: Final = frozenset({"database_url", "secret_key"})
# What the command line and the tests read from the same prefix.
NOT_OURS: Final = frozenset(
    {
        "ADDRESS",
        "CA",
        "CERT",
        "CONFIG",
        "KEY",
        "OUTPUT",
        "REQUIRE_ALL",
        "TENANT",
        "TIMEOUT",
        "TLS",
        "TOKEN",
        "TOKEN_FILE",
    }
)
_FILES: Final = (Path("tandem.toml"), Path("/etc/tandem/tandem.toml"))


def _says(text: str, *, ge: float | None = None, le: float | None = None) -> msgspec.Meta:
    return msgspec.Meta(description=text, ge=ge, le=le)


def default_data_dir() -> Path:
    """/var/lib/tandem for root, else ~/.local/share/tandem."""
    return Path("/var/lib/tandem") if os.geteuid() == 0 else Path("~/.local/share/tandem").expanduser()


Seconds = Annotated[float, _says("", ge=0.1, le=86400)]


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Every setting of the daemon, typed and checked (`load`)."""

    data_dir: Annotated[
        Path, _says("Where the daemon keeps its files: database, secret key, lock, admin token.")
    ] = msgspec.field(default_factory=default_data_dir)
    database_url: Annotated[
        str,
        _says("PostgreSQL to use, postgresql://user:password@host/database. Empty: one of the daemon's own."),
    ] = ""
    database_pool_size: Annotated[int, _says("Connections to the database, at most.", ge=2, le=100)] = 10
    postgres_bin: Annotated[
        Path | None,
        _says("Folder of the PostgreSQL programs for the daemon's own server. Empty: found by itself."),
    ] = None
    secret_key: Annotated[
        str,
        _says("Key that seals the secrets of connections, base64 of 32 bytes. Empty: <data_dir>/secret.key."),
    ] = ""
    listen: Annotated[str, _says("Address of the gRPC API, host:port; port 0 takes a free one.")] = (
        "127.0.0.1:7443"
    )
    http_listen: Annotated[
        str, _says("Address of /metrics, health pages and webhooks, host:port; port 0 takes a free one.")
    ] = "127.0.0.1:9464"
    public_url: Annotated[
        str,
        _says(
            "Where systems reach the HTTP port from outside, https://...: for webhooks. Empty: http_listen."
        ),
    ] = ""
    tls_cert: Annotated[Path | None, _says("Certificate of the gRPC API (PEM, with its chain).")] = None
    tls_key: Annotated[Path | None, _says("Private key of the certificate (PEM).")] = None
    tls_client_ca: Annotated[
        Path | None, _says("Callers must show a certificate of this authority (PEM), beside their token.")
    ] = None
    insecure_listen: Annotated[
        bool,
        _says("Allow the gRPC API on other than loopback addresses without TLS: tokens travel in the clear."),
    ] = False
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], _says("The least important lines that are written.")
    ] = "info"
    log_format: Annotated[Literal["console", "json"], _says("console for people, json for machines.")] = (
        "console"
    )
    call_timeout_s: Annotated[
        Seconds, _says("Deadline of a call whose caller gave none, seconds. Watching has none.")
    ] = 30.0
    call_timeout_max_s: Annotated[Seconds, _says("Longest deadline that a caller can have, seconds.")] = 300.0
    lease_ttl_s: Annotated[
        float, _says("So long a link stays with a process that no longer answers, seconds.", ge=1, le=3600)
    ] = 15.0
    drain_timeout_s: Annotated[
        float, _says("So long running runs may take to a safe point at shutdown, seconds.", ge=0, le=3600)
    ] = 30.0
    stale_after_s: Annotated[
        float,
        _says(
            "A side not looked at for so long (or three poll intervals, if longer) is not healthy, seconds.",
            ge=1,
        ),
    ] = 300.0
    window: Annotated[int, _says("Records per window of a run.", ge=1, le=10_000)] = 1000
    links_max: Annotated[
        int, _says("Links with work under way in this process at once.", ge=1, le=100_000)
    ] = 200


class Fault(msgspec.Struct, frozen=True):
    """One thing that is wrong with the configuration. `where`: the setting, as it was given."""

    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


class ConfigError(Exception):
    """The configuration can't be used; all its faults."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults


class Given(msgspec.Struct, frozen=True):
    """A value and where it came from, as a person would look for it."""

    where: str
    value: Any


class About(msgspec.Struct, frozen=True):
    """A setting for people. `kind`: text, number, yes or no, path, or the choices."""

    name: str
    variable: str
    kind: str
    default: str
    doc: str


def load(environment: Mapping[str, str], file: Path | None = None) -> tuple[Config, tuple[str, ...]]:
    """The configuration, and notes about variables that look like misspelt settings. Raises `ConfigError`.

    `file`: else `TANDEM_CONFIG`, else tandem.toml here, else /etc/tandem/tandem.toml, else none.
    """
    faults: list[Fault] = []
    given = {**_from_file(_file(environment, file), faults), **_from_environment(environment)}
    values: dict[str, Any] = {}
    for name, one in given.items():
        try:
            values[name] = _typed(name, one.value)
        except msgspec.ValidationError as error:
            shown = "" if name in SECRETS else f" {one.value!r}"
            faults.append(Fault(one.where, f"the value{shown} can't be used: {_reason(name, error)}"))
    config = Config(**values)
    faults += _contradictions(config, given)
    if faults:
        raise ConfigError(tuple(faults))
    return config, _notes(environment)


def settings() -> tuple[About, ...]:
    """Every setting, in the order of `Config`."""
    defaults = Config()
    return tuple(
        About(name, PREFIX + name.upper(), _kind(hint), _shown(name, getattr(defaults, name)), _doc(hint))
        for name, hint in _hints().items()
    )


def shown(config: Config) -> Mapping[str, str]:
    """The settings in force, for people; secrets only as set or not."""
    return {name: _shown(name, getattr(config, name)) for name in config.__struct_fields__}


def address(text: str) -> tuple[str, int]:
    """host and port of `host:port` or `[v6]:port`; ValueError with the reason."""
    host, separator, port = text.rpartition(":")
    host = host.strip("[]")
    if not separator or not host:
        raise ValueError("write host:port, like 127.0.0.1:7443")
    if not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError("the port is a number from 0 to 65535")
    return host, int(port)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


# --------------------------------------------------------------------------------------------------- reading


def _file(environment: Mapping[str, str], file: Path | None) -> Path | None:
    named = file or (Path(environment["TANDEM_CONFIG"]) if environment.get("TANDEM_CONFIG") else None)
    return named or next((path for path in _FILES if path.is_file()), None)


def _from_file(path: Path | None, faults: list[Fault]) -> dict[str, Given]:
    if path is None:
        return {}
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        faults.append(Fault(str(path), f"can't be read: {error.strerror}; name another file with --config"))
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        faults.append(Fault(str(path), f"is no TOML: {error}"))
        return {}
    known = _hints()
    faults += [
        Fault(f"{name} in {path}", f"is no setting{_meant(name, known)}")
        for name in data
        if name not in known
    ]
    return {name: Given(f"{name} in {path}", value) for name, value in data.items() if name in known}


def _from_environment(environment: Mapping[str, str]) -> dict[str, Given]:
    """An empty variable counts as not set."""
    return {
        name: Given(PREFIX + name.upper(), environment[PREFIX + name.upper()])
        for name in _hints()
        if environment.get(PREFIX + name.upper())
    }


def _notes(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Not faults: an orchestrator may well put variables of this prefix there for a service of our name."""
    known = {PREFIX + name.upper() for name in _hints()}
    strange = [
        name
        for name in environment
        if name.startswith(PREFIX) and name not in known and name[len(PREFIX) :] not in NOT_OURS
    ]
    return tuple(
        f"{name} is no setting{_meant(name, known, cutoff=0.85)}"
        for name in sorted(strange)
        if get_close_matches(name, known, n=1, cutoff=0.85)
    )


def _typed(name: str, value: Any) -> Any:
    if _base(_hints()[name]) is bool and isinstance(value, str):
        value = value.lower()
    if name in {"listen", "http_listen"}:
        try:
            address(str(value))
        except ValueError as error:
            raise msgspec.ValidationError(str(error)) from None
    typed = msgspec.convert(value, _hints()[name], strict=False, dec_hook=_path)
    return typed.expanduser() if isinstance(typed, Path) else typed


def _path(kind: type, value: Any) -> Any:
    if kind is Path and isinstance(value, str) and value and "\x00" not in value:
        return Path(value)
    raise msgspec.ValidationError("write a path")


def _contradictions(config: Config, given: Mapping[str, Given]) -> list[Fault]:
    def where(name: str) -> str:
        return given[name].where if name in given else PREFIX + name.upper()

    faults = []
    if (config.tls_cert is None) != (config.tls_key is None):
        missing, has = ("tls_key", "tls_cert") if config.tls_key is None else ("tls_cert", "tls_key")
        faults.append(Fault(where(missing), f"is needed, because {has} is set; set both or none"))
    if config.tls_client_ca is not None and config.tls_cert is None:
        faults.append(Fault(where("tls_client_ca"), "works with TLS alone; set tls_cert and tls_key too"))
    for name in ("tls_cert", "tls_key", "tls_client_ca"):
        path: Path | None = getattr(config, name)
        if path is not None and not os.access(path, os.R_OK):
            faults.append(
                Fault(where(name), f"the file {path} is missing or can't be read by uid {os.geteuid()}")
            )
    if config.tls_cert is not None and config.tls_key is not None and not faults:
        faults += _pair_faults(config.tls_cert, config.tls_key, where("tls_cert"))
    host = address(config.listen)[0]
    if not is_loopback(host) and config.tls_cert is None and not config.insecure_listen:
        faults.append(
            Fault(
                where("listen"),
                f"{config.listen} can be reached from outside, and tokens would travel in the clear; "
                "set tls_cert and tls_key, or insecure_listen=true where something in front of it does TLS",
            )
        )
    if config.call_timeout_s > config.call_timeout_max_s:
        faults.append(
            Fault(where("call_timeout_s"), "is longer than call_timeout_max_s; lower it or raise that")
        )
    if config.database_url and not config.database_url.startswith(("postgresql://", "postgres://")):
        faults.append(Fault(where("database_url"), "write postgresql://user:password@host:port/database"))
    return faults


def _pair_faults(cert: Path, key: Path, where: str) -> list[Fault]:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password="")
    except OSError as error:
        return [
            Fault(where, f"{cert} and {key} are no certificate with its key (PEM, no passphrase): {error}")
        ]
    return []


# ---------------------------------------------------------------------------------------------------- about


def _hints() -> dict[str, Any]:
    return typing.get_type_hints(Config, include_extras=True)


def _doc(hint: Any) -> str:
    said = [
        meta.description for meta in hint.__metadata__ if isinstance(meta, msgspec.Meta) and meta.description
    ]
    return str(said[-1])


def _base(hint: Any) -> Any:
    return typing.get_args(hint)[0]


def _kind(hint: Any) -> str:
    base = _base(hint)
    if typing.get_origin(base) is Literal:
        return "|".join(typing.get_args(base))
    names = {str: "text", int: "whole number", float: "number", bool: "true|false", Path: "path"}
    return names.get(base, "path")


def _shown(name: str, value: Any) -> str:
    if value is None or value == "":
        return ""
    if name in SECRETS:
        return "(set)"
    return (
        f"{value:g}"
        if isinstance(value, float)
        else str(value).lower()
        if isinstance(value, bool)
        else str(value)
    )


def _reason(name: str, error: msgspec.ValidationError) -> str:
    hint = _hints()[name]
    text = str(error)
    if typing.get_origin(_base(hint)) is Literal:
        return f"write one of {', '.join(typing.get_args(_base(hint)))}"
    if "write " in text or "the port" in text:
        return text
    words = (
        text.replace("`int`", "a whole number")
        .replace("`float`", "a number")
        .replace("`bool`", "true or false")
    )
    return words[0].lower() + words[1:].partition(", got")[0]


def _meant(name: str, known: typing.Iterable[str], cutoff: float = 0.6) -> str:
    close = get_close_matches(name, list(known), n=1, cutoff=cutoff)
    return f"; is {close[0]} meant?" if close else "; tandemd --help lists them"
