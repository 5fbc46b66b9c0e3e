"""`python -m clients.emulators SYSTEM --port 0`: one emulator, until it is told to end.

Prints one line as soon as it is up: its address, then that of its control port.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from clients.emulators.catalog import CATALOG
from clients.emulators.stand import stand


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m clients.emulators", description=__doc__)
    parser.add_argument("system", choices=sorted(CATALOG))
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--control-port", type=int, default=0, help="0: a free one")
    parser.add_argument("--file", type=Path, help="keep the data in this file")
    parser.add_argument(
        "--option", action="append", default=[], metavar="NAME=VALUE", help="the system's own"
    )
    given = parser.parse_args()
    options = dict(text.partition("=")[::2] for text in given.option)
    asyncio.run(serve(given.system, options, given.port, given.control_port, given.file))


async def serve(
    system: str, options: dict[str, str], port: int, control_port: int, file: Path | None
) -> None:
    """One emulator until SIGINT or SIGTERM."""
    ended = asyncio.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(sign, ended.set)
    async with stand(system, options, port=port, control_port=control_port, file=file) as emulator:
        sys.stdout.write(f"{emulator.address} {emulator.control}\n")
        sys.stdout.flush()
        await ended.wait()


if __name__ == "__main__":
    main()
