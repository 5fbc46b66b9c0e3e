"""An actor: one mailbox, one message at a time, its own task group for work that must not block the mailbox."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.abc

from actors.runtime.mailbox import Ask, Mailbox, MailboxClosed


class Actor:
    """Base of all actors. Subclasses say what to do on a poke and on an ask; state is touched only from there and
    from tasks of `self.tasks`. A handler that raises ends the actor: its supervisor decides what comes next."""

    kind = "actor"

    def __init__(self, name: str, asks_max: int = 100) -> None:
        self.name = name
        self.mailbox = Mailbox(asks_max)
        self.tasks: anyio.abc.TaskGroup
        self.busy = False
        self.again = False  # it ends, but was poked meanwhile: its supervisor gives it another life at once

    async def run(self) -> None:
        """Serve the mailbox until it is closed, then let go. Ends early, with the exception, when a handler raises."""
        try:
            async with anyio.create_task_group() as tasks:
                self.tasks = tasks
                await self.started()
                await self._serve()
                tasks.cancel_scope.cancel()
        finally:
            self.mailbox.close()
            await self.stopped()

    async def started(self) -> None:
        """Called first, before any message."""

    async def stopped(self) -> None:
        """Called last, whatever happened; must not wait on the outside."""

    async def poked(self, key: str) -> None:
        """A poke: something may be there to do."""
        raise NotImplementedError

    async def asked(self, message: Any) -> Any:
        """A question; the answer is returned, or raised."""
        raise NotImplementedError

    async def _serve(self) -> None:
        while True:
            try:
                message = await self.mailbox.receive()
            except MailboxClosed:
                return
            if isinstance(message, Ask):
                await self._answer(message)
            else:
                await self.poked(message)

    async def _answer(self, ask: Ask[Any]) -> None:
        # What a question raises belongs to the asker; only cancellation belongs to us.
        try:
            ask.answer(await self.asked(ask.message))
        except Exception as error:
            ask.fail(error)
        finally:
            ask.fail(MailboxClosed())
