"""ConnectionActor: the one way to an account. Owns its session, rate budget, concurrency, breaker and fair order.

A slot is held for one request and never while waiting for another account. One slow system delays only its links.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, get_args

import anyio
import msgspec

from actors.core.errors import Kind, Scope, TandemError
from actors.core.places import qualified
from actors.core.types import POKED, Hint, Side
from actors.messages import (
    CHANGED,
    DRAIN,
    WORK,
    Call,
    Class,
    Drained,
    Handed,
    Opened,
    OpenedAs,
    Ports,
    Status,
)
from actors.ports import WROTE, Connector, Find, LinkRow, Touched
from actors.runtime.actor import Actor
from actors.runtime.mailbox import Ask

FEED_BATCH = 1000
HANDED_MAX = 2000  # touched keys that are handed over past the inbox
HAND_OVER_S = 5.0  # so long somebody may take to settle them; then the inbox keeps them


class Waiting:
    """Calls waiting for a slot: by class first, then links in turn. A floor for each class: no class is passed over
    more than `PASSES_MAX` times."""

    PASSES_MAX = 8

    def __init__(self) -> None:
        self._queues: dict[str, OrderedDict[str, deque[Ask[Any]]]] = {
            cls: OrderedDict() for cls in get_args(Class)
        }
        self._passed: dict[str, int] = dict.fromkeys(self._queues, 0)

    def put(self, ask: Ask[Any]) -> None:
        call: Call = ask.message
        self._queues[call.cls].setdefault(call.link, deque()).append(ask)

    def take(self) -> Ask[Any] | None:
        busy = [cls for cls, links in self._queues.items() if links]
        if not busy:
            return None
        chosen = next((cls for cls in busy if self._passed[cls] >= self.PASSES_MAX), busy[0])
        for cls in busy:
            self._passed[cls] = 0 if cls == chosen else self._passed[cls] + 1
        links = self._queues[chosen]
        link, asks = links.popitem(last=False)
        ask = asks.popleft()
        if asks:
            links[link] = asks  # to the end: the next link's turn
        return ask

    def drop(self) -> list[Ask[Any]]:
        """Everything that waits, taken out."""
        out = []
        while (ask := self.take()) is not None:
            out.append(ask)
        return out


class ConnectionActor(Actor):
    """Pokes: DRAIN. Asks: Call, Opened, Drained, Status."""

    kind = "connection"

    def __init__(
        self,
        connection: str,
        ports: Ports,
        account_wait_s: float,
        wake: Callable[[str, str], None],
        hand: Callable[[str, Handed], Awaitable[bool]],
    ) -> None:
        super().__init__(f"connection/{connection}", asks_max=10_000)
        self._id = connection
        self._ports = ports
        self._account_wait_s = account_wait_s
        self._wake = wake
        self._hand = hand
        self._handing = False  # a feed's touched keys are being worked on past the inbox
        self._drain_again = False
        self._waiting = Waiting()
        self._work = anyio.Event()
        self._connector: Connector | None = None
        self._opening = anyio.Lock()
        self._draining = anyio.Lock()
        self._drains = 0  # so many times the feed was drained into the inboxes, or it was begun
        self._drained = (0, 0)  # the last time that went well, and how many keys it were
        self._links: tuple[LinkRow, ...] = ()
        self._workers = 0
        self._active = 0
        self._tokens = 1.0
        self._tokens_at = ports.clock.monotonic()
        self._failures = 0
        self._paused_until = 0.0
        self._pause_error: TandemError | None = None

    async def started(self) -> None:
        self._grow(1)

    async def stopped(self) -> None:
        for ask in self._waiting.drop():
            ask.fail(TandemError(Kind.TRANSIENT, f"connection {self._id} is being restarted"))
        if self._connector is not None:
            with anyio.CancelScope(shield=True), anyio.move_on_after(5):
                await self._connector.aclose()

    async def poked(self, key: str) -> None:
        if key == DRAIN:
            self.tasks.start_soon(self._drain_quietly)

    async def _answer(self, ask: Ask[Any]) -> None:
        # Calls go to the workers, so that a slow one does not hold up the mailbox.
        if isinstance(ask.message, Call):
            self._waiting.put(ask)
            self._work.set()
        elif isinstance(ask.message, Status):
            ask.answer(self._status())
        elif isinstance(ask.message, Opened) and self._connector is not None:
            ask.answer(OpenedAs(self._connector.declaration, self._connector.find))
        else:
            self.tasks.start_soon(self._answer_later, ask)

    async def _answer_later(self, ask: Ask[Any]) -> None:
        try:
            if isinstance(ask.message, Opened):
                ask.answer(await self._opened())
            elif isinstance(ask.message, Drained):
                ask.answer(await self._drain())
            else:
                raise TypeError(f"{self.name} does not know {ask.message!r}")
        except Exception as error:
            ask.fail(error)
        finally:
            ask.fail(TandemError(Kind.TRANSIENT, f"connection {self._id} is being restarted"))

    async def _opened(self) -> OpenedAs:
        connector = await self._open()
        return OpenedAs(connector.declaration, connector.find)

    # ------------------------------------------------------------------------------------------------- calls

    def _grow(self, workers: int) -> None:
        while self._workers < workers:
            self._workers += 1
            self.tasks.start_soon(self._worker)

    async def _worker(self) -> None:
        while True:
            ask = self._waiting.take()
            if ask is None:
                if self._work.is_set():  # all who wait, wait for the same event
                    self._work = anyio.Event()
                await self._work.wait()
                continue
            if ask.is_left:  # a run that was cut short: what it wanted is not sent in the next one
                continue
            self._active += 1
            self.busy = True
            try:
                result = await self._call(ask.message)
                ask.answer(result)
                if ask.message.writes:
                    self.tasks.start_soon(self._tell_others, ask.message, result)
            except Exception as error:
                ask.fail(error)
            finally:
                # Cut off in the middle: nobody knows whether a write took place.
                kind = Kind.UNKNOWN if ask.message.writes else Kind.TRANSIENT
                ask.fail(TandemError(kind, f"connection {self._id} is being restarted"))
                self._active -= 1
                self.busy = self._active > 0

    async def _call(self, call: Call) -> Any:
        self._refuse_while_paused(call)
        try:
            connector = await self._open()
            await self._take_token(connector, call)
            result = await self._timed(connector, call)
        except TandemError as error:
            raise await self._learn(error) from error
        self._recovered()
        return result

    async def _timed(self, connector: Connector, call: Call) -> Any:
        name = connector.declaration.name
        left_s = call.until - self._ports.clock.monotonic()
        if left_s <= 0:
            raise TandemError(
                Kind.TRANSIENT, f"{name} was too busy: the time for {call.method} was over before it left"
            )
        limit_s = min(left_s, connector.declaration.deadline_s)
        try:
            with anyio.fail_after(limit_s):
                return await getattr(connector, call.method)(*call.args)
        except TimeoutError as error:
            kind = Kind.UNKNOWN if call.writes else Kind.TRANSIENT
            raise TandemError(kind, f"{name} did not answer {call.method} within {limit_s:g} s") from error

    async def _take_token(self, connector: Connector, call: Call) -> None:
        declaration = connector.declaration
        if declaration.rate_per_s <= 0:
            return
        now = self._ports.clock.monotonic()
        grown = self._tokens + (now - self._tokens_at) * declaration.rate_per_s
        self._tokens = min(float(declaration.rate_burst), grown) - 1.0
        self._tokens_at = now
        wait_s = -self._tokens / declaration.rate_per_s
        if wait_s > self._account_wait_s:
            self._tokens += 1.0
            raise TandemError(
                Kind.RATE_LIMITED, f"the budget of {declaration.name} is spent", retry_after_s=wait_s
            )
        if wait_s > 0:
            await anyio.sleep(wait_s)

    # ---------------------------------------------------------------------------------------- open and verify

    async def _open(self) -> Connector:
        async with self._opening:
            if self._connector is not None:
                return self._connector
            row = await self._ports.store.connection(self._id)
            if row is None:
                raise TandemError(Kind.CONFIG, f"connection {self._id} no longer exists")
            connector: Connector = await self._ports.connect(row)
            try:
                identity = await connector.identity()
                if row.identity and identity != row.identity:
                    raise TandemError(
                        Kind.CONFIG,
                        f"another account is behind connection {row.name}: {identity} instead of {row.identity}",
                        hint="set the address back, or make a new connection and link for the other account",
                    )
                if not row.identity:
                    await self._ports.store.set_identity(self._id, identity)
            except BaseException:
                with anyio.CancelScope(shield=True), anyio.move_on_after(5):
                    await connector.aclose()
                raise
            self._connector = connector
            self._tokens = float(connector.declaration.rate_burst)
            self._grow(connector.declaration.concurrency)
            self.tasks.start_soon(self._watch, connector)
            return connector

    # ------------------------------------------------------------------------------------------------ breaker

    def _refuse_while_paused(self, call: Call) -> None:
        if self._pause_error is None or call.cls == "interactive":
            return
        left_s = self._paused_until - self._ports.clock.monotonic()
        if left_s > 0:
            error = self._pause_error
            raise TandemError(
                error.kind, error.message, scope=Scope.CONNECTION, hint=error.hint, retry_after_s=left_s
            )

    async def _learn(self, error: TandemError) -> TandemError:
        """Pause the account after errors that concern all of it; AUTH counts only if a session check fails too."""
        if error.raw:
            told = {"kind": error.kind.value, "error": error.message, "answer": error.raw}
            self._ports.telemetry.emit("call.failed", connection=self._id, **told)
        if error.scope is not Scope.CONNECTION or error.kind in (Kind.REJECTED, Kind.UNKNOWN, Kind.BUG):
            return error
        if error.kind is Kind.AUTH and self._connector is not None and await self._session_lives():
            return TandemError(Kind.REJECTED, error.message, scope=Scope.RECORD, hint=error.hint)
        self._failures += 1
        if self._pause_error is None:
            self._ports.telemetry.emit(
                "connection.paused", connection=self._id, kind=error.kind.value, error=error.message
            )
        self._pause_error = error
        if error.retry_after_s is not None:
            pause_s = error.retry_after_s
        elif error.kind is Kind.AUTH:  # a system may lock out who comes with the wrong secret again and again
            pause_s = 60.0
        elif error.kind is Kind.CONFIG:
            pause_s = min(60.0, 5.0 * 2.0 ** (self._failures - 1))
        else:
            pause_s = 0.0 if self._failures < 3 else min(60.0, 2.0 ** (self._failures - 2))
        self._paused_until = self._ports.clock.monotonic() + pause_s
        return error

    async def _session_lives(self) -> bool:
        assert self._connector is not None
        try:
            with anyio.fail_after(self._connector.declaration.deadline_s):
                await self._connector.check()
        except (TandemError, TimeoutError):
            return False
        return True

    def _recovered(self) -> None:
        self._failures = 0
        if self._pause_error is not None:
            self._pause_error = None
            self._ports.telemetry.emit("connection.recovered", connection=self._id)

    # --------------------------------------------------------------------------------------------------- feed

    async def _watch(self, connector: Connector) -> None:
        """Wake the links whenever something may have changed; a lost line costs latency only, polls make it good."""
        pause_s = 1.0
        while True:
            try:
                async for _ in connector.watch():
                    pause_s = 1.0
                    await self._noticed()
            except TandemError as error:
                self._ports.telemetry.emit("connection.watch_lost", connection=self._id, error=error.message)
            await anyio.sleep(pause_s)
            pause_s = min(60.0, pause_s * 2)

    async def _noticed(self) -> None:
        self.tasks.start_soon(self._drain_quietly)
        connector = await self._open()
        if set(connector.declaration.find) != {Find.FEED}:  # else the feed says by itself whom it concerns
            self._links = tuple(await self._ports.store.links_of(self._id))
            for link in self._links:
                self._wake(link.id, CHANGED)

    async def _drain_quietly(self) -> None:
        try:
            if self._handing:
                self._drain_again = True
                return
            self._handing = True
            try:
                await self._drain_by_hand()
            finally:
                self._handing = False
        except TandemError as error:
            self._ports.telemetry.emit("connection.drain_failed", connection=self._id, error=error.message)

    async def _drain_by_hand(self) -> None:
        """Feed -> links: a handful of keys is handed over to whom it concerns and acknowledged when it is settled; what
        nobody takes in at once, and what is many, goes by the inboxes."""
        connector = await self._open()
        if Find.FEED not in connector.declaration.find:
            return
        while True:
            self._drain_again = False
            touched: Sequence[Touched] = await self._request("drain", HANDED_MAX)
            if len(touched) == HANDED_MAX:
                await self._drain()
            elif touched:
                await self._hand_over(touched)
            if not self._drain_again and len(touched) < HANDED_MAX:
                return

    async def _hand_over(self, touched: Sequence[Touched]) -> None:
        """To the links that were known a moment ago, at once; who uses the account by now is asked when they have settled
        it, and whoever is owed a hint that nobody has taken in gets it into the inbox. Only then is the feed told."""
        taken: dict[str, frozenset[Hint]] = {}

        async def one(link: LinkRow) -> None:
            with suppress(TandemError), anyio.move_on_after(HAND_OVER_S):
                hints = await self._hints_for(link, touched)
                if hints and await self._hand(link.id, Handed(tuple(hints))):
                    taken[link.id] = frozenset(hints)

        async with anyio.create_task_group() as tasks:
            for link in self._links:
                tasks.start_soon(one, link)
        self._links = tuple(await self._ports.store.links_of(self._id))
        for link in self._links:
            owed = await self._hints_for(link, touched)
            await self._note(link, [hint for hint in owed if hint not in taken.get(link.id, ())])
        await self._request("ack", touched)

    async def _drain(self) -> int:
        """Feed -> inboxes; how many keys. Thousands of links may ask at once: all who wait meanwhile share the next time."""
        connector = await self._open()
        if Find.FEED not in connector.declaration.find:
            return 0
        asked = self._drains
        async with self._draining:
            if self._drained[0] > asked:  # it began after we asked
                return self._drained[1]
            self._drains += 1
            began = self._drains
            self._drained = began, await self._to_inboxes()
            return self._drained[1]

    async def _to_inboxes(self) -> int:
        """Stored first, acknowledged after."""
        total = 0
        while True:
            touched = await self._request("drain", FEED_BATCH)
            if touched or not self._links:  # there may be thousands
                self._links = tuple(await self._ports.store.links_of(self._id))
            for link in self._links if touched else ():
                await self._note(link, await self._hints_for(link, touched))
            if touched:
                await self._request("ack", touched)
            total += len(touched)
            if len(touched) < FEED_BATCH:
                return total

    async def _note(self, link: LinkRow, hints: Sequence[Hint]) -> None:
        """Into the inbox of the link, and wake it."""
        if hints:
            await self._ports.store.add_hints(link.id, hints)
            self._wake(link.id, WORK)

    async def _request(self, method: str, *arguments: Any) -> Any:
        """A request of our own: it waits for a slot and a token of the account like those of the links."""
        ask: Ask[Any] = Ask(Call(method, arguments, "instant"))
        self._waiting.put(ask)
        self._work.set()
        return await ask.wait()

    async def _hints_for(self, link: LinkRow, touched: Sequence[Touched]) -> list[Hint]:
        """What was touched, as hints of one link. Where its blueprint can't be read: "look at everything", so that the
        feed may go on for the others and nothing is lost for this one."""
        try:
            return self._hints(link, touched)
        except TandemError:
            mine = {
                side for side, one in (("a", link.a_connection), ("b", link.b_connection)) if one == self._id
            }
            cursors = await self._ports.store.cursors(link.id) if touched else ()
            return [Hint(stream=c.stream, side=c.side, id="") for c in cursors if c.side in mine]

    def _hints(self, link: LinkRow, touched: Sequence[Touched]) -> list[Hint]:
        spec = self._ports.blueprint(link.blueprint, link.settings)
        hints: dict[tuple[str, str, str], Hint] = {}
        sides: tuple[tuple[Side, str], ...] = (("a", link.a_connection), ("b", link.b_connection))
        mine = [
            (side, stream) for side, connection in sides if connection == self._id for stream in spec.streams
        ]
        users = Counter(name for side, stream in mine for name in stream.objects_on(side))
        for side, stream in mine:
            for one in touched:
                # Our own write is news to the other links of the account, and to the other streams of its object; to
                # nobody if there is none.
                is_news = not one.own or len(self._links) > 1 or users[one.object] > 1
                if is_news and one.object in stream.objects_on(side):
                    id = qualified(stream, side, one.object, one.id)
                    hints[stream.name, side, id] = Hint(stream=stream.name, side=side, id=id)
        return list(hints.values())

    async def _tell_others(self, call: Call, result: Any) -> None:
        """A write of ours through one link is news to the other links of the account, which nobody has to wait for. Where
        there is a feed, it tells them; what is lost here, the next poll finds."""
        touched = written(call, result)
        try:
            connector = await self._open()
            if not touched or connector.find(touched[0].object) is Find.FEED:
                return
            # Asked each time: a link that was made a moment ago must not miss it, and there is no feed to tell it later.
            for link in await self._ports.store.links_of(self._id):
                if link.id == call.link:
                    continue
                hints = [
                    hint if hint.id else msgspec.structs.replace(hint, reason=POKED)
                    for hint in await self._hints_for(link, touched)
                ]
                await self._note(link, hints)
        except TandemError as error:
            self._ports.telemetry.emit("connection.drain_failed", connection=self._id, error=error.message)

    def _status(self) -> dict[str, Any]:
        error = self._pause_error
        return {
            "open": self._connector is not None,
            "paused": error is not None,
            "error": str(error) if error is not None else "",
            "active": self._active,
        }


def written(call: Call, result: Any) -> list[Touched]:
    """What a request of ours has written; an id of "": some records of the object."""
    if call.method != "write":
        return [Touched(call.args[0], "", "")]
    object_name, writes, _ = call.args
    done = zip(writes, result, strict=True)
    return [Touched(object_name, r.id or w.id, "") for w, r in done if r.status in WROTE]
