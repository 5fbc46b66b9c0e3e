"""The control port of an emulator: a person at the system, faults on demand, counters. The same for all systems.

Must not: know any system. What can be asked for is listed in docs/EMULATORS.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec
from aiohttp import web

from clients.emulators.calls import Knobs
from clients.emulators.data import Change
from clients.emulators.description import Key, Refused
from clients.emulators.emulator import Automation, Emulator, Limit, answer, body_of
from clients.emulators.faults import Fault

WAIT_S: Final = 1.0


class State(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """What can be set about a system as a whole; what isn't named stays."""

    skew_s: float | None = None
    lag_s: float | None = None
    reuse_ids: bool | None = None
    hidden: list[tuple[str, str]] | None = None
    absent: list[tuple[str, str]] | None = None
    limit: Limit | None = None
    calls: Knobs | None = None
    automations: list[Automation] | None = None
    options: dict[str, str] = {}  # the system's own


class Watch:
    """Counts the changes of one table, and wakes who waits for the next one."""

    def __init__(self, table: str) -> None:
        self.count = 0
        self._table = table
        self._next = asyncio.Event()

    def saw(self, change: Change) -> None:
        """A change of any table took place."""
        if change.table == self._table:
            self.count += 1
            self._next.set()
            self._next = asyncio.Event()

    async def more_than(self, count: int) -> None:
        """Wait until there were more than so many, but not for long: whoever waits holds up the end of the emulator."""
        ends = asyncio.get_running_loop().time() + WAIT_S
        while self.count <= count and (left := ends - asyncio.get_running_loop().time()) > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._next.wait(), left)


class Control:
    """The control port of one emulator."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._watches: dict[str, Watch] = {}

    def application(self) -> web.Application:
        """Its paths."""
        app = web.Application(middlewares=[self._serve])
        app.add_routes(
            [
                web.get("/", self._about),
                web.get("/rows/{table}", self._rows),
                web.post("/rows/{table}", self._insert),
                web.patch("/rows/{table}/{key}", self._edit),
                web.delete("/rows/{table}/{key}", self._delete),
                web.post("/faults", self._add_fault),
                web.get("/faults", self._faults),
                web.delete("/faults", self._clear_faults),
                web.get("/changes/{table}", self._changes),
                web.get("/counters", self._counters),
                web.delete("/counters", self._clear_counters),
                web.post("/state", self._state),
                web.post("/expire", self._expire),
                web.post("/backups", self._backup),
                web.post("/backups/{name}/restore", self._restore),
                web.post("/files", self._save),
                web.post("/deeds/{name}", self._act),
            ]
        )
        return app

    @web.middleware
    async def _serve(self, request: web.Request, handler: Any) -> web.StreamResponse:
        try:
            found: web.StreamResponse = await handler(request)
            return found
        except Refused as error:
            return answer({"refused": error.reason, "code": error.code, "field": error.field}, 409)
        except (KeyError, msgspec.ValidationError) as error:
            return answer({"error": str(error)}, 400)

    async def _about(self, request: web.Request) -> web.Response:
        tables = {name: len(rows) for name, rows in self._emulator.data.tables.items()}
        description = self._emulator.description
        return answer(
            {
                "system": description.name,
                "doc": description.doc,
                "address": self._emulator.address,
                "rows": tables,
            }
        )

    async def _rows(self, request: web.Request) -> web.Response:
        return answer(list(self._emulator.person.rows(request.match_info["table"]).values()))

    async def _insert(self, request: web.Request) -> web.Response:
        given = body_of(await request.read())
        rows: list[Mapping[str, Any]] = given if isinstance(given, list) else [given]
        return answer(self._emulator.person.insert(request.match_info["table"], *rows))

    async def _edit(self, request: web.Request) -> web.Response:
        values = body_of(await request.read())
        return answer(self._emulator.person.edit(request.match_info["table"], self._key(request), values))

    async def _delete(self, request: web.Request) -> web.Response:
        self._emulator.person.delete(request.match_info["table"], self._key(request))
        return answer()

    def _key(self, request: web.Request) -> Key:
        table = self._emulator.data.table(request.match_info["table"])
        field, text = table.field(table.key), request.match_info["key"]
        return int(text) if field is not None and field.type == "integer" else text

    async def _add_fault(self, request: web.Request) -> web.Response:
        given = msgspec.json.decode(await request.read(), type=list[Fault] | Fault)
        for fault in given if isinstance(given, list) else [given]:
            self._emulator.faults.add(fault)
        return answer()

    async def _faults(self, request: web.Request) -> web.Response:
        faults = self._emulator.faults
        return answer({"waiting": faults.waiting, "happened": faults.happened})

    async def _clear_faults(self, request: web.Request) -> web.Response:
        self._emulator.faults.clear()
        return answer()

    async def _changes(self, request: web.Request) -> web.Response:
        """How many changes a table has seen since somebody first asked; with `after`: once there are more than that."""
        name = self._emulator.data.table(request.match_info["table"]).name
        watch = self._watches.get(name)
        if watch is None:
            watch = self._watches[name] = Watch(name)
            self._emulator.data.listeners.append(watch.saw)
        await watch.more_than(int(request.query.get("after", "-1")))
        return answer({"count": watch.count})

    async def _counters(self, request: web.Request) -> web.Response:
        emulator = self._emulator
        calls = [f"{call.method} {call.url} {call.status}" for call in emulator.calls.sent]
        return answer({"paths": dict(emulator.counters), "requests": list(emulator.requests), "calls": calls})

    async def _clear_counters(self, request: web.Request) -> web.Response:
        self._emulator.counters.clear()
        self._emulator.requests.clear()
        return answer()

    async def _state(self, request: web.Request) -> web.Response:
        set_state(self._emulator, msgspec.json.decode(await request.read(), type=State))
        return answer()

    async def _expire(self, request: web.Request) -> web.Response:
        self._emulator.expire()
        return answer()

    async def _backup(self, request: web.Request) -> web.Response:
        return answer({"name": self._emulator.data.backup()})

    async def _restore(self, request: web.Request) -> web.Response:
        self._emulator.data.restore(request.match_info["name"])
        return answer()

    async def _act(self, request: web.Request) -> web.Response:
        given = body_of(await request.read())
        try:
            return answer(self._emulator.deeds[request.match_info["name"]](**given))
        except TypeError as error:
            return answer({"error": str(error)}, 400)

    async def _save(self, request: web.Request) -> web.Response:
        self._emulator.data.save(Path(str(body_of(await request.read())["path"])))
        return answer()


def set_state(emulator: Emulator, wanted: State) -> None:
    """Set what is named."""
    data = emulator.data
    for name in ("skew_s", "lag_s", "reuse_ids"):
        if (value := getattr(wanted, name)) is not None:
            setattr(data, name, value)
    for name in ("hidden", "absent"):
        if (value := getattr(wanted, name)) is not None:
            setattr(data, name, set(value))
    for name in ("limit", "automations"):
        if (value := getattr(wanted, name)) is not None:
            setattr(emulator, name, value)
    emulator.options |= wanted.options
    if wanted.calls is not None:
        emulator.calls.knobs = wanted.calls
