"""The command line of `tandemd`: options, help with every setting, --check-config, and how an end becomes an exit status.

Must not: build anything of the daemon.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
import textwrap
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import anyio

from daemon import config as configuration
from daemon import log
from daemon.config import Config, ConfigError
from daemon.opening import StartError

EXIT_DIED: Final = 1
EXIT_CONFIG: Final = 78  # EX_CONFIG of sysexits.h
Serve = Callable[[Config, int | None], Awaitable[None]]


def run(serve: Serve, version: str, arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments say; the exit status."""
    given = _parser(version).parse_args(arguments)
    try:
        config, notes = configuration.load(os.environ, given.config)
    except ConfigError as error:
        sys.stderr.write("".join(f"tandemd: {fault}\n" for fault in error.faults))
        return EXIT_CONFIG
    if given.check_config:
        sys.stdout.write(
            "".join(f"{name} = {value}\n" for name, value in configuration.shown(config).items())
        )
        sys.stderr.write("".join(f"tandemd: note: {note}\n" for note in notes))
        return 0
    log.configure(config.log_level, config.log_format)
    for note in notes:
        log.logger("serve").warning("config.note", note=note)
    return _served(serve, config, given.ready_fd)


def _served(serve: Serve, config: Config, ready_fd: int | None) -> int:
    try:
        # The same loop, written in C: less time for each message. Where there is none, Python's own serves.
        anyio.run(serve, config, ready_fd, backend_options={"use_uvloop": _has_uvloop()})
    except Exception as error:
        # A task group wraps what its body raises.
        leaves = list(_leaves(error))
        starting = next((leaf for leaf in leaves if isinstance(leaf, StartError)), None)
        if starting is not None:
            log.logger("serve").error("daemon.not_started", error=starting.message, hint=starting.hint)
            sys.stderr.write(f"tandemd: {starting.message}\nhint: {starting.hint}\n")
            return EXIT_DIED
        for leaf in leaves:
            log.logger("serve").error("daemon.died", error=f"{type(leaf).__name__}: {leaf}", exc_info=leaf)
        return EXIT_DIED
    return 0


def _has_uvloop() -> bool:
    return importlib.util.find_spec("uvloop") is not None


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _parser(version: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tandemd",
        description="Keeps the records of pairs of business systems in step, in both directions.",
        epilog=_settings_help(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="read settings from this TOML file")
    parser.add_argument(
        "--check-config",
        action="store_true",
        help="show the settings in force, or all that is wrong with them, and end",
    )
    parser.add_argument(
        "--ready-fd",
        type=int,
        metavar="N",
        help="write one line of JSON to this descriptor when ready (addresses, pid)",
    )
    parser.add_argument("--version", action="version", version=f"tandemd {version}")
    return parser


def _settings_help() -> str:
    lines = [
        "settings, by rising weight: default, FILE (tandem.toml here or in /etc/tandem), environment:",
        "",
    ]
    for one in configuration.settings():
        default = f" [default: {one.default}]" if one.default else ""
        lines.append(f"  {one.variable}  ({one.name}, {one.kind})")
        lines += textwrap.wrap(
            f"{one.doc}{default}", 100, initial_indent="      ", subsequent_indent="      "
        )
    lines += ["", "exit status: 0 stopped, 1 died or could not start, 2 wrong usage, 78 wrong configuration"]
    return "\n".join(lines)
