"""Brings an emulator up on ports of this machine, and down again: the vendor's face and the control port.

    async with stand("webcrm") as emulator:
        emulator.address            # http://127.0.0.1:40123
        emulator.person.insert("Organisations", {...})

Must not: listen anywhere but on 127.0.0.1.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from aiohttp import web

from clients.emulators.catalog import emulator_class
from clients.emulators.control import Control
from clients.emulators.emulator import Emulator

HOST: Final = "127.0.0.1"


@asynccontextmanager
async def stand(
    system: str | type[Emulator],
    options: Mapping[str, str] | None = None,
    *,
    port: int = 0,
    control_port: int = 0,
    file: Path | None = None,
) -> AsyncIterator[Emulator]:
    """The emulator of `system`, up until the block is left. Port 0: a free one. `file`: where its data are kept."""
    emulator = (emulator_class(system) if isinstance(system, str) else system)(options)
    if file is not None:
        emulator.data.load(file)
    face = await _listen(emulator.application(), port)
    control = await _listen(Control(emulator).application(), control_port)
    emulator.address, emulator.control = _address(face), _address(control)
    emulator.calls.begin()
    await emulator.begin()
    try:
        yield emulator
    finally:
        await emulator.end()
        await emulator.calls.end()
        await emulator.close()
        await face.cleanup()
        await control.cleanup()
        if file is not None:
            emulator.data.save(file)


async def _listen(app: web.Application, port: int) -> web.AppRunner:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.0)
    await runner.setup()
    await web.TCPSite(runner, HOST, port).start()
    return runner


def _address(runner: web.AppRunner) -> str:
    host, port = runner.addresses[0][:2]
    return f"http://{host}:{port}"
