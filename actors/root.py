"""RootActor: wakes links that are due, keeps connection and link actors under supervision, brings all to rest."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import anyio

from actors.connection import ConnectionActor
from actors.core.errors import Kind, TandemError
from actors.link import LinkActor
from actors.messages import WORK, Call, Cancel, Handed, Opened, OpenedAs, Options, Ports, Rest
from actors.ports import Declaration, Find
from actors.runtime.actor import Actor
from actors.runtime.mailbox import MailboxClosed, MailboxFull
from actors.runtime.supervisor import RESTARTS_MAX, Supervisor, root_cause
from actors.state import REMEMBERED_S, Memory

FORGET_EVERY_S = 60.0
# A full mailbox is asked again after these: it is read as fast as others fill it.
FULL_PAUSES_S = (0.01, 0.1, 1.0)


class RootActor:
    """The top of the actor tree of one process. Everything it does can be done again: the work is in the store."""

    def __init__(self, ports: Ports, options: Options) -> None:
        self._ports = ports
        self._options = options
        self._supervisor: Supervisor | None = None
        self._draining = False
        self._memories: dict[str, tuple[Memory, int]] = {}  # of links at rest, with the epoch they let go at
        self._drained = anyio.Event()
        self._forgot_at = float("-inf")
        self.scanned_at = float("-inf")  # monotonic; the last successful look for due links

    async def run(self) -> None:
        """Scan for due links until drained or cancelled; a lost poke costs one scan interval, never work."""
        async with anyio.create_task_group() as tasks:
            self._supervisor = Supervisor(tasks, crashed=self._crashed, clock=self._ports.clock.monotonic)
            while not self._draining:
                self._forget()
                await self._scan()
                await anyio.sleep(self._options.scan_interval_s)
            await self._drained.wait()
            tasks.cancel_scope.cancel()

    def wake(self, link: str, poke: str = WORK) -> None:
        """Something may be due for this link."""
        if self._supervisor is not None and not self._draining:
            self._supervisor.poke(f"link/{link}", lambda: self._link(link), poke)

    async def call(self, connection: str, method: str, *args: Any) -> Any:
        """An interactive connector call through its ConnectionActor."""
        return await self._ask(connection, Call(method=method, args=args, cls="interactive"))

    async def declaration(self, connection: str) -> Declaration:
        """What the system behind a connection promises, after its account was verified."""
        opened: OpenedAs = await self._ask(connection, Opened())
        return opened.declaration

    async def finds(self, connection: str, object_name: str) -> Find:
        """How changes of an object are found on this connection."""
        opened: OpenedAs = await self._ask(connection, Opened())
        return opened.find(object_name)

    async def cancel(self, link: str, run: str) -> bool:
        """Stop a run that is under way here at its next safe point; False where it is not under way here."""
        actor = self._actor(f"link/{link}")
        if actor is None:
            return False
        try:
            return bool(await actor.mailbox.ask(Cancel(run)))
        except (MailboxClosed, MailboxFull):
            return False

    def states(self) -> list[dict[str, Any]]:
        """Name, kind, state, mailbox, restarts, error of every actor of this process."""
        root = {
            "name": "root",
            "kind": "root",
            "state": "busy" if self._supervisor is not None else "idle",
            "mailbox": 0,
            "restarts": 0,
            "error": "",
        }
        return [root, *(self._supervisor.states() if self._supervisor is not None else ())]

    def running(self) -> Mapping[str, str]:
        """Link id -> run id under way here."""
        out: dict[str, str] = {}
        for name, child in (self._supervisor.children if self._supervisor is not None else {}).items():
            if isinstance(child.actor, LinkActor) and child.actor.run_id:
                out[name.removeprefix("link/")] = child.actor.run_id
        return out

    async def drain(self, timeout_s: float) -> int:
        """Take up nothing new, bring every link to rest within the time; how many runs had not come to a safe point."""
        self._draining = True
        left: list[str] = []
        supervisor = self._supervisor
        if supervisor is None:
            self._drained.set()
            return 0

        async def rest(actor: Actor) -> None:
            try:
                if not await actor.mailbox.ask(Rest(timeout_s)):
                    left.append(actor.name)
            except (MailboxClosed, MailboxFull):
                pass

        async with anyio.create_task_group() as tasks:
            for child in list(supervisor.children.values()):
                if isinstance(child.actor, LinkActor):
                    tasks.start_soon(rest, child.actor)
        self._drained.set()
        return len(left)

    async def forget_connection(self, connection: str) -> None:
        """The settings changed: close it; it is opened anew at its next use."""
        if self._supervisor is not None:
            await self._supervisor.stop(f"connection/{connection}")

    # --------------------------------------------------------------------------------------------------- inside

    async def _scan(self) -> None:
        try:
            due = await self._ports.store.due_links(self._ports.clock.now(), self._options.links_max)
        except TandemError as error:
            self._ports.telemetry.emit("root.store_away", error=error.message)
            return
        self.scanned_at = self._ports.clock.monotonic()
        for link in due:
            self.wake(link)

    def _forget(self) -> None:
        """A link that stays at rest forgets its writes once they are of no use: while it works, it does so itself."""
        now = self._ports.clock.monotonic()
        if now - self._forgot_at < FORGET_EVERY_S:
            return
        self._forgot_at = now
        for memory, _ in self._memories.values():
            memory.forget(now - REMEMBERED_S, over=0)

    def _link(self, link: str) -> Actor:
        return LinkActor(link, self._ports, self._options, self._ask, self._memories)

    def _actor(self, name: str) -> Actor | None:
        child = self._supervisor.children.get(name) if self._supervisor is not None else None
        return child.actor if child is not None else None

    async def _ask(self, connection: str, message: Any) -> Any:
        for pause_s in FULL_PAUSES_S:
            with contextlib.suppress(MailboxFull):
                return await self._asked(connection, message)
            await anyio.sleep(pause_s * (0.5 + self._ports.clock.jitter()))
        try:
            return await self._asked(connection, message)
        except MailboxFull as error:
            raise TandemError(Kind.TRANSIENT, f"connection {connection} is overloaded") from error

    async def _asked(self, connection: str, message: Any) -> Any:
        if self._supervisor is None:
            raise TandemError(Kind.TRANSIENT, "the daemon is not up yet")
        child = self._supervisor.get(f"connection/{connection}", lambda: self._connection(connection))
        if child.actor is None:
            raise TandemError(Kind.TRANSIENT, f"connection {connection} is being restarted: {child.error}")
        try:
            return await child.actor.mailbox.ask(message)
        except MailboxClosed as error:
            raise TandemError(Kind.TRANSIENT, f"connection {connection} is being restarted") from error

    def _connection(self, connection: str) -> Actor:
        return ConnectionActor(connection, self._ports, self._options.account_wait_s, self.wake, self._hand)

    async def _hand(self, link: str, handed: Handed) -> bool:
        """Hints past the inbox, to the owner of a link if that is this process; False: they have to be stored."""
        if self._supervisor is None or self._draining:
            return False
        child = self._supervisor.get(f"link/{link}", lambda: self._link(link))
        if child.actor is None or child.degraded:
            return False
        try:
            return bool(await child.actor.mailbox.ask(handed))
        except (MailboxClosed, MailboxFull):
            return False

    async def _crashed(self, name: str, error: BaseException, crashes: int) -> None:
        cause = root_cause(error)
        self._ports.telemetry.emit("actor.crashed", actor=name, error=cause, crashes=crashes)
        if name.startswith("link/") and crashes > RESTARTS_MAX:
            self._ports.telemetry.emit("link.degraded", link=name.removeprefix("link/"), error=cause)
