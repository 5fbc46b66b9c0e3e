"""What the store contract needs besides the Store port: a clock to set by hand, sample data, and people's doings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any, Protocol

from actors.core.guard import Spent
from actors.core.types import Action, ActionState, Binding, Held, Hint, Op, Parked, Room, Side, State
from actors.ports import ConnectionRow, Lease, LinkRow, RunRow, Store

START = 1_750_000_000.0  # a round wall clock, at the start of no hour
TTL_S = 86400.0  # longer than any test moves the clock
LINK = LinkRow("l1", "t1", "shop", "c1", "c2", "streams: []")
CONNECTIONS = (
    ConnectionRow("c1", "t1", "erp", "postgres", {"host": "db.example", "password": "geheim"}),
    ConnectionRow("c2", "t1", "crm", "webcrm", {"url": "https://crm.example"}, identity="crm-7"),
)


class HandClock:
    """A Clock that moves only when told to."""

    def __init__(self) -> None:
        self.wall = START
        self.ticks = 1000.0
        self._tokens = count(1)

    def advance(self, seconds: float) -> None:
        """Both clocks move."""
        self.wall += seconds
        self.ticks += seconds

    def now(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.ticks

    def token(self) -> str:
        return f"{next(self._tokens):016x}"

    def jitter(self) -> float:
        return 0.5


class World(Protocol):
    """A store with tenant t1, connections c1 and c2 and the links l1 and l2, and what people do to it."""

    clock: HandClock

    @property
    def store(self) -> Store: ...
    async def expire(self, link: str) -> None:
        """The lease runs out by the store's clock."""
        ...

    async def set_wish(self, link: str, wish: str) -> None: ...
    async def set_establishment(self, link: str, value: str) -> None: ...
    async def recover(self) -> None:
        """An older state was put back, and the daemon has noticed."""
        ...

    async def request_run(self, run: RunRow) -> None: ...
    async def cancel_run(self, link: str, run: str) -> None: ...
    async def run(self, run: str) -> RunRow:
        """A run however it stands; the port shows none that has begun."""
        ...

    async def approve_plan(self, link: str, plan: str, rev: int) -> None: ...
    async def reject_plan(self, link: str, plan: str) -> None: ...
    async def decide(self, link: str, parked: int, fingerprint: str, decision: Mapping[str, Any]) -> bool: ...


DELETED: Spent = "customers", "b", "customers", "deletes"
CREATED: Spent = "customers", "b", "customers", "creates"
OBJECTS: Mapping[Side, Sequence[str]] = {"a": ["customers"], "b": ["customers"]}


async def leased(world: World, link: str = "l1", owner: str = "w1") -> Lease:
    """The lease, which nobody else holds now."""
    lease = await world.store.take_lease(link, owner, TTL_S)
    assert lease is not None
    return lease


def half(
    side: Side,
    id_: str,
    *keys: int,
    state: State = State.NEW,
    gen: int = 0,
    stream: str = "customers",
    note: str = "",
) -> Binding:
    """A new half binding."""
    held = Held(id_, seen_gen=gen)
    a, b = (held, None) if side == "a" else (None, held)
    return Binding(stream, state=state, a=a, b=b, keys=keys, rev=1, note=note)


def full(a: str, b: str, *keys: int, state: State = State.SETTLED, stream: str = "customers") -> Binding:
    """A new binding of two records."""
    return Binding(
        stream, state=state, a=Held(a), b=Held(b), base={"name": a}, keys=keys, rev=1, map_ver="m1"
    )


def hint(id_: str, side: Side = "a", **more: Any) -> Hint:
    """A hint that is due at once."""
    return Hint("customers", side, id_, **more)


def create(binding: int, side: Side = "b", op: Op = Op.CREATE, **more: Any) -> Action:
    """An action on `side`."""
    return Action("customers", side, op, binding, **more)


def line(binding: int, state: ActionState = ActionState.CONFIRMED, **more: Any) -> Action:
    """A finished line of the protocol."""
    return Action("customers", "b", Op.NONE, binding, state=state, **more)


def park(
    binding: int, room: Room = Room.QUARANTINE, field: str = "", fingerprint: str = "f1", **more: Any
) -> Parked:
    """A parked row."""
    return Parked(
        "customers", room, binding, more.pop("reason", "refused"), field, fingerprint=fingerprint, **more
    )
