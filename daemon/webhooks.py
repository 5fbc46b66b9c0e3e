"""Calls from systems: who called, is it genuine, whom does it concern; hints into the inbox, and only then "accepted".

A call is never data, only a reason to look. So lost, forged, repeated, late and disordered ones do no harm: forged ones are
refused, lost ones made good by the next poll, and a look that shows nothing new is dropped. Must not: know HTTP beyond
a status, or any system (clients/connectors/webhook.py reads calls by the declaration). SPEC U1, U13, U21.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

import msgspec

from actors.core.blueprint.compiler import BlueprintError
from actors.core.errors import Kind, TandemError
from actors.core.places import qualified
from actors.core.policy import LinkSpec
from actors.core.types import POKED, Hint, Side
from actors.messages import WORK
from actors.ports import Clock, LinkRow, Store, Telemetry, Webhook
from clients.connectors import webhook
from clients.connectors.webhook import Call, Said
from daemon.store.admin_webhooks import Fate
from daemon.store.rows import CalledRow
from daemon.wiring import Blueprints

PATH: Final = "/hooks"
RATE_PER_S: Final = 50.0
BURST: Final = 500.0
STRANGERS_PER_S: Final = 5.0  # calls to addresses that there are not, all together
STRANGERS_BURST: Final = 50.0
BUCKETS_MAX: Final = 10_000
RETRY_S: Final = 30.0


class Answer(msgspec.Struct, frozen=True):
    """What the caller is told. `retry_after_s`: 0 = no need."""

    status: int
    text: str
    retry_after_s: float = 0.0


class Calls(Protocol):
    """What is kept of webhooks (daemon/store/admin_webhooks.py)."""

    async def called(self, path: str) -> CalledRow | None: ...
    async def count_call(self, connection: str, object_name: str, fate: Fate, trouble: str = "") -> None: ...


class Bucket:
    """So many at once, and then so many per second."""

    def __init__(self, rate_per_s: float, burst: float) -> None:
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._tokens = burst
        self._at = -math.inf

    def wait_s(self, now: float) -> float:
        """0 where one more may pass (and has), else how long until one may. `now`: monotonic, seconds."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate_per_s)
        self._at = now
        if self._tokens < 1.0:
            return (1.0 - self._tokens) / self._rate_per_s
        self._tokens -= 1.0
        return 0.0


class Receiver:
    """Takes calls. `declared`: how the system whose address was called does so; `wake`: a link, with a poke."""

    def __init__(
        self,
        calls: Calls,
        store: Store,
        blueprints: Blueprints,
        clock: Clock,
        telemetry: Telemetry,
        declared: Callable[[CalledRow], Awaitable[Webhook | None]],
        wake: Callable[[str, str], None],
    ) -> None:
        self._calls = calls
        self._store = store
        self._blueprints = blueprints
        self._clock = clock
        self._telemetry = telemetry
        self._declared = declared
        self._wake = wake
        self._strangers = Bucket(STRANGERS_PER_S, STRANGERS_BURST)
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    async def receive(self, path: str, named: str, call: Call) -> Answer:
        """One call to the address with this secret part. `named`: the object in the address, "" = none."""
        try:
            return await self._receive(path, named, call)
        except TandemError as error:
            if error.kind is not Kind.TRANSIENT:
                raise
            return Answer(503, "not now", RETRY_S)

    async def _receive(self, path: str, named: str, call: Call) -> Answer:
        wait_s = self._bucket(path).wait_s(self._clock.monotonic())
        if wait_s:
            self._report("", "limited")
            return Answer(429, "too many calls", max(1.0, wait_s))
        who = await self._calls.called(path)
        declared = await self._declared(who) if who is not None else None
        if who is None or declared is None:
            return self._unknown()
        self._keep_bucket(path)
        links = await self._store.links_of(who.connection)
        if not webhook.is_genuine(declared, who.secret, call):
            trouble = f"no genuine {declared.signature}" if declared.signature != "none" else "refused"
            await self._count(who, links, named, "refused", trouble)
            return Answer(401, "not genuine")
        said = webhook.said(declared, call, named)
        concerned = [(link, hints) for link in links if (hints := self._hints(link, who.connection, said))]
        for link, hints in concerned:
            await self._store.add_hints(link.id, hints)
        for link, _ in concerned:
            self._wake(link.id, WORK)
        await self._count(who, links, said.object, "accepted" if concerned else "ignored")
        return Answer(200, "accepted" if concerned else "nothing to do")

    # ------------------------------------------------------------------------------------------------- limits

    def _bucket(self, path: str) -> Bucket:
        return self._buckets.get(path, self._strangers)

    def _keep_bucket(self, path: str) -> None:
        """An address that there is has a limit of its own, so that strangers don't take its turn."""
        self._buckets.setdefault(path, Bucket(RATE_PER_S, BURST))
        self._buckets.move_to_end(path)
        if len(self._buckets) > BUCKETS_MAX:
            self._buckets.popitem(last=False)

    def _unknown(self) -> Answer:
        self._report("", "unknown")
        return Answer(404, "no such address")

    # ------------------------------------------------------------------------------------------------- whom

    def _hints(self, link: LinkRow, connection: str, said: Said) -> list[Hint]:
        sides: list[Side] = []
        if link.a_connection == connection:
            sides.append("a")
        if link.b_connection == connection:
            sides.append("b")
        try:
            spec = self._blueprints.of(link)
        except BlueprintError:
            return []  # it is looked at completely once its rules can be used again
        return [hint for side in sides for hint in hints_of(spec, side, said)]

    async def _count(
        self, who: CalledRow, links: Sequence[LinkRow], object_name: str, fate: Fate, trouble: str = ""
    ) -> None:
        kept = object_name in self._objects(links, who.connection)
        await self._calls.count_call(who.connection, object_name if kept else "", fate, trouble)
        self._report(who.connection, fate)

    def _objects(self, links: Sequence[LinkRow], connection: str) -> set[str]:
        found: set[str] = set()
        for link in links:
            try:
                spec = self._blueprints.of(link)
            except BlueprintError:
                continue
            for side, one in (("a", link.a_connection), ("b", link.b_connection)):
                if one == connection:
                    found.update(
                        name
                        for stream in spec.streams
                        for name in stream.objects_on("a" if side == "a" else "b")
                    )
        return found

    def _report(self, connection: str, fate: str) -> None:
        self._telemetry.emit("webhook.called", connection=connection, outcome=fate)


def hints_of(spec: LinkSpec, side: Side, said: Said) -> list[Hint]:
    """What a call is a reason for: looks at the records it names, else a look for changes of the object."""
    found: list[Hint] = []
    for stream in spec.streams:
        if said.object and said.object not in stream.objects_on(side):
            continue
        events = stream.triggers.get(side)
        if events is not None and (not events or (said.event and said.event not in events)):
            continue
        if said.object and said.ids:
            ids = (qualified(stream, side, said.object, one) for one in said.ids)
            found.extend(Hint(stream=stream.name, side=side, id=one) for one in ids)
        else:
            found.append(Hint(stream=stream.name, side=side, id="", reason=POKED))
    return found
