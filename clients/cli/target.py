"""Where and how to call: the options that every command has, and what they mean.

Owns: the options, their environment variables, where the token comes from. Must not: open a connection.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from clients.cli import facts, values

_FILE_HELP = (
    "Read the access token from this file. Without one: the variable TANDEM_TOKEN, then admin.token in "
    "TANDEM_DATA_DIR; for a daemon on this machine also in ./var or ~/.local/share/tandem."
)
FORMATS = ("table", "json", "yaml")


@dataclass(frozen=True)
class Target:
    """Everything a call needs besides its request. `timeout_s`: deadline of one call that is not a stream."""

    address: str
    token: str | None
    tenant: str
    tls: bool
    ca: Path | None
    cert: Path | None
    key: Path | None
    timeout_s: float
    output: str
    color: bool


class _Seconds(values.Duration):
    """A duration as seconds; a bare number is seconds too."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        text = f"{value}s" if str(value).replace(".", "", 1).isdigit() else str(value)
        return float(super().convert(text, param, ctx)[:-1])


def options(hidden: bool = False) -> list[click.Option]:
    """The options that every command has: on `tandemctl` itself with their environment variables, below it hidden."""
    file = click.Path(exists=True, dir_okay=False, path_type=Path)
    rows: list[tuple[list[str], dict[str, Any]]] = [
        (
            ["--address"],
            {"envvar": "TANDEM_ADDRESS", "help": f"host:port of the daemon. [default: {facts.ADDRESS}]"},
        ),
        (["--tenant"], {"envvar": "TANDEM_TENANT", "help": "The tenant meant where a command names none."}),
        (
            ["--token"],
            {"help": "Access token. Better in a file or in TANDEM_TOKEN: others can see arguments."},
        ),
        (["--token-file"], {"type": file, "help": _FILE_HELP}),
        (["--tls"], {"is_flag": True, "default": None, "envvar": "TANDEM_TLS", "help": "Use TLS."}),
        (
            ["--ca"],
            {
                "type": file,
                "envvar": "TANDEM_CA",
                "help": "Trust this certificate authority (PEM); implies --tls.",
            },
        ),
        (
            ["--cert"],
            {"type": file, "envvar": "TANDEM_CERT", "help": "Client certificate (PEM); implies --tls."},
        ),
        (
            ["--key"],
            {"type": file, "envvar": "TANDEM_KEY", "help": "Private key of the client certificate (PEM)."},
        ),
        (
            ["--timeout"],
            {"type": _Seconds(), "help": "Deadline of a call, streams have none. [default: 30s]"},
        ),
        (
            ["--output", "-o"],
            {"type": click.Choice(FORMATS), "envvar": "TANDEM_OUTPUT", "help": "[default: table]"},
        ),
        (
            ["--no-color"],
            {"is_flag": True, "default": None, "help": "No colours; so does the variable NO_COLOR."},
        ),
    ]
    found = []
    for names, attributes in rows:
        if hidden:
            attributes.pop("envvar", None)
        found.append(click.Option(names, hidden=hidden, show_envvar=True, **attributes))
    return found


def resolve(given: Mapping[str, Any], environment: Mapping[str, str]) -> Target:
    """From what was given to what is used. Raises click.UsageError for settings that don't fit together."""
    if (given.get("cert") is None) != (given.get("key") is None):
        raise click.UsageError("--cert and --key belong together: give both")
    address = given.get("address") or facts.ADDRESS
    return Target(
        address=address,
        token=_token(given, environment, address),
        tenant=given.get("tenant") or "",
        tls=bool(given.get("tls") or given.get("ca") or given.get("cert")),
        ca=given.get("ca"),
        cert=given.get("cert"),
        key=given.get("key"),
        timeout_s=facts.TIMEOUT_S if given.get("timeout") is None else given["timeout"],
        output=given.get("output") or FORMATS[0],
        color=not given.get("no_color"),
    )


def _token(given: Mapping[str, Any], environment: Mapping[str, str], address: str) -> str | None:
    if given.get("token"):
        return str(given["token"])
    if given.get("token_file"):
        return _read(given["token_file"])
    if environment.get("TANDEM_TOKEN"):
        return environment["TANDEM_TOKEN"]
    for folder in _data_folders(environment, address):
        if (folder / "admin.token").is_file():
            return _read(folder / "admin.token")
    return None


def _data_folders(environment: Mapping[str, str], address: str) -> list[Path]:
    if environment.get("TANDEM_DATA_DIR"):
        return [Path(environment["TANDEM_DATA_DIR"])]
    # The token of the daemon on this machine is nothing to show to another machine unasked.
    if not is_local(address):
        return []
    return [Path("var"), Path("~/.local/share/tandem").expanduser()]


def is_local(address: str) -> bool:
    """Whether the address is a socket of this machine."""
    if address.startswith(("unix:", "unix-abstract:")):
        return True
    host = address.removeprefix("dns:///").rpartition(":")[0].strip("[]") or address
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _read(path: Path) -> str:
    try:
        token = path.read_text().strip()
    except OSError as error:
        raise click.UsageError(f"can't read the token in {path}: {error.strerror}") from error
    if not token:
        raise click.UsageError(f"the token file {path} is empty")
    return token
