"""Keeps what the engine reports of connections where people see it: the health of a connection's row.

The engine reports without waiting; here only the last report of each connection waits to be stored. Must not: judge.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anyio

from actors.core.errors import TandemError
from daemon import log
from daemon.store.admin import Admin

RETRY_S = 1.0


class ConnectionNotes:
    """`heard` takes reports (daemon/telemetry.py); `keep` stores them until cancelled."""

    def __init__(self, admin: Admin) -> None:
        self._admin = admin
        self._waiting: dict[str, dict[str, str]] = {}
        self._wake = anyio.Event()

    def heard(self, action: str, fields: Mapping[str, Any]) -> None:
        """Something was reported."""
        if action == "connection.paused":
            health = {"state": "paused", "kind": str(fields["kind"]), "reason": str(fields["error"])}
        elif action == "connection.recovered":
            health = {"state": "ok"}
        else:
            return
        self._waiting[str(fields["connection"])] = health
        self._wake.set()

    async def keep(self) -> None:
        """Store what was heard."""
        while True:
            await self._wake.wait()
            self._wake = anyio.Event()
            while self._waiting:
                await self._store(*self._waiting.popitem())

    async def _store(self, connection: str, health: dict[str, str]) -> None:
        try:
            await self._admin.set_connection_health(connection, health)
        except TandemError as error:
            log.logger("notes").warning("notes.late", connection=connection, error=error.message)
            # What was heard meanwhile is newer.
            self._waiting.setdefault(connection, health)
            await anyio.sleep(RETRY_S)
