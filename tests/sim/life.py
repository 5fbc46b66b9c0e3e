"""One life of a daemon: what it reaches the outside through, and how it is killed.

Each call draws a delay; before and after it the daemon may be dead, frozen or just dying. Once dead, everything it
still tries raises, as if the process were gone.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import anyio
import anyio.lowlevel

from actors.core.errors import Kind, Scope, TandemError
from actors.ports import (
    Connector,
    Declaration,
    Find,
    Lease,
    Settlement,
    Store,
    WriteResult,
    WriteStatus,
)
from tests.sim import loop
from tests.sim.luck import source

Note = Callable[[str], None]
Call = Callable[..., Awaitable[Any]]
Answered = Callable[[str, str, Sequence[WriteResult], float], None]  # who, object, results, asked at
MEDDLING = 0.03  # the share of port calls at which somebody uses the API


class Dead(BaseException):
    """The process is gone. No `Exception`: nothing in the daemon may get hold of its own end."""


@dataclass(frozen=True)
class StoreFaults:
    """What goes wrong with the store, as probabilities per call."""

    delay_s: float = 0.0
    away: float = 0.0
    lose_reply: float = 0.0
    slow: float = 0.0
    slow_s: float = 8.0


class Life:
    """One run of a daemon. `dies_at`: the number of the port call at which it is killed; 0 = not by a call. `meddle`:
    what people do through the API at the very moment of a call."""

    def __init__(
        self, name: str, seed: str, note: Note, dies_at: int = 0, meddle: Callable[[], None] | None = None
    ) -> None:
        self.name = name
        self.scope = anyio.CancelScope()
        self.dead = False
        self.frozen_until = 0.0
        self.luck = source(seed, name)
        self._note = note
        self._dies_at = dies_at
        self._calls = 0
        self._meddle = meddle
        self._meddling = source(seed, name, "meddling")

    def kill(self) -> None:
        """End it: at once, wherever it stands."""
        if not self.dead:
            self._note(f"{self.name} is killed after {self._calls} calls")
            self.dead = True
            self.scope.cancel()

    def note(self, text: str) -> None:
        """A line for the trace."""
        self._note(f"{self.name} {text}")

    async def step(self, wait_s: float) -> None:
        """Let time pass on the way to a port or back; raises where the daemon does not live to see the end of it."""
        self._calls += 1
        if self._dies_at and self._calls >= self._dies_at:
            self.kill()
        self._check()
        if self._meddle is not None and self._meddling.random() < MEDDLING:
            self._meddle()
        wait_s = max(wait_s, self.frozen_until - loop.now())
        if wait_s > 0.0:
            await anyio.sleep(wait_s)
            self._check()

    def _check(self) -> None:
        if self.dead:
            raise Dead(self.name)


class SimStore:
    """The store as one life of a daemon reaches it."""

    def __init__(
        self,
        inner: Any,
        life: Life,
        faults: Callable[[], StoreFaults],
        committed: Any,
        undone: Callable[[str], None],
    ) -> None:
        self._inner = inner
        self._life = life
        self._faults = faults
        self._committed = committed
        self._undone = undone

    def __getattr__(self, name: str) -> Call:
        call = partial(self._call, name, getattr(self._inner, name))
        setattr(self, name, call)  # the next time it is found without being asked for here
        return call

    async def present(self, *asked: Any) -> AsyncGenerator[Any, None]:
        """Comes in pieces, so it is no call like the others."""
        await self._life.step(0.0)
        async for page in self._inner.present(*asked):
            await self._life.step(0.0)
            yield page

    async def _call(self, name: str, inner: Call, *positional: Any, **named: Any) -> Any:
        luck, faults = self._life.luck, self._faults()
        slow = luck.random() < faults.slow
        await anyio.lowlevel.checkpoint()
        await self._life.step(faults.slow_s if slow else faults.delay_s * luck.random())
        if luck.random() < faults.away:
            self._life.note(f"store.{name}: away")
            if any(isinstance(one, Settlement) for one in positional):
                self._undone(self._life.name)
            raise gone(name)
        answer = await inner(*positional, **named)
        if positional and isinstance(positional[0], Lease):
            self._life.note(f"store.{name}")
            self._committed(positional[0], name, positional[1:])
        await self._life.step(faults.delay_s * luck.random())
        if luck.random() < faults.lose_reply:
            self._life.note(f"store.{name}: reply lost")
            raise gone(name)
        return answer


def gone(name: str) -> TandemError:
    """What a caller of the store hears, done or not."""
    return TandemError(Kind.TRANSIENT, f"the store went away during {name}", scope=Scope.LINK)


def store_port(
    inner: Any,
    life: Life,
    faults: Callable[[], StoreFaults],
    committed: Any,
    undone: Callable[[str], None],
) -> Store:
    """A `SimStore` under the port's type: it forwards whatever the port has. `committed`: told of each call under a lease
    that was done; `undone`: told who wanted to settle something, and could not."""
    return cast(Store, SimStore(inner, life, faults, committed, undone))


class SimConnector:
    """A connector as one life of a daemon reaches it. The system's own delays and lies are the inner one's part."""

    def __init__(self, inner: Connector, life: Life, side: str, answered: Answered) -> None:
        self.declaration: Declaration = inner.declaration
        self._answered = answered
        self._inner = inner
        self._life = life
        self._side = side

    def find(self, object_name: str) -> Find:
        return self._inner.find(object_name)

    async def watch(self) -> AsyncIterator[None]:
        async for _ in self._inner.watch():
            await self._life.step(0.0)
            yield

    async def aclose(self) -> None:
        await self._inner.aclose()

    def __getattr__(self, name: str) -> Call:
        inner = getattr(self._inner, name)

        async def call(*positional: Any, **named: Any) -> Any:
            began = loop.now()
            await self._life.step(0.0)
            if name == "write":
                self._life.note(f"{self._side}.write {positional[0]} {[(w.op, w.id) for w in positional[1]]}")
            answer = await inner(*positional, **named)
            if name == "write":
                self._life.note(f"{self._side}.write -> {[result.status.value for result in answer]}")
            await self._life.step(0.0)
            if name == "write":
                self._answered(self._life.name, positional[0], answer, began)
            if name in ("create_rows", "update_rows"):
                ids = [line.partition("\t")[0] for line in answer.splitlines()]
                made = [WriteResult(WriteStatus.DONE, id_) for id_ in ids]
                self._answered(self._life.name, positional[0], made, began)
            return answer

        return call


def connector_port(inner: Connector, life: Life, side: str, answered: Answered) -> Connector:
    """A `SimConnector` under the port's type; `answered` is told of the results of each write that came back."""
    return cast(Connector, SimConnector(inner, life, side, answered))


class SimClock:
    """The Clock port on the loop's virtual time; ids and jitter from the life's own source. `skew_s`: how far the wall
    clock of the machine is off (never the monotonic one)."""

    EPOCH_S = 1_000_000.0

    def __init__(self, seed: str, skew_s: Callable[[], float] = float) -> None:
        self._luck = source(seed, "clock")
        self._skew_s = skew_s

    def now(self) -> float:
        return self.EPOCH_S + loop.now() + self._skew_s()

    def monotonic(self) -> float:
        return loop.now()

    def token(self) -> str:
        return f"{self._luck.getrandbits(64):016x}"

    def jitter(self) -> float:
        return self._luck.random()


class SimTelemetry:
    """The Telemetry port: lines in the trace; `listen` is told by whom what was said."""

    def __init__(
        self, life: Life, listen: Callable[[str, str, Mapping[str, Any]], None] | None = None
    ) -> None:
        self._life = life
        self._listen = listen

    def emit(self, action: str, **fields: Any) -> None:
        if self._listen is not None:
            self._listen(self._life.name, action, fields)
        told = " ".join(f"{name}={value}" for name, value in sorted(fields.items()))
        self._life.note(f"# {action} {told}")
