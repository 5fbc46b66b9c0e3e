"""Keeps what the engine reports of connections where people see it: the health of a connection's row.

The engine reports without waiting; here it waits in a bounded queue. A note that is lost is made good by the next one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import anyio

from actors.core.errors import TandemError
from daemon import log
from daemon.store.admin import Admin

QUEUE_SIZE_MAX: Final = 1000


class ConnectionNotes:
    """`heard` takes reports (daemon/telemetry.py); `keep` stores them until cancelled."""

    def __init__(self, admin: Admin) -> None:
        self._admin = admin
        self._send, self._receive = anyio.create_memory_object_stream[tuple[str, dict[str, str]]](
            QUEUE_SIZE_MAX
        )

    def heard(self, action: str, fields: Mapping[str, Any]) -> None:
        """Something was reported."""
        if action == "connection.paused":
            health = {"state": "paused", "kind": str(fields["kind"]), "reason": str(fields["error"])}
        elif action == "connection.recovered":
            health = {"state": "ok"}
        else:
            return
        try:
            self._send.send_nowait((str(fields["connection"]), health))
        except anyio.WouldBlock:
            log.logger("notes").warning("notes.lost", connection=fields["connection"])

    async def keep(self) -> None:
        """Store what was heard, in order."""
        with self._send, self._receive:
            async for connection, health in self._receive:
                try:
                    await self._admin.set_connection_health(connection, health)
                except TandemError as error:
                    log.logger("notes").warning("notes.lost", connection=connection, error=error.message)
