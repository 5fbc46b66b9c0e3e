"""The real actors on the in-memory store and systems, on virtual time, with every request to a system on a tap.

A tap notes each request and can hold it, slow it down or let it fail. Must not: decide anything an actor decides.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

import anyio
import msgspec

from actors.core.attachments import own_path
from actors.core.lenses import Same
from actors.core.policy import (
    RECORD_ID,
    RECORD_OBJECT,
    FieldSide,
    FieldSpec,
    FirstContact,
    LinkSpec,
    StreamSpec,
)
from actors.core.types import SIDES, Action, Binding, Parked
from actors.messages import Options, Ports
from actors.ports import ConnectionRow, Connector, Declaration, Find, LinkRow, RunRow
from actors.root import RootActor
from clients.connectors.systems.memory import DECLARATION, MemoryConnector
from clients.connectors.systems.memory_system import MemorySystem, ObjectShape
from tests.fakes.store import MemoryStore
from tests.fakes.store_link import LinkState
from tests.sim import loop
from tests.sim.life import SimClock

CUSTOMERS = "customers"
REQUEST_S = 0.01  # nothing takes no time: a look is always asked for after the write before it


def field(name: str, **rules: Any) -> FieldSpec:
    """A field that is called the same on both sides."""
    side = FieldSide((name,), Same())
    return FieldSpec(name=name, a=side, b=side, **rules)


def customers(**rules: Any) -> StreamSpec:
    """Customers with a name and a phone, matched by name."""
    plain: dict[str, Any] = {
        "name": CUSTOMERS,
        "kind": "master",
        "a_object": CUSTOMERS,
        "b_object": CUSTOMERS,
        "fields": (field("name"), field("phone")),
        "match": (("name",),),
        "first_contact": FirstContact.A,
        "map_ver": "1",
    }
    return StreamSpec(**(plain | rules))


class Tap:
    """Between an actor and a connector: every request is noted; `on[method]` runs before it goes through."""

    def __init__(self, rig: Rig, connection: str, inner: Connector) -> None:
        self.declaration: Declaration = inner.declaration
        self._rig = rig
        self._connection = connection
        self._inner = inner

    def find(self, object_name: str) -> Find:
        return self._inner.find(object_name)

    async def watch(self) -> AsyncIterator[None]:
        await self._before("watch", ())
        async for _ in self._inner.watch():
            yield

    async def aclose(self) -> None:
        self._rig.requests.append((anyio.current_time(), self._connection, "aclose", ()))
        await self._inner.aclose()

    async def _before(self, method: str, args: tuple[Any, ...]) -> None:
        self._rig.requests.append((anyio.current_time(), self._connection, method, args))
        await anyio.sleep(REQUEST_S)
        step = self._rig.on.get((self._connection, method)) or self._rig.on.get((self._connection, "*"))
        if step is not None:
            await step()

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        inner = getattr(self._inner, name)

        async def call(*args: Any) -> Any:
            rig, at = self._rig, self._connection
            rig.active[at] = rig.active.get(at, 0) + 1
            rig.active_max[at] = max(rig.active[at], rig.active_max.get(at, 0))
            try:
                await self._before(name, args)
                return await inner(*args)
            finally:
                rig.active[at] -= 1

        return call


class Rig:
    """Systems, store and links; daemons are started with `daemon`. Connection "a" leads to system "a", and so on."""

    def __init__(
        self,
        *streams: StreamSpec,
        systems: tuple[str, ...] = SIDES,
        links: Mapping[str, tuple[str, str]] | None = None,
        streams_of: Mapping[str, tuple[str, ...]] | None = None,
        poll_s: float = 60.0,
        types: Mapping[str, str] | None = None,
        **declared: Any,
    ) -> None:
        self.clock = SimClock("rig")
        self.connector = MemoryConnector
        self.store = MemoryStore(self.clock)
        self.told: list[tuple[float, str, dict[str, Any]]] = []
        self.requests: list[tuple[float, str, str, tuple[Any, ...]]] = []
        self.on: dict[tuple[str, str], Callable[[], Awaitable[None]]] = {}
        self.active: dict[str, int] = {}
        self.active_max: dict[str, int] = {}
        self.declared: dict[str, Declaration] = {
            name: msgspec.structs.replace(DECLARATION, **declared) for name in systems
        }
        specs = streams or (customers(),)
        self._compiled: dict[str, LinkSpec] = {}
        self.spec = LinkSpec("rig", "1", "memory", "memory", specs, poll_s=dict.fromkeys(SIDES, poll_s))
        shapes = {
            name: ObjectShape(_natives(spec) | dict(types or {}))
            for spec in specs
            for name in (spec.name, *(one.name for several in spec.objects.values() for one in several))
        }
        self.systems = {name: MemorySystem(name, shapes, self.clock.now) for name in systems}
        for name in systems:
            self.store.add_connection(ConnectionRow(name, "t", name, "memory"))
        for link, (a, b) in (links or {"l": ("a", "b")}).items():
            names = (streams_of or {}).get(link, tuple(spec.name for spec in specs))
            self.store.add_link(LinkRow(link, "t", link, a, b, blueprint=" ".join(names)))

    # ------------------------------------------------------------------------------------------------- people

    def create(
        self, system: str, name: str, phone: Any = "1", object_name: str = CUSTOMERS, **more: Any
    ) -> str:
        """A person enters a record."""
        fields = {"name": name, "phone": phone} | more
        return self.systems[system].create(object_name, fields, "person")

    def edit(self, system: str, id: str, **fields: Any) -> None:
        """A person edits a record."""
        self.systems[system].edit(CUSTOMERS, id, fields, "person")

    def rows(self, system: str, object_name: str = CUSTOMERS) -> dict[str, dict[str, Any]]:
        """What a system holds."""
        return {id: dict(state.fields or {}) for id, state in self.systems[system].rows(object_name)}

    def names(self, system: str) -> list[Any]:
        """The names a system holds, in order."""
        return sorted(row["name"] for row in self.rows(system).values())

    # ---------------------------------------------------------------------------------------------- observing

    def link(self, link: str = "l") -> LinkState:
        return self.store.links[link]

    def actions(self, link: str = "l") -> list[Action]:
        return [action for _, action in self.link(link).actions.values()]

    def bindings(self, link: str = "l") -> list[Binding]:
        return list(self.link(link).bindings.values())

    def parked(self, link: str = "l") -> list[Parked]:
        return list(self.link(link).parked.values())

    def runs(self, link: str = "l") -> list[RunRow]:
        return list(self.link(link).runs.values())

    def said(self, action: str) -> list[dict[str, Any]]:
        """What telemetry was told under that name."""
        return [fields for _, name, fields in self.told if name == action]

    def asked(self, connection: str, method: str) -> list[float]:
        """When that request reached a system."""
        return [at for at, where, what, _ in self.requests if (where, what) == (connection, method)]

    # ------------------------------------------------------------------------------------------------ daemons

    def emit(self, action: str, **fields: Any) -> None:
        """The Telemetry port."""
        self.told.append((anyio.current_time(), action, fields))

    async def connect(self, row: ConnectionRow) -> Connector:
        """The `connect` port."""
        inner = self.connector(self.systems[row.id], self.declared[row.id])
        return cast(Connector, Tap(self, row.id, cast(Connector, inner)))

    def ports(self, store: Any = None) -> Ports:
        """All ports of one daemon."""
        return Ports(
            store=store or self.store,
            connect=self.connect,
            blueprint=self._blueprint,
            clock=self.clock,
            telemetry=self,
        )

    def _blueprint(self, text: str, settings: Mapping[str, Any]) -> LinkSpec:
        if text not in self._compiled:  # once, as the daemon does
            streams = tuple(spec for spec in self.spec.streams if spec.name in text.split())
            self._compiled[text] = msgspec.structs.replace(self.spec, streams=streams)
        return self._compiled[text]

    def change(self, *streams: StreamSpec) -> None:
        """The rules are changed while it runs."""
        self.spec = msgspec.structs.replace(self.spec, streams=streams)
        self._compiled.clear()

    def rules(self, text: str, *streams: StreamSpec) -> None:
        """What a blueprint with that text says."""
        self._compiled[text] = msgspec.structs.replace(self.spec, streams=streams)

    @asynccontextmanager
    async def daemon(self, owner: str = "d1", store: Any = None, **options: Any) -> AsyncIterator[RootActor]:
        """A running RootActor, ended (as if killed) on leaving."""
        root = RootActor(self.ports(store), Options(owner=owner, **options))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(root.run)
            await anyio.sleep(REQUEST_S)
            yield root
            tasks.cancel_scope.cancel()


def _natives(spec: StreamSpec) -> dict[str, str]:
    return {
        own_path(path): "bytes" if one.attachment else "text" if one.lines is None else "lines"
        for one in spec.fields
        for side in SIDES
        if (at := one.side(side))
        for path in at.paths
        if path not in (RECORD_ID, RECORD_OBJECT)
    }


async def until(done: Callable[[], Any], timeout_s: float = 60.0, every_s: float = 0.05) -> float:
    """Wait (virtual time) until it holds; fails when it does not. Returns the time."""
    with anyio.fail_after(timeout_s):
        while not done():  # noqa: ASYNC110 (what it waits for is outside of everybody's events)
            await anyio.sleep(every_s)
    return anyio.current_time()


def takes(seconds: float) -> Callable[[], Awaitable[None]]:
    """A request that takes so long."""

    async def step() -> None:
        await anyio.sleep(seconds)

    return step


def fails(error: Exception) -> Callable[[], Awaitable[None]]:
    """A request that fails."""

    async def step() -> None:
        raise error

    return step


Body = Callable[[Rig, RootActor], Awaitable[Any]]


def on(rig_of: Callable[[], Rig], body: Body, **options: Any) -> Any:
    """Run the body with one daemon on a fresh rig and virtual loop."""

    async def main() -> Any:
        rig = rig_of()
        async with rig.daemon(**options) as root:
            return await body(rig, root)

    return loop.run(main)


def loaded(rig: Rig, stream: str = CUSTOMERS) -> bool:
    """Whether the initial load of a stream is complete."""
    return stream in rig.link().row.facts.get("loaded", ())


def writes(rig: Rig, *systems: str) -> int:
    """How many write requests reached those systems."""
    return sum(len(rig.asked(system, "write")) for system in systems or ("a", "b"))
